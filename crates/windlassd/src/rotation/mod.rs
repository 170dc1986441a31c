//! Rotating logs: those that the agent writes itself, and those that instances hold open.

mod aside;
mod head;
mod own;

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use self::aside::place;
pub(crate) use self::head::{Turned, settle, turn};
pub(crate) use self::own::Own;

/// When a log is put aside, and how many of those are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// At so many bytes.
    pub(crate) size: u64,
    /// At so old a beginning.
    pub(crate) age: Duration,
    /// So many stay beside the one in use.
    pub(crate) keep: u16,
}

impl Rule {
    /// Whether a log is due. It began when the last one was put aside, or when its file was made.
    fn is_due(&self, log: &Path, metadata: &fs::Metadata, now: Timestamp) -> bool {
        metadata.len() >= self.size || self.keep > 0 && self.is_old(log, metadata, now)
    }

    fn is_old(&self, log: &Path, metadata: &fs::Metadata, now: Timestamp) -> bool {
        let began = aside::newest(log).or_else(|| metadata.created().ok());
        let began = began.and_then(|began| Timestamp::try_from(began).ok());
        began.is_some_and(|began| now.duration_since(began).unsigned_abs() >= self.age && now > began)
    }
}

/// Whether there is nothing there, which is no error.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
