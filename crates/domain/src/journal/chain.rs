//! The chain: how an entry is sealed, how it is written as a line, and how a ledger's bytes are read back.
//!
//! A line is the entry's JSON with `hash` as its last member; the hash is the sha256 of the bytes of the same JSON
//! without that member. So a reader checks bytes, not values, and an entry of a newer version still verifies.

use jiff::Timestamp;

use super::entry::{Entry, Event, Head};
use crate::digest::Digest;
use crate::fence::Epoch;

impl Entry {
    /// The entry that follows `after`, with its hash.
    #[must_use]
    pub fn seal(after: Head, at: Timestamp, epoch: Epoch, by: String, event: Event) -> Self {
        let mut entry =
            Self { number: after.number + 1, at, epoch, by, event, prev: after.hash, hash: Head::EMPTY.hash };
        entry.hash = entry.expected_hash();
        entry
    }

    /// The entry as a line of the ledger, with its line feed.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("an entry has only string keys");
        line.push('\n');
        line
    }

    /// Its place in the journal.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { number: self.number, hash: self.hash }
    }

    fn expected_hash(&self) -> Digest {
        let line = self.line();
        Digest::of(without_hash(line.trim_end().as_bytes()).expect("an entry ends with its hash").as_slice())
    }
}

/// A ledger's bytes, read and verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// How many bytes from the start are whole lines.
    pub whole: usize,
    /// Whether bytes without a line feed follow: an append that was cut off.
    pub torn: bool,
}

impl Chain {
    /// The place of the last entry.
    #[must_use]
    pub fn head(&self) -> Head {
        self.entries.last().map_or(Head::EMPTY, Entry::head)
    }
}

/// A journal whose chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenChain {
    /// The line, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for BrokenChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} of the ledger is corrupted: {}", self.line, self.why)
    }
}

impl std::error::Error for BrokenChain {}

/// Reads a ledger's bytes. What follows the last line feed is left out and reported as torn.
///
/// # Errors
/// The first whole line that is not the sealed successor of the one before.
pub fn read_chain(bytes: &[u8]) -> Result<Chain, BrokenChain> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut entries = Vec::new();
    let mut head = Head::EMPTY;
    for (line, text) in (1..).zip(bytes[..whole].split_inclusive(|byte| *byte == b'\n')) {
        let entry = read_line(&text[..text.len() - 1]).map_err(|why| BrokenChain { line, why })?;
        follow(&entry, head).map_err(|why| BrokenChain { line, why })?;
        head = entry.head();
        entries.push(entry);
    }
    Ok(Chain { entries, whole, torn: whole < bytes.len() })
}

/// Verifies entries that were read by somebody else, and says where they end.
///
/// # Errors
/// The first entry that is not the sealed successor of the one before.
pub fn verify_chain(entries: &[Entry]) -> Result<Head, BrokenChain> {
    let mut head = Head::EMPTY;
    for (line, entry) in (1..).zip(entries) {
        let broken = |why: &str| BrokenChain { line, why: why.to_owned() };
        follow(entry, head).map_err(|why| broken(&why))?;
        if entry.expected_hash() != entry.hash {
            return Err(broken(ALTERED));
        }
        head = entry.head();
    }
    Ok(head)
}

const ALTERED: &str = "its hash does not match its content";

fn read_line(line: &[u8]) -> Result<Entry, String> {
    let entry: Entry =
        serde_json::from_slice(line).map_err(|error| format!("it is not an entry ({error})"))?;
    let content = without_hash(line).ok_or("it does not end with its hash")?;
    if Digest::of(&content) == entry.hash { Ok(entry) } else { Err(ALTERED.to_owned()) }
}

fn follow(entry: &Entry, head: Head) -> Result<(), String> {
    if entry.number != head.number + 1 {
        return Err(format!("it has number {} where {} was due", entry.number, head.number + 1));
    }
    if entry.prev == head.hash { Ok(()) } else { Err("it does not follow the line before".to_owned()) }
}

/// The bytes of the line's JSON without the member `hash` at its end.
fn without_hash(line: &[u8]) -> Option<Vec<u8>> {
    const MEMBER: &[u8] = b",\"hash\":\"sha256:";
    let at = line.len().checked_sub(MEMBER.len() + 64 + 2)?;
    let (content, member) = line.split_at(at);
    let hash = member.strip_prefix(MEMBER)?.strip_suffix(b"\"}")?;
    let is_hex = hash.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    is_hex.then(|| [content, b"}"].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(count: u64) -> Vec<Entry> {
        let mut head = Head::EMPTY;
        (0..count)
            .map(|index| {
                let event = Event::Hold { reason: format!("reason {index} \"quoted\" \u{e9}"), until: None };
                let entry = Entry::seal(head, Timestamp::UNIX_EPOCH, Epoch(index), "ana".into(), event);
                head = entry.head();
                entry
            })
            .collect()
    }

    fn ledger(count: u64) -> Vec<u8> {
        entries(count).iter().map(Entry::line).collect::<String>().into_bytes()
    }

    #[test]
    fn a_ledger_reads_back_as_it_was_written() {
        let chain = read_chain(&ledger(3)).expect("sound");
        assert_eq!(chain.entries, entries(3));
        assert!(!chain.torn);
        assert_eq!(verify_chain(&chain.entries), Ok(chain.head()));
        assert_eq!(read_chain(b"").expect("empty").head(), Head::EMPTY);
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        let mut bytes = ledger(3);
        bytes.truncate(bytes.len() - 5);
        let chain = read_chain(&bytes).expect("sound before the tear");
        assert_eq!(chain.entries, entries(2));
        assert!(chain.torn);
        assert_eq!(chain.whole, ledger(2).len());
    }

    #[test]
    fn a_line_that_is_missing_is_named() {
        let kept: String = entries(4).iter().filter(|entry| entry.number != 2).map(Entry::line).collect();
        assert_eq!(read_chain(kept.as_bytes()).expect_err("a gap").line, 2);
    }

    #[test]
    fn a_line_of_another_ledger_is_named() {
        let foreign = Entry::seal(
            Head { number: 1, hash: Digest::of(b"elsewhere") },
            Timestamp::UNIX_EPOCH,
            Epoch(1),
            "eve".into(),
            Event::Resumed,
        );
        let mut bytes = ledger(1);
        bytes.extend(foreign.line().into_bytes());
        assert_eq!(read_chain(&bytes).expect_err("foreign").line, 2);
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_found(at in 0..1000_usize, flip in 1..=255_u8) {
            let mut bytes = ledger(3);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            // A flipped line feed at the very end is a tear; everything else breaks the chain.
            if let Ok(chain) = read_chain(&bytes) {
                prop_assert!(chain.torn && at == bytes.len() - 1);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_chain(&bytes);
        }
    }
}
