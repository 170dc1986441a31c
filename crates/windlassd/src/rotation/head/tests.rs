//! Nothing is lost and nothing torn, whatever is written meanwhile and wherever the agent is killed.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::clock::now;

const RULE: Rule = Rule { size: 64 * 1024, age: Duration::from_secs(3600), keep: 10_000 };

fn append(log: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(log).unwrap()
}

fn line(number: u64) -> String {
    // Of all lengths, so that lines end everywhere in a block.
    format!("{number} {}\n", "x".repeat(usize::try_from(number % 131).unwrap()))
}

/// The numbers of all lines, oldest first; panics at a torn one.
fn numbers(log: &Path) -> Vec<u64> {
    let mut paths: Vec<PathBuf> =
        (1..).map(|number| aside::place(log, number)).take_while(|path| path.exists()).collect();
    paths.reverse();
    paths.push(log.to_owned());
    let mut found = Vec::new();
    for path in paths {
        for text in fs::read_to_string(&path).unwrap().split_inclusive('\n') {
            if text.trim().is_empty() {
                continue;
            }
            let number = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(text, line(number), "{} has a torn line", path.display());
            found.push(number);
        }
    }
    found
}

/// Whether the file system of temporary files can take a head out; says so where it cannot.
fn can_collapse(folder: &Path) -> bool {
    let path = folder.join("probe");
    fs::write(&path, vec![b'a'; 128 * 1024]).unwrap();
    let file = open(&path).unwrap();
    let size = file.metadata().unwrap().blksize();
    let can = fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, size).is_ok();
    if !can {
        eprintln!(
            "skipped: {} is on a file system that cannot collapse; set TMPDIR to one on ext4 or XFS",
            folder.display()
        );
    }
    can
}

#[test]
fn every_line_written_at_full_speed_through_rotations_is_found_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    if !can_collapse(folder.path()) {
        return;
    }
    let log = folder.path().join("0.log");
    let over = AtomicBool::new(false);
    let mut turns = 0;
    const LINES: u64 = 200_000;
    std::thread::scope(|scope| {
        let mut writer = append(&log);
        let over = &over;
        scope.spawn(move || {
            for number in 0..LINES {
                writer.write_all(line(number).as_bytes()).unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        while !over.load(Ordering::Relaxed) {
            turns += u64::from(turn(&log, &RULE, now()).unwrap() == Turned::Whole);
        }
    });
    assert!(turns > 10, "only {turns} rotations");
    let found = numbers(&log);
    assert_eq!(found.len() as u64, LINES, "after {turns} rotations");
    assert!(found.into_iter().eq(0..LINES), "in order");
}

#[test]
fn a_kill_anywhere_in_a_rotation_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    if !can_collapse(folder.path()) {
        return;
    }
    let log = folder.path().join("0.log");
    let fresh = || {
        for entry in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let mut writer = append(&log);
        for number in 0..2000 {
            writer.write_all(line(number).as_bytes()).unwrap();
        }
        let file = open(&log).unwrap();
        let cut = Cut::of(&file).unwrap().unwrap();
        assert!(cut.line > cut.block, "the test needs a line that is cut");
        (file, cut, half(&log, cut.block))
    };
    for killed in
        ["in the copy", "after the copy", "after the head was taken out", "before the copy got its name"]
    {
        let (file, cut, half) = fresh();
        copy(&file, &half, if killed == "in the copy" { 5000 } else { cut.line }).unwrap();
        if killed.contains("head") || killed.contains("name") {
            fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, cut.block).unwrap();
        }
        if killed.contains("name") {
            blank(&file, cut.line - cut.block).unwrap();
        }
        append(&log).write_all(line(2000).as_bytes()).unwrap();
        settle(&log, &RULE).unwrap();
        assert!(numbers(&log).into_iter().eq(0..=2000), "killed {killed}");
        assert_eq!(left(&log).unwrap(), None, "killed {killed}");
    }
}

#[test]
fn a_log_without_a_whole_line_waits_and_an_endless_line_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    if !can_collapse(folder.path()) {
        return;
    }
    let log = folder.path().join("0.log");
    let at = now();
    let rule = Rule { size: 1, ..RULE };
    assert_eq!(turn(&log, &rule, at).unwrap(), Turned::Not, "there is none");
    append(&log).write_all(b"short\n").unwrap();
    assert_eq!(turn(&log, &rule, at).unwrap(), Turned::Not, "less than a block stays");
    append(&log).write_all(&[b'x'; 20_000]).unwrap();
    assert_eq!(turn(&log, &rule, at).unwrap(), Turned::Not, "the line may still end");
    append(&log).write_all(b"\nend\n").unwrap();
    assert_eq!(turn(&log, &rule, at).unwrap(), Turned::Whole);
    assert_eq!(fs::metadata(aside::place(&log, 1)).unwrap().len(), 6 + 20_000 + 1);
    assert_eq!(fs::read_to_string(&log).unwrap().trim(), "end");
    append(&log).write_all(&[b'x'; 200_000]).unwrap();
    assert_eq!(turn(&log, &rule, at).unwrap(), Turned::Whole, "a line this long is torn");
    assert!(fs::metadata(&log).unwrap().len() < 100_000);
}

#[test]
fn an_old_log_is_due_and_only_so_many_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    if !can_collapse(folder.path()) {
        return;
    }
    let log = folder.path().join("0.log");
    let rule = Rule { size: u64::MAX, age: Duration::from_secs(3600), keep: 2 };
    let later = |hours: i64| now() + jiff::SignedDuration::from_hours(hours);
    for round in 0..4 {
        append(&log).write_all(&vec![b'a' + round; 9000]).unwrap();
        append(&log).write_all(b"\n").unwrap();
        append(&log).write_all(&[b'\n'; 5000]).unwrap();
        assert_eq!(turn(&log, &rule, now()).unwrap(), Turned::Not, "round {round}: it is young");
        assert_eq!(turn(&log, &rule, later(2)).unwrap(), Turned::Whole, "round {round}");
    }
    assert!(fs::read_to_string(aside::place(&log, 1)).unwrap().contains("ddd"));
    assert!(fs::read_to_string(aside::place(&log, 2)).unwrap().contains("ccc"));
    assert!(!aside::place(&log, 3).exists());
    assert_eq!(
        turn(&log, &rule, later(-2)).unwrap(),
        Turned::Not,
        "a clock that went back makes nothing old"
    );
}

#[test]
fn where_a_head_cannot_be_taken_out_the_log_is_copied_and_emptied() {
    let folder = tempfile::Builder::new().tempdir_in("/dev/shm");
    // Where there is no /dev/shm, or it is not a tmpfs, the fallback has nothing to show here.
    let Ok(folder) = folder else { return };
    let log = folder.path().join("0.log");
    let mut writer = append(&log);
    for number in 0..2000 {
        writer.write_all(line(number).as_bytes()).unwrap();
    }
    if turn(&log, &RULE, now()).unwrap() == Turned::Lossy {
        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    }
    writer.write_all(line(2000).as_bytes()).unwrap();
    assert!(numbers(&log).into_iter().eq(0..=2000));
}
