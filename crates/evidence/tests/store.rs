//! The evidence file: many writers, killed writers, hostile content.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;

use common::{artifact, body, demand, now, statement, trusted};
use proptest::prelude::*;
use serde_json::json;
use windlass_domain::policy::EvidenceKind;
use windlass_evidence::envelope::Envelope;
use windlass_evidence::sign::Signer;
use windlass_evidence::store::Store;
use windlass_evidence::verify::Refusal;

const WRITERS: usize = 8;
const LINES: usize = 50;

fn numbered(number: usize) -> Envelope {
    let mut body = body(&now().to_string());
    body["number"] = json!(number);
    body["padding"] = json!("x".repeat(5_000));
    Envelope::seal(&statement(body), None)
}

#[test]
fn lines_of_many_writers_are_all_there_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/evidence.jsonl");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let path = &path;
            scope.spawn(move || {
                for line in 0..LINES {
                    Store::append(path, &numbered(writer * LINES + line)).unwrap();
                }
            });
        }
    });
    let store = Store::read(&path).unwrap();
    let mut numbers: Vec<u64> = store
        .lines
        .iter()
        .map(|line| line.content.as_ref().unwrap().1.predicate["number"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..(WRITERS * LINES) as u64).collect::<Vec<_>>());
}

/// Not a test of its own: the other process of the one below.
#[test]
#[ignore = "started by writers_in_two_processes_do_not_mix"]
#[expect(clippy::disallowed_methods, reason = "the test that starts it hands the path over in a variable")]
fn other_process() {
    let path = std::env::var("EVIDENCE_FILE").unwrap();
    for number in 0..LINES {
        Store::append(path.as_ref(), &numbered(number)).unwrap();
    }
}

#[test]
fn writers_in_two_processes_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "other_process", "--ignored"])
            .env("EVIDENCE_FILE", &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children = [start(), start()];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::read(&path).unwrap();
    assert_eq!(store.lines.iter().filter(|line| line.content.is_ok()).count(), 2 * LINES);
}

#[test]
fn torn_last_line_of_a_killed_writer_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    Store::append(&path, &numbered(1)).unwrap();
    let whole = serde_json::to_vec(&numbered(2)).unwrap();
    for cut in [1, whole.len() / 2, whole.len() - 1] {
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&whole[..cut]).unwrap();
        Store::append(&path, &numbered(3)).unwrap();
    }
    let store = Store::read(&path).unwrap();
    let readable: Vec<bool> = store.lines.iter().map(|line| line.content.is_ok()).collect();
    assert_eq!(readable, [true, false, true, false, true, false, true]);
    assert_eq!(store.lines[6].number, 7);
}

#[test]
fn unreadable_line_is_reported_and_does_not_hide_a_sound_one() {
    let signer = Signer::generate().unwrap();
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    fs::write(
        &path,
        "{}\nnot json\n\u{feff}[]\n\n{\"payload\":\"!\",\"payloadType\":\"x\",\"signatures\":[]}\n",
    )
    .unwrap();
    Store::append(&path, &Envelope::seal(&statement(body(&now().to_string())), Some(&signer))).unwrap();
    let store = Store::read(&path).unwrap();
    let (counts, refused) = demand(&keys).all(&store);
    assert_eq!((counts.len(), counts[0].line.0), (1, 6));
    let lines: Vec<usize> = refused.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 3, 5]);
    assert!(refused.iter().all(|(_, why)| matches!(why, Refusal::Unreadable(_))), "{refused:?}");
}

#[test]
fn statement_without_a_subject_is_unreadable() {
    let mut empty = statement(body(&now().to_string()));
    empty.subject.clear();
    let mut bare = statement(body(&now().to_string()));
    bare.subject[0].digest.clear();
    for statement in [empty, bare] {
        let store = common::store(&[Envelope::seal(&statement, None)]);
        assert_eq!(store.lines[0].content.as_ref().unwrap_err(), "a subject is missing or has no digest");
    }
}

#[test]
fn missing_file_is_an_empty_store_and_a_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Store::read(&folder.path().join("none.jsonl")).unwrap().lines.is_empty());
    let error = Store::read(folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("cannot read evidence at "), "{error}");
    assert!(Store::append(folder.path(), &numbered(0)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_content_makes_reading_or_judging_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        fs::write(&path, &bytes).unwrap();
        let store = Store::read(&path).unwrap();
        prop_assert!(demand(&[]).newest(&store).is_err());
        Store::append(&path, &numbered(1)).unwrap();
        let after = Store::read(&path).unwrap();
        prop_assert!(after.lines.last().unwrap().content.is_ok());
    }

    #[test]
    fn no_statement_that_is_json_makes_judging_panic(text in "\\PC{0,40}", at in "[0-9T:Z.+-]{0,30}") {
        let bodies = [json!(null), json!([text]), json!({"at": at, "environment": [text], "policy": {"digest": 1}})];
        for body in bodies {
            let store = common::store(&[Envelope::seal(&statement(body), None)]);
            let _ = demand(&[]).all(&store);
            prop_assert!(store.lines[0].content.as_ref().unwrap().1.names(artifact()));
        }
    }
}
