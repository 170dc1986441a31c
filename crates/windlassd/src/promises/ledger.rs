//! Whether an agent that finds these bytes as its ledger, after whatever killed the one before, keeps its promises: it
//! loses no byte, reads what is sound, says what is not, and what it then writes is still there when it starts again.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use windlass_domain::fence::Epoch;
use windlass_domain::journal::{Entry, Event, Head, History, read_chain, verify_chain};

use crate::ledger::{Ledger, NotAppended};
use crate::root::Root;

/// What lies in the root. In the input, the first line is the note of the last append of several entries, or empty; of
/// the others, those that are an event are sealed as the next entry of the chain, and the rest stays as it is.
struct Found {
    batch: Vec<u8>,
    ledger: Vec<u8>,
}

impl Found {
    fn of(bytes: &[u8]) -> Self {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let batch = lines.next().unwrap_or_default().trim_ascii().to_vec();
        let (mut ledger, mut head) = (Vec::new(), Head::EMPTY);
        for line in lines {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) if line.ends_with(b"\n") => {
                    let entry = Entry::seal(head, now(), Epoch(head.number / 2), "ana".to_owned(), event);
                    head = entry.head();
                    ledger.extend_from_slice(entry.line().as_bytes());
                }
                Ok(_) | Err(_) => ledger.extend_from_slice(line),
            }
        }
        Self { batch, ledger }
    }
}

pub(crate) fn check(bytes: &[u8]) {
    let found = Found::of(bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let root = Root::open(folder.path()).expect("a root");
    fs::write(root.ledger(), &found.ledger).expect("written");
    if !found.batch.is_empty() {
        fs::write(root.batch(), &found.batch).expect("written");
    }
    let Ok(mut ledger) = Ledger::open(&root, now()) else {
        assert!(
            serde_json::from_slice::<serde_json::Value>(&found.batch).is_err() || is_no_batch(&found.batch)
        );
        assert_eq!(
            fs::read(root.ledger()).expect("read"),
            found.ledger,
            "what cannot be opened is left alone"
        );
        return;
    };
    let kept = ledger.bytes().expect("read");
    assert_eq!([&kept[..], &aside(root.path())].concat(), found.ledger, "no byte is lost");
    assert!(kept.is_empty() || kept.ends_with(b"\n"), "what is torn is cut off");
    match read_chain(&kept) {
        Ok(chain) => {
            assert_eq!((ledger.damage(), ledger.head()), (None, chain.head()));
            assert_eq!(verify_chain(&chain.entries), Ok(chain.head()), "read or verified, it is the same");
            let _ = History::replay(&chain.entries);
        }
        Err(broken) => {
            assert_eq!(ledger.damage(), Some(broken.to_string().as_str()));
            assert!(ledger.head().number < broken.line);
        }
    }
    same_again(&root, &ledger, &kept);
    goes_on(&root, &mut ledger, &kept);
}

/// Anything that may stand where the note of an append is due, and is none.
fn is_no_batch(batch: &[u8]) -> bool {
    let number =
        |value: &serde_json::Value, name: &str| value.get(name).is_some_and(serde_json::Value::is_u64);
    serde_json::from_slice::<serde_json::Value>(batch)
        .is_ok_and(|value| !value.is_object() || !number(&value, "from") || !number(&value, "to"))
}

/// What was cut off and put aside.
fn aside(root: &Path) -> Vec<u8> {
    let mut files = fs::read_dir(root).expect("read").map(|entry| entry.expect("read").path());
    let torn =
        files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("torn")));
    torn.map(|path| fs::read(path).expect("read")).unwrap_or_default()
}

/// Another start finds the same.
fn same_again(root: &Root, ledger: &Ledger, kept: &[u8]) {
    let again = Ledger::open(root, now()).expect("opened once, it opens again");
    assert_eq!(
        (again.head(), again.damage(), again.epoch()),
        (ledger.head(), ledger.damage(), ledger.epoch())
    );
    assert_eq!(again.bytes().expect("read"), kept);
}

/// What is appended is there when the agent starts again; to a damaged ledger nothing is.
fn goes_on(root: &Root, ledger: &mut Ledger, kept: &[u8]) {
    for count in [1, 2, 1] {
        let event = Event::Hold { reason: "r".to_owned(), until: None };
        let before = ledger.head();
        let appended = ledger.append(before, vec![event; count], Epoch(u64::MAX), "ana", now());
        if ledger.damage().is_some() {
            assert!(matches!(appended, Err(NotAppended::Fault(_))));
            assert_eq!(ledger.bytes().expect("read"), kept);
            return;
        }
        let head = appended.expect("a sound ledger takes what follows its head");
        assert_eq!(head.number, before.number + count as u64);
        let again = Ledger::open(root, now()).expect("what was written can be opened");
        assert_eq!((again.head(), again.damage()), (head, None), "what was answered is lost");
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}
