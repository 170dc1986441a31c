//! A release: everything that must come back when one rolls back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One artifact and configuration, by digest, with what it needs to run and to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The number of this release in its environment's ledger, from 1.
    pub sequence: Sequence,
    /// The application's name.
    pub app: String,
    /// The digest of the artifact.
    pub artifact: Digest,
    /// The digest of the configuration files staged with it; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Digest>,
    /// Names and versions of the secrets it was given, never their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretVersion>,
    /// The data schema it writes and those it can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// What the driver needs to run it again exactly so; for `host`, a
    /// [`HostTarget`](crate::policy::HostTarget) without the settings of the place itself.
    pub parameters: serde_json::Value,
    /// The git commit that it was built from, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Release {
    /// A release of nothing but an artifact: without configuration, secrets, schema, parameters and commit.
    #[must_use]
    pub fn bare(sequence: Sequence, app: impl Into<String>, artifact: Digest) -> Self {
        Self {
            sequence,
            app: app.into(),
            artifact,
            config: None,
            secrets: Vec::new(),
            schema: None,
            parameters: serde_json::Value::Null,
            commit: None,
        }
    }
}

/// The number of a release in one environment's ledger. It names the revision too: `r7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl std::str::FromStr for Sequence {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('r').unwrap_or(text).parse().map(Self)
    }
}

/// The name and version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretVersion {
    /// The name the release knows it by.
    pub name: String,
    /// Whatever its keeper calls this version; for a plain file, the digest of a keyed hash.
    pub version: String,
}

/// The data schema a release writes, and the range it can read (both ends included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Schema {
    /// The schema version it writes.
    pub writes: u64,
    /// The oldest schema version it can read.
    pub reads_from: u64,
    /// The newest schema version it can read.
    pub reads_to: u64,
}

impl Schema {
    /// Whether a release with this schema can read data last written under `version`.
    #[must_use]
    pub const fn reads(&self, version: u64) -> bool {
        self.reads_from <= version && version <= self.reads_to
    }
}
