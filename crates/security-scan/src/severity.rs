//! How bad a finding is, and what each output calls that.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

/// How bad a finding is. The order is from harmless to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing: an unmaintained package, a token whose checksum is wrong.
    Low,
    /// Should be looked at: an unsound package, an encrypted private key.
    Medium,
    /// Should not be released.
    High,
    /// Must not be released.
    Critical,
}

impl Severity {
    /// All of them, worst first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The word used in every output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// SARIF's level: critical and high are errors.
    pub(crate) const fn sarif_level(self) -> &'static str {
        match self {
            Self::Low => "note",
            Self::Medium => "warning",
            Self::High | Self::Critical => "error",
        }
    }

    /// The number by which GitHub sorts, within CVSS's bands: 9.0 and above is critical, 7.0 high, 4.0 medium.
    pub(crate) const fn security_severity(self) -> &'static str {
        match self {
            Self::Low => "2.0",
            Self::Medium => "5.5",
            Self::High => "8.0",
            Self::Critical => "9.5",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
