//! An environment in the schema.

use schemars::JsonSchema;

use super::form::{OneOrMore, Share, Text, Time};
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
    /// How many committed revisions stay staged beside the live one and its anchor.
    #[schemars(range(max = 1000), extend("default" = 3))]
    keep: Option<u32>,
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
