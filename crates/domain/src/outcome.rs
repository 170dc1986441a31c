//! How a tool ends: one enum for all of them, and the exit code each value stands for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a tool ended. "Judged no" ([`Failed`](Self::Failed)) is never mixed with "could not judge"
/// ([`Unknown`](Self::Unknown)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Yes: the gate holds, the scan is clean, the release is live, the service is healthy.
    Passed,
    /// Judged no; for `deploy`: the release was refused by its checks and the environment was put back.
    Failed,
    /// Usage or `windlass.yml` is wrong; nothing was touched.
    Invalid,
    /// Could not judge: a provider, the network or the evidence could not be read.
    Unknown,
    /// Waits for someone: approval missing, verdict inconclusive, environment on hold.
    Held,
    /// Could not put the environment back; a human is needed.
    Stuck,
    /// Superseded by a newer release, or another run holds the environment.
    Refused,
}

impl Outcome {
    /// Every outcome, in the order of its exit code.
    pub const ALL: [Self; 7] =
        [Self::Passed, Self::Failed, Self::Invalid, Self::Unknown, Self::Held, Self::Stuck, Self::Refused];

    /// The process exit code, 0 to 6.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::Unknown => 3,
            Self::Held => 4,
            Self::Stuck => 5,
            Self::Refused => 6,
        }
    }

    /// The word used in documents, summaries and messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Stuck => "stuck",
            Self::Refused => "refused",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Why an outcome is what it is: one line of explanation that a reader can act on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The condition, step or check, by its name: `coverage.lines`, `shift`, `artifact`.
    pub what: String,
    /// What was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub observed: String,
    /// What would have been accepted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub required: String,
    /// Where the evidence lies: a file, a line, a URL, a ledger entry.
    #[serde(default, rename = "where", skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Why that is so, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

impl Reason {
    /// A reason about `what` with nothing else said yet.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    /// Sets what was seen.
    #[must_use]
    pub fn observed(mut self, text: impl Into<String>) -> Self {
        self.observed = text.into();
        self
    }

    /// Sets what would have been accepted.
    #[must_use]
    pub fn required(mut self, text: impl Into<String>) -> Self {
        self.required = text.into();
        self
    }

    /// Sets where the evidence lies.
    #[must_use]
    pub fn place(mut self, text: impl Into<String>) -> Self {
        self.place = text.into();
        self
    }

    /// Sets why that is so.
    #[must_use]
    pub fn why(mut self, text: impl Into<String>) -> Self {
        self.why = text.into();
        self
    }

    /// Sets what to do next.
    #[must_use]
    pub fn next(mut self, text: impl Into<String>) -> Self {
        self.next = text.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_contract() {
        let codes: Vec<u8> = Outcome::ALL.iter().map(|outcome| outcome.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
    }
}
