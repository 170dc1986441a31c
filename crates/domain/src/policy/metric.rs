//! The one list of metrics and their units. `gate-check` has a condition for each, and the parser refuses all others.

use super::Quantity;

/// The unit that a metric's bound must be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain count: `0`.
    Number,
    /// A share of a whole: `80%`.
    Percent,
    /// A length of time: `10m`.
    Duration,
    /// A size: `10MB`.
    Bytes,
}

impl Unit {
    /// Its name, as [`Quantity::unit`] has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Percent => "percent",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
        }
    }

    /// What a value in it looks like, for people.
    #[must_use]
    pub const fn described(self) -> &'static str {
        match self {
            Self::Number => "a whole number such as `0`",
            Self::Percent => "a share such as `80%`",
            Self::Duration => "a time such as `10m`",
            Self::Bytes => "a size such as `10MB`",
        }
    }

    /// Whether `quantity` is in this unit.
    #[must_use]
    pub fn fits(self, quantity: &Quantity) -> bool {
        quantity.unit() == self.name()
    }
}

/// One metric: its name, its unit and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name under `gates`.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// A bound as it is commonly written.
    pub example: &'static str,
    /// What it measures, in a sentence.
    pub means: &'static str,
}

impl Metric {
    /// The metric called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.name == name)
    }
}

const fn metric(name: &'static str, unit: Unit, example: &'static str, means: &'static str) -> Metric {
    Metric { name, unit, example, means }
}

/// The metric that `deploy` judges again by the ledger, which alone knows what is live.
pub const PROVED: &str = "rollback.proved";

/// Every metric that a gate can bound, in the order of the documentation.
pub const METRICS: &[Metric] = &[
    metric(
        "tests.total",
        Unit::Number,
        ">= 1",
        "How many test cases the reports hold. Zero tests are never a pass.",
    ),
    metric("tests.failed", Unit::Number, "== 0", "How many test cases failed or ended in an error."),
    metric("tests.skipped", Unit::Number, "<= 5", "How many test cases were skipped."),
    metric(
        "tests.flaky",
        Unit::Number,
        "== 0",
        "How many test cases failed first and passed when tried again.",
    ),
    metric("tests.duration", Unit::Duration, "<= 10m", "How long all test cases took, added up."),
    metric("coverage.lines", Unit::Percent, ">= 80%", "The share of executable lines that a test ran."),
    metric("coverage.branches", Unit::Percent, ">= 70%", "The share of branches that a test took."),
    metric("coverage.functions", Unit::Percent, ">= 80%", "The share of functions that a test entered."),
    metric(
        "coverage.new_lines",
        Unit::Percent,
        ">= 80%",
        "The share of executable lines, among those changed since the merge base, that a test ran.",
    ),
    metric(
        "coverage.lowest_file",
        Unit::Percent,
        ">= 50%",
        "The share of lines that a test ran in the worst file.",
    ),
    metric("vulnerabilities.critical", Unit::Number, "== 0", "How many known vulnerabilities are critical."),
    metric("vulnerabilities.high", Unit::Number, "== 0", "How many known vulnerabilities are high."),
    metric("vulnerabilities.medium", Unit::Number, "<= 3", "How many known vulnerabilities are medium."),
    metric("vulnerabilities.low", Unit::Number, "<= 10", "How many known vulnerabilities are low."),
    metric("secrets", Unit::Number, "== 0", "How many secrets the scan found."),
    metric(
        "findings.error",
        Unit::Number,
        "== 0",
        "How many findings of level error the SARIF reports hold.",
    ),
    metric(
        "findings.warning",
        Unit::Number,
        "<= 10",
        "How many findings of level warning the SARIF reports hold.",
    ),
    metric(
        PROVED,
        Unit::Number,
        "== 1",
        "Whether the way back to what is live here was walked from exactly this artifact: 1 where it held, 0 where not.",
    ),
];
