//! What the `exec` driver and its command say to each other; `docs/exec-driver.md` is the page for who writes one.
//!
//! The command is called once a question, with the verb as its last argument. Standard input is one line of JSON, the
//! [`Request`]; after that of `append` follow the entries, one a line. Standard output is the answer:
//!
//! | verb | answer with exit code 0 |
//! |---|---|
//! | `capabilities` | [`Told`] |
//! | `observe` | [`Observed`] |
//! | `claim` | [`Lease`] |
//! | `release` | nothing |
//! | `apply` | [`Applied`] |
//! | `read` | the entries, one a line, byte for byte as they were given |
//! | `append` | [`Appended`] |
//!
//! Any other exit code goes with a [`Rejected`]: 6 for `fence` and `head`, 1 for `judged`, 3 for `fault`.

use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_domain::digest::Digest;
use windlass_domain::fence::{Epoch, Lease, Owner};
use windlass_domain::journal::{Entry, Head};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use crate::driver::Package;
use crate::host::control::{Appended, Applied, Rejected};

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// Everything that either side says, for the JSON Schema.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it describes what is said, and is never said itself")]
pub struct Protocol {
    /// The first line of standard input.
    request: Request,
    /// The answer to `capabilities`.
    capabilities: Told,
    /// The answer to `observe`.
    observed: Observed,
    /// The answer to `claim`.
    lease: Lease,
    /// The answer to `apply`.
    applied: Applied,
    /// The answer to `append`.
    appended: Appended,
    /// One line after the request of `append`, and one line of the answer to `read`.
    entry: Entry,
    /// The answer with an exit code other than 0.
    rejected: Rejected,
}

/// What the command is asked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// The version of the protocol: 1.
    pub protocol: u32,
    /// The application.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The verb and what belongs to it.
    #[serde(flatten)]
    pub verb: Verb,
}

/// A verb and what belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Verb {
    /// Say what you can do. Nothing changes.
    Capabilities,
    /// Say what is there. Nothing changes.
    Observe,
    /// Give the fence, renew it, or refuse.
    Claim {
        /// Who asks. The same `run` renews under its epoch while its lease is in force.
        owner: Owner,
        /// For how long, in milliseconds.
        ttl_ms: u64,
    },
    /// Take the fence back. One that is not held under this epoch stays as it is.
    Release {
        /// The epoch held.
        epoch: Epoch,
    },
    /// Make one step take effect, and answer when it is; the same step again changes nothing.
    Apply {
        /// The epoch held.
        epoch: Epoch,
        /// The step.
        #[serde(flatten)]
        step: Step,
        /// For `stage`: the files. Absent where the revision must be staged already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        package: Option<Files>,
    },
    /// Say the whole journal. Nothing changes.
    Read,
    /// Keep the lines that follow on standard input, all or none, if the journal's head is still `after`.
    Append {
        /// The epoch held.
        epoch: Epoch,
        /// The head that they follow.
        after: Head,
        /// The head afterwards.
        head: Head,
        /// How many lines follow.
        entries: usize,
    },
}

impl Verb {
    /// Its word, the command's last argument.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Observe => "observe",
            Self::Claim { .. } => "claim",
            Self::Release { .. } => "release",
            Self::Apply { .. } => "apply",
            Self::Read => "read",
            Self::Append { .. } => "append",
        }
    }
}

/// The files of a revision that is to be staged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Files {
    /// The artifact's digest. Windlass takes it again after the step: files that changed meanwhile are not released.
    pub artifact: Digest,
    /// The file or folder to copy, on the machine of the run; absent where the artifact is known by its digest alone.
    pub artifact_path: Option<PathBuf>,
    /// The digest of the configuration.
    pub config: Option<Digest>,
    /// The configuration's files and folders.
    pub config_paths: Vec<Configuration>,
}

/// One file or folder of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Its name beside the artifact.
    pub name: String,
    /// Where it lies on the machine of the run.
    pub path: PathBuf,
}

impl From<Package> for Files {
    fn from(package: Package) -> Self {
        let Package { artifact, artifact_path, config, config_paths, parameters: _ } = package;
        let config_paths =
            config_paths.into_iter().map(|(name, path)| Configuration { name, path }).collect();
        Self { artifact, artifact_path, config, config_paths }
    }
}

/// What a command says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// The version of the protocol that it speaks: 1.
    pub protocol: u32,
    /// Whether it can split requests by weight; otherwise everything goes to one revision.
    pub weights: bool,
}

/// What is seen on a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The weights in effect.
    pub weights: Weights,
    /// The revisions that are staged and whole, oldest first.
    pub revisions: Vec<ObservedRevision>,
    /// The address that serves the environment, as a URL.
    #[serde(default)]
    pub url: Option<String>,
    /// The lease in force.
    #[serde(default)]
    pub lease: Option<Lease>,
    /// The target's time.
    #[schemars(with = "String")]
    pub now: Timestamp,
}

/// A revision that is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedRevision {
    /// Its number.
    pub revision: Sequence,
    /// How many of its instances are ready; 0 where it only lies there.
    pub ready: u16,
}

/// The JSON Schema of [`Protocol`].
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Protocol>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_flat_line() {
        let shift = Step::shift(Weights::split(Sequence(2), 2500, Some(Sequence(1))));
        let request = Request {
            protocol: PROTOCOL,
            app: "shop".into(),
            environment: "live".into(),
            verb: Verb::Apply { epoch: Epoch(3), step: shift, package: None },
        };
        let line = serde_json::to_string(&request).expect("string keys");
        assert_eq!(
            line,
            r#"{"protocol":1,"app":"shop","environment":"live","verb":"apply","epoch":3,"step":"shift","weights":{"r1":7500,"r2":2500}}"#
        );
        let read: Request = serde_json::from_str(&line).expect("it reads back");
        assert!(matches!(read.verb, Verb::Apply { step: Step::Shift { .. }, .. }));
    }
}
