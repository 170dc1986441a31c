//! Judging the new revision while it serves: asked by the drive loop, answered by whoever measures.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Plan;

/// What is asked.
#[derive(Debug)]
pub struct Question<'a> {
    /// The rollout.
    pub plan: &'a Plan,
    /// The revision that is judged.
    pub revision: Sequence,
    /// Its weight while it is judged, in hundredths of a percent.
    pub weight: u16,
    /// The least time that it is watched.
    pub bake: Span,
    /// When the answer must be there.
    pub until: Timestamp,
    /// Becomes true when the run shall stop.
    pub stop: watch::Receiver<bool>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The revision holds.
    Passed {
        /// What was seen, for people.
        note: String,
    },
    /// It does not.
    Failed {
        /// Why.
        why: String,
    },
    /// There was no verdict in time, and the policy says to wait for someone.
    Held {
        /// Why.
        why: String,
    },
    /// It could not be measured; a later run may.
    Unknown {
        /// Why.
        why: String,
    },
    /// The run was told to stop.
    Stopped,
}

/// Whoever measures.
#[async_trait]
pub trait Judge: Send + Sync {
    /// Answers within `until`.
    async fn judge(&self, question: Question<'_>) -> Judged;
}
