//! The tool's own part of the JSON document.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_domain::digest::Digest;

use crate::report::Format;
use crate::report::model::{Offender, Share};
use crate::status::Status;

/// `gate-check`'s own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Own {
    /// The conditions, in the order of the policy.
    pub conditions: Vec<ConditionResult>,
    /// The reports that were read.
    pub reports: Vec<ReportResult>,
}

/// One condition and how it ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConditionResult {
    /// The metric, `needs`, `soak`, `approval` or `freeze`.
    pub metric: String,
    /// What was required, as in the policy: `>= 80%`.
    pub bound: String,
    /// What was seen; absent where nothing could be.
    pub observed: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Why, where it did not pass.
    pub why: Option<String>,
    /// What it was judged by.
    pub evidence: Option<Evidence>,
    /// The worst of what stands against it.
    pub offenders: Vec<Offender>,
}

/// A file, or a line of the evidence file, and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The file, and where it is one of several statements, its line: `….jsonl:3`.
    pub file: String,
    /// The sha256 of the file, or of the line.
    pub digest: Digest,
}

/// A report and what it says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReportResult {
    /// The file.
    pub file: String,
    /// Its sha256; absent where it could not be read.
    pub digest: Option<Digest>,
    /// Its form; absent where it could not be read.
    pub format: Option<Format>,
    /// Why it could not be read.
    pub trouble: Option<String>,
    /// What it says of tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestCounts>,
    /// What it says of coverage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CoverageCounts>,
    /// What it says of findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingCounts>,
    /// The first of what it finds wrong.
    pub offenders: Vec<Offender>,
}

/// Counted test cases.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct TestCounts {
    /// All of them.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that did not run.
    pub skipped: u64,
    /// Those that passed only when tried again.
    pub flaky: u64,
    /// Their time, added up.
    pub duration_ms: u64,
    /// Those that ran and do not say how long.
    pub untimed: u64,
}

/// Counted coverage.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct CoverageCounts {
    /// Files named.
    pub files: u64,
    /// Executable lines.
    pub lines: Share,
    /// Branches.
    pub branches: Share,
    /// Functions.
    pub functions: Share,
}

/// Counted findings.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct FindingCounts {
    /// Of level error.
    pub error: u64,
    /// Of level warning.
    pub warning: u64,
    /// Of level note.
    pub note: u64,
    /// Suppressed by the report itself.
    pub suppressed: u64,
}
