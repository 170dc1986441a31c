//! What people and systems around a release are told of its way, whoever tells them and by what medium.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::outcome::Outcome;
use crate::release::{Release, Sequence};

/// The moments that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// A rollout begins: from now on something changes.
    Started,
    /// Nothing was begun: somebody must agree first, or the environment is frozen or on hold.
    Waiting,
    /// The release is live.
    Live,
    /// The environment is as it was before: a deploy was refused by its checks, or a rollback is done.
    RolledBack,
    /// A rollback did not go back: what was live still is.
    Failed,
    /// A rollout stays where it is until somebody decides.
    Held,
    /// The environment could not be put right: a human is needed.
    Stuck,
    /// The run ended and left a rollout open: the next run goes on with it.
    Open,
}

impl Moment {
    /// Every moment, in the order in which they may come.
    pub const ALL: [Self; 8] = [
        Self::Started,
        Self::Waiting,
        Self::Live,
        Self::RolledBack,
        Self::Failed,
        Self::Held,
        Self::Stuck,
        Self::Open,
    ];

    /// The word in policies and documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Stuck => "stuck",
            Self::Open => "open",
        }
    }

    /// The moment at which a run ended that had a rollout in its hands; nothing where it moved nothing.
    #[must_use]
    pub const fn at_the_end(intent: Direction, outcome: Outcome) -> Option<Self> {
        match (outcome, intent) {
            (Outcome::Passed, Direction::Forward) => Some(Self::Live),
            (Outcome::Passed, Direction::Back) | (Outcome::Failed, Direction::Forward) => {
                Some(Self::RolledBack)
            }
            (Outcome::Failed, Direction::Back) => Some(Self::Failed),
            (Outcome::Held, _) => Some(Self::Held),
            (Outcome::Stuck, _) => Some(Self::Stuck),
            (Outcome::Unknown, _) => Some(Self::Open),
            (Outcome::Invalid | Outcome::Refused, _) => None,
        }
    }
}

/// Which way the run was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A release was to become live: `deploy`.
    Forward,
    /// An earlier release was to become live again: `rollback`.
    Back,
}

/// One moment of a release's way. Every text may come from outside: who tells it escapes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Announcement {
    /// Which moment.
    pub moment: Moment,
    /// Which way the run goes.
    pub direction: Direction,
    /// The application, as `windlass.yml` names it.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// What happened, in one sentence.
    pub what: String,
    /// Why, where it is not simply so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do next: a command to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The artifact that this is about.
    pub artifact: Option<Digest>,
    /// The commit that this is about, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The release that is to become live, or is; with [`Direction::Back`] the earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// The revision that was live before, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Sequence>,
    /// The plan that is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// Who runs it: an actor, or user and host.
    pub by: String,
    /// The page of the run that moved it, where a CI system shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_written_as_its_word() {
        for moment in Moment::ALL {
            assert_eq!(serde_json::to_value(moment).unwrap(), moment.word());
        }
    }

    #[test]
    fn a_refused_deploy_and_a_rollback_that_passed_both_put_the_old_back() {
        assert_eq!(Moment::at_the_end(Direction::Forward, Outcome::Failed), Some(Moment::RolledBack));
        assert_eq!(Moment::at_the_end(Direction::Back, Outcome::Passed), Some(Moment::RolledBack));
        assert_eq!(Moment::at_the_end(Direction::Back, Outcome::Failed), Some(Moment::Failed));
    }

    #[test]
    fn a_run_that_moved_nothing_has_no_moment_at_its_end() {
        for direction in [Direction::Forward, Direction::Back] {
            assert_eq!(Moment::at_the_end(direction, Outcome::Invalid), None);
            assert_eq!(Moment::at_the_end(direction, Outcome::Refused), None);
        }
    }
}
