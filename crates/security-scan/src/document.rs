//! The tool's own part of the JSON document.

use schemars::JsonSchema;
use serde::Serialize;

use crate::finding::Finding;

/// What `security-scan` adds to the document of every tool.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Own {
    /// What was found, worst first; waived ones last.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub scanned: Scanned,
}

/// What was looked at.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Scanned {
    /// Files read for secrets.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Files that were not read for secrets because they are binary.
    pub binaries: u64,
    /// Packages looked up.
    pub packages: u64,
    /// The databases they were looked up in.
    pub databases: Vec<DatabaseAge>,
}

/// A database and how old it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DatabaseAge {
    /// Its name: `rustsec`.
    pub name: String,
    /// The age of its newest advisory, in milliseconds.
    pub age_ms: u64,
}
