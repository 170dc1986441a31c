//! The one JSON document that a tool ends with.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_domain::digest::Digest;
use windlass_domain::outcome::{Outcome, Reason};

/// What every tool's document has in common, with the tool's own part beside it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Document<T> {
    /// The tool's name.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Its exit code.
    pub code: u8,
    /// The environment, where there is one.
    pub environment: Option<String>,
    /// The artifact, where there is one.
    pub artifact: Option<Digest>,
    /// When it started.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Why it ended so.
    pub reasons: Vec<Reason>,
    /// The tool's own part.
    #[serde(flatten)]
    pub own: T,
}
