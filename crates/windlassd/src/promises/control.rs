//! Whether what the agent lets in by its control socket is what it keeps: each request that it can read is written and
//! read back as the same, and what changes something is tried on a root of its own. No process is started.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_domain::fence::Epoch;
use windlass_domain::journal::{Head, History, read_chain};
use windlass_target::host::control::{
    Append, Apply, AskedSecrets, Claim, Configure, Handover, Place, ReleaseLease, Shutdown,
};

use crate::clock::Reading;
use crate::control::read;
use crate::fence::{Gate, NotClaimed};
use crate::ledger::Ledger;
use crate::root::Root;
use crate::route::Settings;
use crate::supervise::Words;

/// The longest that a lease may last, whoever asks.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

pub(crate) fn check(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (path, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    match path {
        b"/v1/configure" => {
            if let Some(configure) = same_again::<Configure>(body) {
                configured(configure.place);
            }
        }
        b"/v1/claim" => {
            if let Some(claim) = same_again::<Claim>(body) {
                claimed(&claim);
            }
        }
        b"/v1/release" => {
            same_again::<ReleaseLease>(body);
        }
        b"/v1/apply" => {
            if let Some(apply) = same_again::<Apply>(body) {
                applied(&apply);
            }
        }
        b"/v1/journal" => {
            if let Some(append) = same_again::<Append>(body) {
                appended(append);
            }
        }
        b"/v1/secrets" => {
            same_again::<AskedSecrets>(body);
        }
        b"/v1/shutdown" => {
            same_again::<Shutdown>(body);
        }
        b"/v1/handover" => {
            same_again::<Handover>(body);
        }
        _ => {}
    }
}

/// A body that can be read is written, and read again as the same.
fn same_again<T: DeserializeOwned + Serialize>(body: &[u8]) -> Option<T> {
    let first: T = read(body).ok()?;
    let written = serde_json::to_vec(&first).expect("the protocol's types have only string keys");
    let second: T = read(&written).expect("what was written can be read");
    let again = serde_json::to_vec(&second).expect("the protocol's types have only string keys");
    assert_eq!(written, again, "read again, it is another");
    Some(first)
}

/// A place that can be used or not is told so; files are left out, since they are somebody else's.
fn configured(place: Place) {
    let _ = Settings::open(&Place { tls: None, testers: None, ..place });
}

/// Whatever a claim says, epochs rise, no lease lasts longer than it may, and an agent that starts again knows of it.
fn claimed(claim: &Claim) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Root::open(folder.path()).expect("a root");
    let now = |seconds: i64| Reading {
        wall: Timestamp::from_second(1_790_000_000 + seconds).expect("a time"),
        uptime: SignedDuration::from_secs(1000 + seconds),
    };
    let boot = Some("one".to_owned());
    let mut gate = Gate::open(&root, boot.clone(), Epoch(7), now(0)).expect("a fence");
    let granted = match gate.claim(claim, None, now(1)) {
        Ok(lease) => lease,
        Err(NotClaimed::Refused(_)) => {
            assert!(claim.renews.is_some(), "a free fence is refused only to who holds nothing");
            assert!(gate.lease(now(1)).is_none() && gate.epoch() == Epoch(7));
            return;
        }
        Err(NotClaimed::Io(error)) => panic!("{error}"),
    };
    assert!(claim.renews.is_none(), "a renewal grants nothing that was not held");
    assert_eq!(granted.epoch, Epoch(8));
    let left = granted.expires.duration_since(now(1).wall);
    assert!(left <= LONGEST && !left.is_negative() && !left.is_zero(), "{left}");
    let again = Gate::open(&root, boot, Epoch(7), now(1)).expect("what was kept can be read");
    assert_eq!((again.epoch(), again.lease(now(1))), (Epoch(8), Some(granted)));
}

/// What a step brings is kept as it came, and its words are filled in or refused.
fn applied(apply: &Apply) {
    let Some(package) = &apply.package else { return };
    let launch = serde_json::to_vec(&package.launch).expect("a launch has only string keys");
    assert_eq!(read(&launch).as_ref(), Ok(&package.launch), "kept, it is another");
    let words = Words { port: "1".to_owned(), dir: "/d".to_owned(), revision: "r1".to_owned() };
    for text in package.launch.run.iter().chain(package.launch.env.values()) {
        let _ = words.fill(text);
    }
}

/// What is appended is read back as it was, by the next agent and by whoever asks for the journal.
fn appended(append: Append) {
    if append.events.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = Root::open(folder.path()).expect("a root");
    let now = Timestamp::from_second(1_790_000_000).expect("a time");
    let mut ledger = Ledger::open(&root, now).expect("an empty ledger");
    let events = append.events.clone();
    let head = ledger.append(Head::EMPTY, append.events, append.epoch, &append.by, now).expect("appended");
    let chain = read_chain(&ledger.bytes().expect("a file")).expect("what was written can be read");
    let read: Vec<_> = chain.entries.iter().map(|entry| &entry.event).collect();
    assert_eq!(read, events.iter().collect::<Vec<_>>());
    let _ = History::replay(&chain.entries);
    let again = Ledger::open(&root, now).expect("what was written can be opened");
    assert_eq!((again.head(), again.damage(), again.epoch()), (head, None, append.epoch));
}
