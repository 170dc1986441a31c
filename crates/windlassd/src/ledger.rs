//! The ledger on disk: one file that only grows, synced before an append is answered.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windlass_domain::fence::Epoch;
use windlass_domain::journal::{Chain, Entry, Event, Head, read_chain};

use crate::root::{Root, named, read_json, write_json};

/// The ledger of one root.
#[derive(Debug)]
pub(crate) struct Ledger {
    root: Root,
    file: File,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its chain holds up to here.
    Sound { head: Head, length: u64, epoch: Epoch },
    /// It must not be written: a line is not what was written, or an append could not be undone.
    Damaged { head: Head, why: String },
}

/// Where the last append of several entries lies, written before it: all or none of them count.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Batch {
    from: u64,
    to: u64,
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) enum NotAppended {
    /// The journal has moved on.
    Moved(Head),
    /// The ledger is damaged or the disk refuses.
    Fault(String),
}

/// Takes the ledger's lock. Somebody who panicked while holding it may have left lines in the file that this does not
/// know of: written after them, an entry would not be their successor. So nothing is appended until an agent reads it anew.
pub(crate) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(|broke_off| {
        ledger.clear_poison();
        let mut ledger = broke_off.into_inner();
        let (head, root) = (ledger.head(), ledger.root.path().display());
        let why = format!(
            "a request broke off while it had the ledger, which must be read anew: `windlassd --root {root} --take-over`"
        );
        ledger.state = State::Damaged { head, why };
        ledger
    })
}

impl Ledger {
    /// Opens the ledger: cuts off a torn append, which nobody was told of, and verifies the rest. A corrupted line
    /// is no error here: the agent serves on, and every append says why it is refused.
    pub(crate) fn open(root: &Root, now: Timestamp) -> io::Result<Self> {
        let path = root.ledger();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| named(error, "cannot open the ledger", &path))?;
        let bytes = fs::read(&path).map_err(|error| named(error, "cannot read the ledger", &path))?;
        let mut ledger = Self {
            root: root.clone(),
            file,
            state: State::Sound { head: Head::EMPTY, length: 0, epoch: Epoch(0) },
        };
        let end = ledger.end_of_whole_appends(&bytes)?;
        if end < bytes.len() {
            let aside = root.path().join(format!("ledger.torn-{}", now.as_millisecond()));
            windlass_ci::file::write_whole(&aside, &bytes[end..])
                .map_err(|error| named(error, "cannot put the torn append aside at", &aside))?;
            ledger.cut(end as u64).map_err(|error| named(error, "cannot cut the torn append off", &path))?;
            tracing::warn!(bytes = bytes.len() - end, aside = %aside.display(), "cut a torn append off the ledger");
        }
        ledger.forget_batch()?;
        ledger.state = match read_chain(&bytes[..end]) {
            Ok(chain) => State::Sound {
                head: chain.head(),
                length: end as u64,
                epoch: chain.entries.iter().map(|entry| entry.epoch).max().unwrap_or_default(),
            },
            Err(broken) => {
                tracing::error!(line = broken.line, why = broken.why, "the ledger is corrupted");
                State::Damaged { head: sound_head(&bytes[..end], broken.line), why: broken.to_string() }
            }
        };
        Ok(ledger)
    }

    /// The end of the last line, or of the last append where that one had several lines and is not whole.
    fn end_of_whole_appends(&self, bytes: &[u8]) -> io::Result<usize> {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let Some(batch) = read_json::<Batch>(&self.root.batch())? else { return Ok(whole) };
        let (Ok(from), Ok(to)) = (usize::try_from(batch.from), usize::try_from(batch.to)) else {
            return Ok(whole);
        };
        let begins_a_line = from == 0 || bytes.get(from - 1) == Some(&b'\n');
        Ok(if from < whole && whole < to && begins_a_line { from } else { whole })
    }

    /// The place of its last entry; where a line is corrupted, of the last one before it.
    pub(crate) const fn head(&self) -> Head {
        match &self.state {
            State::Sound { head, .. } | State::Damaged { head, .. } => *head,
        }
    }

    /// The highest epoch in it, as far as it is known.
    pub(crate) const fn epoch(&self) -> Epoch {
        match &self.state {
            State::Sound { epoch, .. } => *epoch,
            // Nothing is appended before a human has mended it and the agent was started anew.
            State::Damaged { .. } => Epoch(0),
        }
    }

    /// Why nothing may be changed, where the ledger is damaged.
    pub(crate) fn damage(&self) -> Option<&str> {
        match &self.state {
            State::Sound { .. } => None,
            State::Damaged { why, .. } => Some(why),
        }
    }

    /// Its bytes, corrupted or not.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let path = self.root.ledger();
        fs::read(&path).map_err(|error| named(error, "cannot read the ledger", &path))
    }

    /// Appends events, all or none, if the head is still `after`. They are on the disk when this returns.
    pub(crate) fn append(
        &mut self,
        after: Head,
        events: Vec<Event>,
        epoch: Epoch,
        by: &str,
        now: Timestamp,
    ) -> Result<Head, NotAppended> {
        let (head, length) = match &self.state {
            State::Sound { head, length, .. } => (*head, *length),
            State::Damaged { why, .. } => return Err(NotAppended::Fault(why.clone())),
        };
        if head != after {
            return Err(NotAppended::Moved(head));
        }
        let several = events.len() > 1;
        let mut last = head;
        let mut lines = String::new();
        for event in events {
            let entry = Entry::seal(last, now, epoch, by.to_owned(), event);
            last = entry.head();
            lines.push_str(&entry.line());
        }
        let end = length + lines.len() as u64;
        let fault = |error: io::Error| NotAppended::Fault(format!("cannot append to the ledger: {error}"));
        if several {
            write_json(&self.root.batch(), &Batch { from: length, to: end }).map_err(fault)?;
        }
        if let Err(error) = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data()) {
            if let Err(undo) = self.cut(length).and_then(|()| self.forget_batch()) {
                let why =
                    format!("an append failed ({error}) and could not be undone ({undo}); restart the agent");
                self.state = State::Damaged { head, why };
            }
            return Err(fault(error));
        }
        self.state = State::Sound { head: last, length: end, epoch };
        Ok(last)
    }

    /// Removes the note of an append that did not come about: an entry that is later written in its place is another.
    fn forget_batch(&self) -> io::Result<()> {
        let path = self.root.batch();
        match fs::remove_file(&path) {
            Ok(()) => File::open(self.root.path()).and_then(|folder| folder.sync_all()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|error| named(error, "cannot remove", &path))
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()
    }
}

/// The place of the last entry before a corrupted line.
fn sound_head(bytes: &[u8], line: u64) -> Head {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let end = bytes.split_inclusive(|byte| *byte == b'\n').take(before).map(<[u8]>::len).sum();
    read_chain(&bytes[..end]).as_ref().map_or(Head::EMPTY, Chain::head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_panic_in_an_append_nothing_is_written_until_the_ledger_was_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let event = || vec![Event::Unhold { reason: None }];
        let append = |ledger: &Mutex<Ledger>| {
            let mut ledger = lock(ledger);
            let head = ledger.head();
            ledger.append(head, event(), Epoch(1), "ana", now)
        };
        let ledger = Mutex::new(Ledger::open(&root, now).unwrap());
        append(&ledger).unwrap();
        std::thread::scope(|scope| {
            let panics = || {
                let held = lock(&ledger);
                // A line that is whole in the file, and that nobody noted.
                let entry = Entry::seal(held.head(), now, Epoch(1), "ana".to_owned(), event().remove(0));
                (&held.file).write_all(entry.line().as_bytes()).unwrap();
                panic!("injected");
            };
            assert!(scope.spawn(panics).join().is_err());
        });
        for _ in 0..2 {
            let refused = append(&ledger).unwrap_err();
            assert!(
                matches!(&refused, NotAppended::Fault(why) if why.contains("--take-over")),
                "{refused:?}"
            );
        }
        assert!(lock(&ledger).damage().is_some());
        let anew = Mutex::new(Ledger::open(&root, now).unwrap());
        assert_eq!(append(&anew).unwrap().number, 3, "both lines are there");
    }
}
