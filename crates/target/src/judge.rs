//! What a rollout leaves to the run itself: asked by the drive loop, answered by whoever measures and runs hooks.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use windlass_domain::journal::Way;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Plan, Rollout};

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

/// A hook whose time has come.
#[derive(Debug)]
pub struct Call<'a> {
    /// The rollout.
    pub plan: &'a Plan,
    /// The list that it stands in.
    pub way: Way,
    /// Its place there.
    pub index: usize,
    /// What it is called: `before shift`.
    pub name: &'a str,
    /// The program and its arguments.
    pub run: &'a [String],
    /// Variables beside the run's own.
    pub env: &'a BTreeMap<String, String>,
    /// The address that serves the environment, as a URL; empty where nothing serves it yet.
    pub url: String,
    /// How long it may take from now.
    pub limit: Duration,
    /// Becomes true when the run shall stop.
    pub stop: watch::Receiver<bool>,
}

/// Whoever does what a rollout leaves to the run itself: measuring, and the author's hooks.
#[async_trait]
pub trait Judge: Send + Sync {
    /// Answers within `until`.
    async fn judge(&self, question: Question<'_>) -> Judged;

    /// Runs a hook to its end.
    async fn hook(&self, call: Call<'_>) -> Judged {
        Judged::Unknown { why: format!("this run cannot execute hook `{}`", call.name) }
    }

    /// Is told that a step is done, before the next one begins.
    async fn reached(&self, _: &Rollout) {}
}
