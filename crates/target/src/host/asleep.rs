//! A host whose agent does not run: what its files say. For looking only.

use std::fs;
use std::io;
use std::path::Path;

use windlass_domain::journal::{BrokenChain, Entry, History, read_chain};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;

use super::control::LEDGER;
use super::corrupted::Corrupted;
use crate::driver::{DriverError, Seen};
use crate::fenced::Unreplayable;

/// The history and the staged revisions of a root, from its files. A root that does not exist yet is empty.
///
/// # Errors
/// When the ledger is there and cannot be read or replayed.
pub fn asleep(root: &Path) -> Result<(History, Seen), DriverError> {
    let path = root.join(LEDGER);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(&path, error)),
    };
    let revisions = fs::read_dir(root.join("revisions"))
        .map(|folder| {
            folder.filter_map(|entry| entry.ok()?.file_name().to_str().map(str::to_owned)).collect::<Vec<_>>()
        })
        .unwrap_or_default();
    from_files(&bytes, revisions.iter().map(String::as_str), &path)
}

/// The same, from what lies in the ledger at `path` and the names that lie in the folder of revisions.
pub(crate) fn from_files<'a>(
    ledger: &[u8],
    revisions: impl Iterator<Item = &'a str>,
    path: &Path,
) -> Result<(History, Seen), DriverError> {
    let entries = read(ledger).map_err(|broken| unreadable(path, Corrupted::new(path, broken, false)))?;
    let history = History::replay(&entries).map_err(|error| unreadable(path, Unreplayable(error)))?;
    let mut revisions: Vec<(Sequence, u16)> =
        revisions.filter_map(|name| Some((name.parse().ok()?, 0))).collect();
    revisions.sort_unstable();
    let seen = Seen {
        weights: Weights::none(),
        revisions,
        url: None,
        lease: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        hosts: Vec::new(),
    };
    Ok((history, seen))
}

/// The entries of the ledger at `path`, as the agent that has it open says it.
pub(super) fn entries(bytes: &[u8], path: &Path) -> Result<Vec<Entry>, DriverError> {
    read(bytes).map_err(|broken| unreadable(path, Corrupted::new(path, broken, true)))
}

/// The entries of a journal's lines, verified. A torn last line was never acknowledged: the agent cuts it off when it
/// starts.
fn read(bytes: &[u8]) -> Result<Vec<Entry>, BrokenChain> {
    read_chain(bytes).map(|chain| chain.entries)
}

fn unreadable(place: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DriverError {
    DriverError::Unreachable {
        attempt: format!("cannot read the journal at {}", place.display()),
        source: source.into(),
    }
}
