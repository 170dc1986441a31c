//! What is counted of connections and of requests that no revision saw.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of all workers together: a connection is rare beside its requests.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// Connections that are open.
    open: AtomicU64,
    accepted: AtomicU64,
    excess: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    handshakes: AtomicU64,
    not_reloaded: AtomicU64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DoorSum {
    /// Connections that are open now.
    pub(crate) open: u64,
    /// Connections that were accepted.
    pub(crate) accepted: u64,
    /// Of these, those that were turned away because there were too many.
    pub(crate) excess: u64,
    /// Requests that were refused because of what they were.
    pub(crate) refused: u64,
    /// Connections that were ended because the client sent or took nothing for too long.
    pub(crate) expired: u64,
    /// TLS handshakes that failed.
    pub(crate) handshakes: u64,
    /// Times that a file of the place's had changed and could not be used.
    pub(crate) not_reloaded: u64,
}

impl Door {
    /// A connection comes in; whether there is room for it.
    pub(super) fn enter(&self, most: u64) -> bool {
        self.accepted.fetch_add(1, Relaxed);
        let is_room = self.open.fetch_add(1, Relaxed) < most;
        if !is_room {
            self.excess.fetch_add(1, Relaxed);
        }
        is_room
    }

    pub(super) fn leave(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    pub(super) fn not_greeted(&self) {
        self.handshakes.fetch_add(1, Relaxed);
    }

    pub(super) fn not_reloaded(&self) {
        self.not_reloaded.fetch_add(1, Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn sum(&self) -> DoorSum {
        DoorSum {
            open: self.open.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            excess: self.excess.load(Relaxed),
            refused: self.refused.load(Relaxed),
            expired: self.expired.load(Relaxed),
            handshakes: self.handshakes.load(Relaxed),
            not_reloaded: self.not_reloaded.load(Relaxed),
        }
    }
}
