//! The conditions that an environment puts on reports and scans.

use serde::{Deserialize, Serialize};

use super::Bound;

/// What an environment demands of reports and scans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Gates {
    /// `gates: none`: it says that it demands nothing.
    None,
    /// Every one of these must hold. Empty only where `needs` or `approval` stand in the file.
    Conditions(Vec<Condition>),
}

/// One metric and its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The metric, from the registry of `gate-check`: `tests.failed`, `coverage.new_lines`.
    pub metric: String,
    /// What its value must satisfy.
    pub bound: Bound,
    /// For `coverage.new_lines`: with fewer changed lines than this it is not applicable, and says so.
    pub min_lines: Option<u64>,
    /// Whether a miss is only advised of.
    pub advisory: bool,
    /// The line of `windlass.yml` that says so, from 1.
    pub line: usize,
}
