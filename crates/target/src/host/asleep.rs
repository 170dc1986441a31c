//! A host whose agent does not run: what its files say. For looking only.

use std::fs;
use std::io;
use std::path::Path;

use windlass_domain::journal::{Entry, History};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;

use super::control::LEDGER;
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
    // A torn last line was never acknowledged; the agent cuts it off when it starts.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let history = History::replay(&entries(&bytes[..whole], &path)?)
        .map_err(|error| unreadable(&path, Unreplayable(error)))?;
    let mut revisions: Vec<(Sequence, u16)> = fs::read_dir(root.join("revisions"))
        .map(|folder| {
            folder.filter_map(|entry| Some((entry.ok()?.file_name().to_str()?.parse().ok()?, 0))).collect()
        })
        .unwrap_or_default();
    revisions.sort_unstable();
    let seen = Seen {
        weights: Weights::none(),
        revisions,
        url: None,
        lease: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    Ok((history, seen))
}

/// The entries of a journal's lines.
pub(super) fn entries(bytes: &[u8], place: &Path) -> Result<Vec<Entry>, DriverError> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(|error| unreadable(place, error)))
        .collect()
}

fn unreadable(place: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DriverError {
    DriverError::Unreachable {
        attempt: format!("cannot read the journal at {}", place.display()),
        source: source.into(),
    }
}
