//! `windlass.yml` as types: what each environment demands, where it runs and how a release enters it.
//!
//! [`Policy::parse`] is the only way in. It reports every mistake at once, each with its place.

mod approval;
mod bound;
mod decode;
mod environment;
mod gates;
mod hook;
mod metric;
mod notify;
mod problem;
mod schema;
mod strategy;
mod target;
mod topics;
mod units;
mod verify;
mod yaml;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::approval::{Approval, Freeze};
pub use self::bound::{Bound, Comparison, Quantity};
pub use self::decode::{SHAPES, Shape};
pub use self::environment::{Clocks, Environment, EvidenceDemand, Keep, OnForge};
pub use self::gates::{Condition, Gates};
pub use self::hook::{Hook, HookPhase, Migrate, When};
pub use self::metric::{METRICS, Metric, PROVED, Unit};
pub use self::notify::{Email, Login, MailTls, Notify, Receiver, Template, Variable, Webhook};
pub use self::problem::Problem;
pub use self::schema::json_schema;
pub use self::strategy::{CustomStep, Strategy};
pub use self::target::{
    ExecTarget, HostTarget, KubernetesTarget, Limits, Logs, Ready, Sticky, Target, TargetKind, Testers, Tls,
};
pub use self::topics::TOPICS;
pub use self::units::{Cores, Percent, Ratio, Size, Span};
pub use self::verify::{
    ErrorCheck, Expect, LatencyCheck, NoData, OnInconclusive, Probe, ProbeKind, Verify, WarmUp,
};
use crate::digest::Digest;
use crate::release::Schema;

/// A whole `windlass.yml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The name of the application: letters, digits and dashes.
    pub app: String,
    /// What is released.
    pub release: ReleasePolicy,
    /// The public keys whose signatures count, by name; empty where every environment accepts unsigned evidence.
    pub keys: BTreeMap<String, KeyPolicy>,
    /// The environments, in the order of the file.
    pub environments: Vec<Environment>,
    /// Who is told of a release's way.
    #[serde(default)]
    pub notify: Vec<Notify>,
    /// The sha256 of the file's bytes: evidence given under another policy does not count.
    pub digest: Digest,
}

impl Policy {
    /// Reads a `windlass.yml`.
    ///
    /// # Errors
    /// Every mistake in it, in the order of their places; never an empty list.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        decode::policy(text)
    }

    /// The environment called `name`.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|environment| environment.name == name)
    }
}

/// What is released, and how it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleasePolicy {
    /// A file, a folder, or an image by digest; relative to `windlass.yml`.
    pub artifact: Option<String>,
    /// Files and folders of configuration, staged and restored with the artifact; relative to `windlass.yml`.
    pub config: Vec<String>,
    /// The data schema that it writes and the range that it reads.
    pub schema: Option<Schema>,
    /// How it brings the data to that schema.
    pub migrate: Option<Migrate>,
}

/// A public key and what its signature may vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPolicy {
    /// A PEM file with the public key, relative to `windlass.yml`, or the PEM itself.
    pub public: String,
    /// The kinds of evidence it may sign.
    pub signs: Vec<EvidenceKind>,
    /// The e-mail address of the person who holds it, compared with the commit's author for `not_author`.
    pub owner: Option<String>,
}

/// The kinds of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// Test results.
    Tests,
    /// Scans: dependencies, secrets.
    Scan,
    /// The verdict of the gate of an environment.
    Gate,
    /// A deploy that was committed, or refused.
    Deploy,
    /// A health verdict.
    Health,
    /// A rollback.
    Rollback,
    /// An approval by a person.
    Approval,
}
