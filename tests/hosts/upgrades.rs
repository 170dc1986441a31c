//! An agent on a host meets another program: it hands over to it, or is asked nothing.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;

use crate::fleet::{Fleet, sshd_is_here};

/// Another build of the same program: another digest, and nothing else.
fn another_build(fleet: &Fleet) -> String {
    // The umbrella is known by its name.
    let path = fleet.path("another/windlass");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_windlass"), &path).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"another build").unwrap();
    path.display().to_string()
}

#[test]
fn hosts_that_run_another_build_hand_over_to_the_one_that_comes_and_lose_nothing() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    let agents = |fleet: &Fleet| ["a", "b"].map(|host| fleet.state(host).unwrap().pid);
    let instances = |fleet: &Fleet| {
        ["a", "b"].map(|host| fleet.state(host).unwrap().revisions[0].instances[0].pid.unwrap())
    };
    let (old, served) = (agents(&fleet), instances(&fleet));
    fleet.deploy().is(0).says("live already");
    assert_eq!(agents(&fleet), old, "the same program hands over to nobody");

    let load = fleet.load();
    let another = another_build(&fleet);
    let vars = [("WINDLASS_AGENT_PROGRAM", another.as_str())];
    let handed = fleet.run_with(&["deploy"], &vars).is(0).says("live already");
    for host in ["a", "b"] {
        let note = format!("on the host {host}: the agent, version ");
        assert!(handed.told.contains(&note) && handed.told.contains("has handed over"), "{}", handed.told);
    }
    let new = agents(&fleet);
    assert!(new.iter().zip(old).all(|(new, old)| *new != old), "{new:?}");
    assert_eq!(instances(&fleet), served, "what runs runs on");
    for pid in new {
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        let digest = windlass_evidence::artifact::digest(std::path::Path::new(&another)).unwrap();
        assert!(program.to_string_lossy().ends_with(&digest.hex()), "{}", program.display());
    }
    // A whole release under the new ones.
    fleet.build("v2", "");
    fleet.run_with(&["deploy"], &vars).is(0);
    assert_eq!(agents(&fleet), new);
    fleet.both_answer("v2");
    load.lost_nothing();
}

#[test]
fn hosts_whose_agent_is_too_new_are_asked_nothing_and_the_rest_is_not_touched() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    let before = fleet.events("a");
    let state = serde_json::to_value(fleet.state("b").unwrap()).unwrap();
    fleet.lose("b");
    let asked = newer_agent(&fleet, "b", state);
    fleet.build("v2", "");
    let refused = fleet.deploy().is(3).says("cannot use the agent on the host b");
    refused.says("version 99.0.0, too new for this program's").says("--take-over --downgrade");
    assert_eq!(fleet.events("a"), before);
    let asked = asked.lock().unwrap().clone();
    assert!(!asked.is_empty() && asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
}

/// Answers on a host's control socket as an agent of a later version would. Returns what it is asked.
fn newer_agent(
    fleet: &Fleet,
    host: &str,
    mut state: serde_json::Value,
) -> std::sync::Arc<std::sync::Mutex<Vec<String>>> {
    state["version"] = "99.0.0".into();
    fs::create_dir_all(fleet.root(host)).unwrap();
    let listener = UnixListener::bind(fleet.root(host).join("control.sock")).unwrap();
    let asked = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let keeps = std::sync::Arc::clone(&asked);
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let (status, text) = match first.as_str() {
                line if line.starts_with("GET /v1/state ") => ("200 OK", state.to_string()),
                line if line.starts_with("GET /v1/journal ") => ("200 OK", String::new()),
                _ => ("404 Not Found", String::new()),
            };
            keeps.lock().unwrap().push(first);
            let _ = write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        }
    });
    asked
}
