//! What the digest of an artifact depends on, and what has none.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_domain::digest::Digest;
use windlass_evidence::artifact::{ArtifactError, digest, digest_all};

/// A folder with a file, a program, a link and a folder.
fn sample(folder: &Path) {
    fs::create_dir_all(folder.join("lib/deep")).expect("the sample can be written");
    fs::write(folder.join("readme"), "hello\n").expect("the sample can be written");
    fs::write(folder.join("run"), "#!/bin/sh\n").expect("the sample can be written");
    fs::set_permissions(folder.join("run"), fs::Permissions::from_mode(0o755))
        .expect("the sample can be written");
    fs::write(folder.join("lib/deep/data"), [0, 159, 146, 150]).expect("the sample can be written");
    symlink("run", folder.join("start")).expect("the sample can be written");
}

#[test]
fn file_is_known_by_its_bytes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app");
    let vectors = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ];
    for (content, expected) in vectors {
        fs::write(&path, content).unwrap();
        assert_eq!(digest(&path).unwrap().hex(), expected);
    }
}

#[test]
fn folder_is_known_by_the_manifest_that_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    let manifest = format!(
        "file {} lib/deep/data\nfile {} readme\nexec {} run\nlink {} start\n",
        Digest::of(&[0, 159, 146, 150]).hex(),
        Digest::of(b"hello\n").hex(),
        Digest::of(b"#!/bin/sh\n").hex(),
        Digest::of(b"run").hex(),
    );
    assert_eq!(digest(folder.path()).unwrap(), Digest::of(manifest.as_bytes()));
}

#[test]
fn every_change_of_content_name_mode_or_link_changes_the_digest() {
    type Change = (&'static str, fn(&Path));
    let changes: [Change; 8] = [
        ("content", |path| fs::write(path.join("readme"), "hello!\n").unwrap()),
        ("name", |path| fs::rename(path.join("readme"), path.join("README")).unwrap()),
        ("place", |path| fs::rename(path.join("readme"), path.join("lib/readme")).unwrap()),
        ("mode", |path| fs::set_permissions(path.join("readme"), fs::Permissions::from_mode(0o755)).unwrap()),
        ("target of a link", |path| {
            fs::remove_file(path.join("start")).unwrap();
            symlink("readme", path.join("start")).unwrap();
        }),
        ("link become a file", |path| {
            fs::remove_file(path.join("start")).unwrap();
            fs::write(path.join("start"), "run").unwrap();
        }),
        ("one more", |path| fs::write(path.join("more"), "").unwrap()),
        ("one less", |path| fs::remove_file(path.join("lib/deep/data")).unwrap()),
    ];
    let mut seen = Vec::new();
    for (name, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        sample(folder.path());
        let before = digest(folder.path()).unwrap();
        change(folder.path());
        let after = digest(folder.path()).unwrap();
        assert_ne!(before, after, "{name}");
        assert!(!seen.contains(&after), "{name} gives a digest that another change gave");
        seen.push(after);
    }
}

#[test]
fn times_owners_and_empty_folders_do_not_count_nor_does_the_order_of_making() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample(one.path());
    for number in 0..50 {
        fs::write(one.path().join(number.to_string()), "x").unwrap();
        fs::write(two.path().join((49 - number).to_string()), "x").unwrap();
    }
    sample(two.path());
    fs::create_dir(two.path().join("empty")).unwrap();
    let file = fs::File::open(two.path().join("readme")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(digest(one.path()).unwrap(), digest(two.path()).unwrap());
}

#[test]
fn names_that_hold_a_manifest_line_are_refused() {
    for name in [&b"a\nfile 00 b"[..], b"a\rb", b"\xff\xfe"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(name)), "x").unwrap();
        assert!(matches!(digest(folder.path()), Err(ArtifactError::Unsupported(_))), "{name:?}");
    }
}

#[test]
fn missing_empty_and_special_files_have_no_digest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(digest(&path.join("none")), Err(ArtifactError::Missing(_))));
    fs::create_dir_all(path.join("empty/inner")).unwrap();
    assert!(matches!(digest(&path.join("empty")), Err(ArtifactError::Empty(_))));
    symlink("nowhere", path.join("dangling")).unwrap();
    assert!(matches!(digest(&path.join("dangling")), Err(ArtifactError::Missing(_))));
    fs::create_dir(path.join("pipes")).unwrap();
    assert!(Command::new("mkfifo").arg(path.join("pipes/pipe")).status().unwrap().success());
    assert!(matches!(digest(&path.join("pipes")), Err(ArtifactError::Unsupported(_))));
    assert!(matches!(digest(&path.join("pipes/pipe")), Err(ArtifactError::Unsupported(_))));
}

#[test]
fn link_to_itself_is_a_link_and_no_endless_walk() {
    let folder = tempfile::tempdir().unwrap();
    symlink(".", folder.path().join("self")).unwrap();
    assert!(digest(folder.path()).is_ok());
}

#[test]
fn ten_thousand_files_are_known() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10_000 {
        let inner = folder.path().join((number % 100).to_string());
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join(number.to_string()), number.to_string()).unwrap();
    }
    assert_eq!(digest(folder.path()).unwrap(), digest(folder.path()).unwrap());
}

#[test]
fn file_that_changes_while_it_is_read_is_never_taken_for_one_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app");
    let (size, stop) = (4 * 1024 * 1024, AtomicBool::new(false));
    fs::write(&path, vec![0; size]).unwrap();
    let mut changed = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt as _;
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                file.write_all_at(&number.to_le_bytes(), 0).unwrap();
                file.write_all_at(&number.to_le_bytes(), (size - 8) as u64).unwrap();
            }
        });
        for _ in 0..30 {
            changed += usize::from(matches!(digest(&path), Err(ArtifactError::Changed(_))));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(changed > 0, "a file that is written all the time was never seen changing");
    assert!(digest(&path).is_ok());
}

#[test]
fn folder_that_gains_and_loses_files_while_it_is_read_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for number in 0..300 {
        fs::write(path.join(format!("{number:03}")), vec![1; 20_000]).unwrap();
    }
    let stop = AtomicBool::new(false);
    let mut changed = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::write(path.join("guest"), "x").unwrap();
                fs::remove_file(path.join("guest")).unwrap();
            }
        });
        for _ in 0..10 {
            changed += usize::from(digest(path).is_err());
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(changed, 10, "a folder that changes all the time was taken for one state");
}

#[test]
fn several_files_and_folders_are_known_together_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    sample(&path.join("config"));
    fs::write(path.join("extra"), "x").unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(digest_all(path, &[]).unwrap(), None);
    let both = digest_all(path, &names(&["config/", "extra"])).unwrap();
    assert_eq!(both, digest_all(path, &names(&["extra", "config"])).unwrap());
    assert_ne!(both, digest_all(path, &names(&["config"])).unwrap());
    assert!(digest_all(path, &names(&["config", "none"])).is_err());
    // A folder and a file that holds that folder's manifest are not the same configuration.
    let alone = digest_all(path, &names(&["config"])).unwrap();
    fs::remove_dir_all(path.join("config")).unwrap();
    let manifest = format!(
        "file {} lib/deep/data\nfile {} readme\nexec {} run\nlink {} start\n",
        Digest::of(&[0, 159, 146, 150]).hex(),
        Digest::of(b"hello\n").hex(),
        Digest::of(b"#!/bin/sh\n").hex(),
        Digest::of(b"run").hex(),
    );
    fs::write(path.join("config"), manifest).unwrap();
    assert_ne!(alone, digest_all(path, &names(&["config"])).unwrap());
}
