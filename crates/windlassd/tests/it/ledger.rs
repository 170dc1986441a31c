//! The ledger: what is answered is on the disk, and what is on the disk is what was written.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;

use windlass_domain::journal::{Event, Head, read_chain};
use windlass_target::driver::DriverError;

use super::http::get;
use super::support::{Agent, all};

fn hold(reason: &str) -> Event {
    Event::Hold { reason: reason.into(), until: None }
}

#[test]
fn appends_follow_the_head_or_are_refused() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let head = agent.append(epoch, Head::EMPTY, vec![hold("one"), hold("two")]).unwrap();
    assert_eq!(head.number, 2);
    match agent.append(epoch, Head::EMPTY, vec![hold("again")]) {
        Err(DriverError::Head(now)) => assert_eq!(now, head),
        other => panic!("{other:?}"),
    }
    let chain = read_chain(agent.text("/v1/journal").as_bytes()).unwrap();
    assert_eq!((chain.entries.len(), chain.head()), (2, head));
    assert_eq!(chain.entries[1].event, hold("two"));
    assert_eq!(chain.entries[1].epoch, epoch);
}

#[test]
fn a_torn_line_is_cut_off_and_kept_aside() {
    let mut agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let head = agent.append(epoch, Head::EMPTY, vec![hold("one")]).unwrap();
    agent.kill();
    let mut file = OpenOptions::new().append(true).open(agent.root().join("ledger.jsonl")).unwrap();
    file.write_all(b"{\"number\":2,\"at\":\"20").unwrap();
    agent.spawn();
    assert_eq!(agent.state().head, head);
    let torn = fs::read_dir(agent.root()).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.file_name().unwrap().to_string_lossy().starts_with("ledger.torn-")
            && fs::read(path).unwrap() == b"{\"number\":2,\"at\":\"20"
    });
    assert!(torn, "the tear is kept");
    assert_eq!(agent.append(epoch, head, vec![hold("two")]).unwrap().number, 2);
}

#[test]
fn half_of_an_append_does_not_count() {
    let mut agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let head = agent.append(epoch, Head::EMPTY, vec![hold("one")]).unwrap();
    let path = agent.root().join("ledger.jsonl");
    let before = fs::read(&path).unwrap();
    agent.append(epoch, head, vec![hold("two"), hold("three")]).unwrap();
    agent.kill();
    let bytes = fs::read(&path).unwrap();
    let two = before.len() + bytes[before.len()..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&path, &bytes[..two + 10]).unwrap();
    agent.spawn();
    assert_eq!(agent.state().head, head, "neither of the two is there");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_corrupted_line_stops_every_change_and_no_request() {
    let mut agent = Agent::start();
    let (epoch, address) = agent.live(1);
    let head = agent.append(epoch, Head::EMPTY, vec![hold("one")]).unwrap();
    agent.append(epoch, head, vec![hold("two")]).unwrap();
    agent.kill();
    let path = agent.root().join("ledger.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("one", "own", 1)).unwrap();
    agent.spawn();
    assert_eq!(get(address, "/").text(), "v1");
    assert!(agent.text("/v1/journal").contains("own"), "it still reads");
    let why = match agent.append(epoch, head, vec![hold("three")]) {
        Err(DriverError::Unreachable { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(why.contains("line 1 of the ledger is corrupted"), "{why}");
    assert!(agent.apply(epoch, all(1)).is_err());
}

#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::Builder::new().prefix("wl").tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(folder.path()).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: a file system of its own needs root");
        return;
    }
    let path = folder.path().to_owned();
    // Dropped after the agent, also when the test fails.
    let _mount = Mount(path.clone());
    let agent = Agent::on(folder);
    let epoch = agent.claim("a").unwrap().epoch;
    let head = agent.append(epoch, Head::EMPTY, vec![hold("one")]).unwrap();
    let filler = path.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
    let big = || vec![hold(&"x".repeat(8000))];
    let failed = agent.append(epoch, head, big());
    let journal = read_chain(agent.text("/v1/journal").as_bytes());
    drop(file);
    fs::remove_file(&filler).unwrap();
    let again = agent.append(epoch, head, big());
    assert!(matches!(failed, Err(DriverError::Unreachable { .. })), "{failed:?}");
    assert_eq!(journal.unwrap().head(), head);
    assert_eq!(again.unwrap().number, 2);
}

struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
