//! How a condition ends, and what the conditions together come to.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_domain::outcome::Outcome;

/// How a condition ends. Only passed, waived, not applicable and left to deploy let a release on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It does not hold, and the policy only asks to be told.
    Advisory,
    /// There is nothing to judge it by.
    Missing,
    /// What it would be judged by cannot be read or does not count.
    Error,
    /// It waits for a time or a person.
    Pending,
    /// A waiver stands in for it.
    Waived,
    /// It is proved that there is nothing to judge.
    NotApplicable,
    /// `deploy` judges it, and lets nothing in without: this tool has no network to ask by.
    LeftToDeploy,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 9] = [
        Self::Passed,
        Self::Failed,
        Self::Advisory,
        Self::Missing,
        Self::Error,
        Self::Pending,
        Self::Waived,
        Self::NotApplicable,
        Self::LeftToDeploy,
    ];

    /// The word in documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Advisory => "advisory",
            Self::Missing => "missing",
            Self::Error => "error",
            Self::Pending => "pending",
            Self::Waived => "waived",
            Self::NotApplicable => "not applicable",
            Self::LeftToDeploy => "left to deploy",
        }
    }

    /// The mark before it.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Passed | Self::Waived => "✓",
            Self::NotApplicable => "–",
            Self::LeftToDeploy => "→",
            Self::Advisory => "!",
            Self::Pending => "…",
            Self::Failed | Self::Missing => "✗",
            Self::Error => "?",
        }
    }

    /// What a condition that ends so comes to by itself. An advisory miss stops nothing by the policy's own word.
    const fn weight(self) -> Outcome {
        match self {
            Self::Passed | Self::Waived | Self::NotApplicable | Self::Advisory | Self::LeftToDeploy => {
                Outcome::Passed
            }
            Self::Pending => Outcome::Held,
            Self::Error => Outcome::Unknown,
            Self::Failed | Self::Missing => Outcome::Failed,
        }
    }
}

/// What the conditions together come to: a failure before an error, an error before waiting. Of no condition at all,
/// nothing is known.
#[must_use]
pub fn together(statuses: impl IntoIterator<Item = Status>) -> Outcome {
    let weights: Vec<Outcome> = statuses.into_iter().map(Status::weight).collect();
    if weights.is_empty() {
        return Outcome::Unknown;
    }
    [Outcome::Failed, Outcome::Unknown, Outcome::Held]
        .into_iter()
        .find(|outcome| weights.contains(outcome))
        .unwrap_or(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_statuses_let_a_release_on() {
        use Status::{
            Advisory, Error, Failed, LeftToDeploy, Missing, NotApplicable, Passed, Pending, Waived,
        };
        let cases: [(&[Status], Outcome); 13] = [
            (&[], Outcome::Unknown),
            (&[Passed], Outcome::Passed),
            (&[Waived, NotApplicable], Outcome::Passed),
            (&[Passed, Advisory], Outcome::Passed),
            (&[Passed, Failed], Outcome::Failed),
            (&[Passed, Missing], Outcome::Failed),
            (&[Passed, Error], Outcome::Unknown),
            (&[Error, Failed], Outcome::Failed),
            (&[Pending, Passed], Outcome::Held),
            (&[Pending, Error], Outcome::Unknown),
            (&[Pending, Missing], Outcome::Failed),
            (&[LeftToDeploy, Passed], Outcome::Passed),
            (&[LeftToDeploy, Failed], Outcome::Failed),
        ];
        for (statuses, outcome) in cases {
            assert_eq!(together(statuses.iter().copied()), outcome, "{statuses:?}");
        }
    }
}
