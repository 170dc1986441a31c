//! The tool's own part of the JSON document.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_domain::outcome::Reason;
use windlass_domain::verdict::{MetricVerdict, Verdict};

/// `health-verify`'s own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Own {
    /// What the evidence says; absent when nothing could be judged.
    pub verdict: Option<Verdict>,
    /// The hard gates that fell.
    pub hard: Vec<Reason>,
    /// What each metric said.
    pub metrics: Vec<MetricVerdict>,
    /// About how many more requests to the new revision would have decided.
    pub more_requests_needed: Option<u64>,
    /// The revision that was judged: `r7`; absent for a service alone.
    pub revision: Option<String>,
    /// The revision that it was compared with.
    pub compared_with: Option<String>,
    /// How long it was watched.
    pub watched_ms: u64,
}
