//! Who has the reins: while they are held, no process is started and no file is written, and everything else goes on.
//! One agent holds them until it has everything; the one before holds them while it hands over, and lets them go.

use std::sync::Arc;

use tokio::sync::{MutexGuard, watch};
use windlass_domain::release::Sequence;

use super::fleet::Fleet;
use crate::route::Tally;

/// The reins of one fleet.
#[derive(Debug)]
pub(crate) struct Reins {
    held: watch::Sender<Hold>,
    /// Held by whoever works on the files of instances beside their minds.
    files: tokio::sync::Mutex<()>,
}

/// How they are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// This agent acts.
    Free,
    /// Nobody acts for the moment.
    Held,
    /// Another agent acts.
    Gone,
}

impl Reins {
    pub(super) fn held() -> Self {
        Self { held: watch::Sender::new(Hold::Held), files: tokio::sync::Mutex::default() }
    }

    pub(super) fn are_free(&self) -> bool {
        *self.held.borrow() == Hold::Free
    }

    pub(super) fn are_gone(&self) -> bool {
        *self.held.borrow() == Hold::Gone
    }

    /// Waits until this agent acts.
    pub(super) async fn free(&self) {
        if self.held.subscribe().wait_for(|held| *held == Hold::Free).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this agent acts, and keeps the files of instances until the guard is dropped.
    pub(super) async fn files(&self) -> MutexGuard<'_, ()> {
        loop {
            self.free().await;
            let guard = self.files.lock().await;
            if self.are_free() {
                return guard;
            }
        }
    }
}

impl Fleet {
    /// Holds the reins, or lets them go. When this returns, what was under way with files is done.
    pub(crate) async fn rein(&self, hold: Hold) {
        self.reins.held.send_replace(hold);
        drop(self.reins.files.lock().await);
        // What changed while nothing was written.
        self.keep(&self.lock());
    }

    /// The last name that was given to a start of an instance.
    pub(crate) fn upstreams(&self) -> u64 {
        self.lock().upstreams
    }

    /// Where each revision is counted.
    pub(crate) fn tallies(&self) -> Vec<(Sequence, Arc<Tally>)> {
        self.lock().revisions.iter().map(|(revision, of)| (*revision, Arc::clone(&of.tally))).collect()
    }

    /// The longest time that any revision gives requests to end.
    pub(crate) fn longest_drain(&self) -> std::time::Duration {
        let inner = self.lock();
        inner.revisions.values().map(|of| of.manifest.launch.drain.get()).max().unwrap_or_default()
    }
}
