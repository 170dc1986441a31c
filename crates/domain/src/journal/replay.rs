//! Replay: what an environment is, from its journal alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::entry::{Entry, Event, Head};
use crate::release::{Release, Sequence};
use crate::rollout::{End, Phase, Rollout};

/// What a journal says of its environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// The journal's last entry.
    pub head: Head,
    /// Every release that was ever opened here.
    pub releases: BTreeMap<Sequence, Release>,
    /// Every commit, oldest first; the last one is live.
    pub commits: Vec<Commit>,
    /// The hold in force, if any; it may have ended by itself.
    pub hold: Option<Hold>,
    /// Every rollout, oldest first; the last may still be open.
    pub rollouts: Vec<Rollout>,
}

/// A release became live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// The revision.
    pub revision: Sequence,
    /// What was live before.
    pub before: Option<Sequence>,
    /// When.
    pub at: Timestamp,
    /// The number of the entry.
    pub entry: u64,
}

/// Nothing may be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Who set it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A journal that cannot be replayed: it is not one of ours, or was altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReplayable {
    /// The entry.
    pub number: u64,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for NotReplayable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {} of the journal cannot follow: {}", self.number, self.why)
    }
}

impl std::error::Error for NotReplayable {}

impl Default for History {
    fn default() -> Self {
        Self {
            head: Head::EMPTY,
            releases: BTreeMap::new(),
            commits: Vec::new(),
            hold: None,
            rollouts: Vec::new(),
        }
    }
}

impl History {
    /// Replays a journal, oldest entry first. Its chain has been verified by whoever read it.
    ///
    /// # Errors
    /// When an entry cannot follow.
    pub fn replay(entries: &[Entry]) -> Result<Self, NotReplayable> {
        let mut history = Self::default();
        for entry in entries {
            history.take(entry)?;
        }
        Ok(history)
    }

    /// Takes one more entry.
    ///
    /// # Errors
    /// When it cannot follow.
    pub fn take(&mut self, entry: &Entry) -> Result<(), NotReplayable> {
        let head = Head { number: entry.number, hash: entry.hash };
        self.record(&entry.event, entry.at, &entry.by, head)
    }

    /// Takes an event that was just appended, when its entry has not been read back.
    ///
    /// # Errors
    /// When it cannot follow.
    pub fn record(
        &mut self,
        event: &Event,
        at: Timestamp,
        by: &str,
        head: Head,
    ) -> Result<(), NotReplayable> {
        let refuse = |why: String| NotReplayable { number: head.number, why };
        match event {
            Event::Opened { plan } => {
                if self.open().is_some() {
                    return Err(refuse("a rollout is open already".into()));
                }
                self.releases.insert(plan.release.sequence, plan.release.clone());
                self.rollouts.push(Rollout::open((**plan).clone(), at, by.to_owned()));
            }
            Event::Hold { reason, until } => {
                self.hold =
                    Some(Hold { reason: reason.clone(), by: by.to_owned(), since: at, until: *until });
            }
            Event::Unhold { .. } => self.hold = None,
            Event::Resumed
            | Event::Started { .. }
            | Event::Done { .. }
            | Event::Failed { .. }
            | Event::Reverting { .. }
            | Event::Committed { .. }
            | Event::Closed
            | Event::Reverted { .. }
            | Event::Stuck { .. } => {
                if self.open().is_none() {
                    return Err(refuse("no rollout is open".into()));
                }
                let rollout = self.rollouts.last_mut().expect("one is open");
                rollout.take(event, at).map_err(refuse)?;
                if let Event::Committed { revision } = event {
                    let before = self.live().map(|commit| commit.revision);
                    self.commits.push(Commit { revision: *revision, before, at, entry: head.number });
                }
            }
        }
        self.head = head;
        Ok(())
    }

    /// The rollout that is open, if any.
    #[must_use]
    pub fn open(&self) -> Option<&Rollout> {
        self.rollouts.last().filter(|rollout| !matches!(rollout.phase, Phase::Over(_)))
    }

    /// What is live, if anything.
    #[must_use]
    pub fn live(&self) -> Option<&Commit> {
        self.commits.last()
    }

    /// The release that is live, if any.
    #[must_use]
    pub fn live_release(&self) -> Option<&Release> {
        self.live().and_then(|commit| self.releases.get(&commit.revision))
    }

    /// The number of the next release.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        Sequence(self.releases.keys().last().map_or(0, |last| last.0) + 1)
    }

    /// The hold in force at this time, if any.
    #[must_use]
    pub fn held(&self, now: Timestamp) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| hold.until.is_none_or(|until| until > now))
    }

    /// Whether the last rollout ended stuck and nothing was committed since: what serves may not be what is live by
    /// the ledger.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.rollouts.last().is_some_and(|rollout| matches!(rollout.phase, Phase::Over(End::Stuck { .. })))
    }

    /// Where `rollback` goes when it is not told: to what was live before the live release first was. A rollback
    /// commits an old release again, so that a second one goes further back instead of forth.
    #[must_use]
    pub fn before_live(&self) -> Option<Sequence> {
        let live = self.live()?.revision;
        self.commits.iter().find(|commit| commit.revision == live)?.before
    }

    /// The newest data schema that anything live has ever written: what is read must be able to read it.
    #[must_use]
    pub fn schema_written(&self) -> Option<u64> {
        self.commits
            .iter()
            .filter_map(|commit| self.releases.get(&commit.revision)?.schema.map(|schema| schema.writes))
            .max()
    }

    /// The release that has migrated the data for good since `revision` was last live, if one has: the way back to it is
    /// closed, whatever the schemas say.
    #[must_use]
    pub fn migrated_past(&self, revision: Sequence) -> Option<Sequence> {
        let was_made_live =
            |rollout: &Rollout| rollout.is_committed() && rollout.plan.release.sequence == revision;
        let made_live = self.rollouts.iter().rposition(was_made_live)?;
        let later = self.rollouts[made_live + 1..].iter().rev();
        later.filter(|rollout| rollout.has_crossed()).map(|rollout| rollout.plan.release.sequence).next()
    }

    /// The revisions whose files stay when `live` becomes live: it, what it replaces, and the last `keep` others
    /// that were committed.
    #[must_use]
    pub fn keep(&self, live: Sequence, keep: u32) -> Vec<Sequence> {
        let mut kept = vec![live];
        let before = self.live().map(|commit| commit.revision);
        let others = self.commits.iter().rev().map(|commit| commit.revision);
        let limit = usize::try_from(keep).unwrap_or(usize::MAX).saturating_add(1);
        for revision in before.into_iter().chain(others) {
            if kept.len() > limit && Some(revision) != before {
                break;
            }
            if !kept.contains(&revision) {
                kept.push(revision);
            }
        }
        kept.sort_unstable();
        kept
    }

    /// The revisions whose instances stay beside those of `live` when it becomes live: what it replaces first, then
    /// what was live before that, `count` at most.
    #[must_use]
    pub fn warm(&self, live: Sequence, count: u32) -> Vec<Sequence> {
        let mut warm = Vec::new();
        for commit in self.commits.iter().rev() {
            if warm.len() >= usize::try_from(count).unwrap_or(usize::MAX) {
                break;
            }
            if commit.revision != live && !warm.contains(&commit.revision) {
                warm.push(commit.revision);
            }
        }
        warm
    }
}
