//! An environment in the schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::form::{AnyText, Command, OneOrMore, Share, Text, Time};
use super::gates::Gates;
use super::target::Target;
use super::verify::Verify;
use crate::policy::EvidenceDemand;

/// A named place that releases enter.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Environment {
    /// The environments in which the same digest must have passed first.
    needs: Option<OneOrMore<Text>>,
    /// How long the digest must have been live in each of `needs`.
    soak: Option<Time>,
    /// The conditions on reports and scans. Without `needs` and `approval` there must be some, or the word none.
    gates: Option<Gates>,
    /// Whether evidence must be signed by a key under `keys`.
    #[schemars(extend("default" = "signed"))]
    evidence: Option<EvidenceDemand>,
    /// Who must agree.
    approval: Option<Approval>,
    /// When nothing may enter.
    freeze: Option<OneOrMore<Freeze>>,
    /// Where it runs.
    target: Target,
    /// How a release takes over.
    #[schemars(extend("default" = "rolling"))]
    strategy: Option<StrategyForm>,
    /// How the running release is judged; absent means that readiness alone decides.
    verify: Option<Verify>,
    /// How long a step, the time without progress, and the whole rollout may take. Each ends in a revert.
    clocks: Option<Clocks>,
    /// What is run before and after the phases of a rollout.
    hooks: Option<OneOrMore<Hook>>,
    /// Whether each release is rolled back once on purpose, under traffic, before it is committed.
    #[schemars(extend("default" = false))]
    prove_rollback: Option<bool>,
    /// What stays of earlier releases.
    #[schemars(extend("default" = 3))]
    keep: Option<KeepForm>,
    /// What people see of it on GitHub or GitLab.
    forge: Option<OnForge>,
}

/// What people see of an environment on GitHub or GitLab.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct OnForge {
    /// Whether deploy and rollback write deployment records there.
    #[schemars(extend("default" = true))]
    records: Option<bool>,
    /// Where the service is, for the environment's button.
    #[schemars(extend("pattern" = r"^https?://[^/\s@][^\s@]*$"))]
    url: Option<String>,
}

/// A command that the run executes before or after a phase, in the folder of windlass.yml.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["before"] }, { "required": ["after"] }]))]
struct Hook {
    /// The phase that it comes before.
    before: Option<Phase>,
    /// The phase that it comes after.
    after: Option<Phase>,
    /// The program and its arguments; no shell takes them apart.
    run: Command,
    /// Variables beside the run's own.
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))]
    env: Option<BTreeMap<String, AnyText>>,
    /// How long it may take.
    #[schemars(extend("default" = "1m"))]
    timeout: Option<Time>,
}

/// The phases of a rollout.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Phase {
    /// Files and instances: until the first instances are ready.
    Stage,
    /// The migration of the data.
    Migrate,
    /// All shifts of requests, with what is judged between them.
    Shift,
    /// The commit: the last moment before it, and the first after it.
    Commit,
    /// The end of what was replaced.
    Retire,
    /// The way back.
    Revert,
}

/// A number of releases, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum KeepForm {
    /// How many committed revisions stay staged beside the live one and its anchor.
    Short(#[schemars(range(max = 1000))] u32),
    Long(Keep),
}

/// What stays of earlier releases.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Keep {
    /// How many stay staged beside the live one and its anchor.
    #[schemars(range(max = 1000), extend("default" = 3))]
    releases: Option<u32>,
    /// How many of them, the anchor first, stay running without requests.
    #[schemars(range(max = 1000), extend("default" = 0))]
    warm: Option<u32>,
}

/// People who must agree before a release enters.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Approval {
    /// How many different people.
    #[schemars(range(min = 1, max = 100), extend("default" = 1))]
    count: Option<u32>,
    /// Who may.
    from: OneOrMore<Approver>,
    /// Whether the author of the commit is excluded.
    #[schemars(extend("default" = true))]
    not_author: Option<bool>,
    /// How old an approval may be.
    #[schemars(extend("default" = "24h"))]
    max_age: Option<Time>,
}

/// key:NAME for a key under `keys`; team:NAME and user:NAME on a forge.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^(key|team|user):\S+$"))]
struct Approver(String);

/// A time in which nothing may enter.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Freeze {
    /// The first day or moment: 2026-12-20, 2026-12-20T18:00.
    from: Moment,
    /// The last day, included, or the moment of the end.
    to: Moment,
    /// An IANA time zone.
    #[schemars(extend("default" = "UTC"))]
    timezone: Option<String>,
    /// Why, shown to whoever is stopped.
    reason: Option<Text>,
}

/// A day or a moment, in the freeze's time zone.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$"))]
struct Moment(String);

/// A word, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum StrategyForm {
    Short(StrategyWord),
    Long(Strategy),
}

/// The strategies that need nothing said.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum StrategyWord {
    /// Instance by instance.
    Rolling,
    /// All of the new beside the old, then one flip.
    BlueGreen,
}

/// How a release takes over.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Strategy {
    /// Instance by instance, weight following the instances; the old stays warm until the end.
    Rolling {
        /// How many instances at a time.
        #[schemars(range(min = 1, max = 1000), extend("default" = 1))]
        batch: Option<u16>,
        /// How long each batch is watched.
        #[schemars(extend("default" = "0s"))]
        bake: Option<Time>,
    },
    /// All instances of the new beside the old, then one flip.
    BlueGreen {
        /// How long the new is watched before the old is stopped.
        #[schemars(extend("default" = "0s"))]
        bake: Option<Time>,
    },
    /// A rising share of requests, each step verified.
    Canary {
        /// The shares, rising, each above 0% and below 100%; 100% follows by itself.
        steps: OneOrMore<Share>,
        /// How long each step is watched.
        bake: Time,
    },
    /// The author's own list.
    Custom {
        /// The steps, in order; if the last of them leaves the old a share, 100% follows by itself.
        steps: OneOrMore<CustomStep>,
    },
}

/// One step of a list of one's own. It has a weight, a batch or a pause.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["weight"] }, { "required": ["batch"] }, { "required": ["pause"] }]))]
struct CustomStep {
    /// The share of requests that the new gets; it may not fall.
    weight: Option<Share>,
    /// How many instances more take the new; with several hosts, how many hosts more.
    #[schemars(range(min = 1, max = 1000))]
    batch: Option<u16>,
    /// Whether to wait until the shift is in effect and what it leaves has drained.
    #[schemars(extend("default" = true))]
    settle: Option<bool>,
    /// Whether the new is judged, where `verify` says how or the step bakes.
    #[schemars(extend("default" = true))]
    verify: Option<bool>,
    /// The least time that it is watched while it is judged.
    #[schemars(extend("default" = "0s"))]
    bake: Option<Time>,
    /// How long to wait at the end of the step, watching nothing.
    #[schemars(extend("default" = "0s"))]
    pause: Option<Time>,
}

/// The three clocks of a rollout.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Clocks {
    /// For one step.
    #[schemars(extend("default" = "5m"))]
    step: Option<Time>,
    /// Without any step having ended; waiting in a bake or a pause does not count.
    #[schemars(extend("default" = "10m"))]
    progress: Option<Time>,
    /// For everything.
    #[schemars(extend("default" = "2h"))]
    total: Option<Time>,
}
