//! What `notify` of the policy names reaches the jobs that tell of a release, in every system's own manner, and no other job.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

use crate::project::Project;
use crate::read::READERS;
use crate::steps::{Given, Script, Step};
use crate::{RELEASE, are_here, passed};

const KEY: &str = "a key that nobody guesses";

/// The policy says who is told; the pipeline was written before, and is upgraded.
fn upgraded(system: &str) -> Project {
    let project = Project::new(system);
    let path = project.path("repo/windlass.yml");
    let policy = std::fs::read_to_string(&path).unwrap();
    let before = project.windlass(&["init", "--check"]);
    assert!(before.status.success(), "{before:?}");
    let notify = "notify:\n  - webhook: { url: HOOK_URL, secret: HOOK_KEY }\n    on: [live, rolled-back]\n";
    std::fs::write(&path, format!("{policy}{notify}")).unwrap();
    let check = project.windlass(&["init", "--check"]);
    assert_eq!(check.status.code(), Some(1), "{system}: the pipeline hands on what nobody named: {check:?}");
    for command in ["--upgrade", "--check"] {
        let done = project.windlass(&["init", command]);
        assert!(done.status.success(), "{done:?}");
    }
    project
}

/// Takes whatever is posted, and hands the bodies on.
fn listener() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let mut part = [0; 4096];
            let body = loop {
                let read = stream.read(&mut part).unwrap();
                assert!(read > 0, "the request ended early: {}", String::from_utf8_lossy(&bytes));
                bytes.extend_from_slice(&part[..read]);
                if let Some(body) = body(&bytes) {
                    break body;
                }
            };
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            if sender.send(body).is_err() {
                return;
            }
        }
    });
    (address, bodies)
}

/// The body of a request, once it is whole.
fn body(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(head.to_ascii_lowercase().contains("x-windlass-signature: sha256="), "{head}");
    serde_json::from_str(body).ok()
}

fn scripts(project: &Project, given: &Given<'_>) -> Vec<(String, Script)> {
    let jobs = project.jobs(given).into_iter();
    jobs.flat_map(|job| {
        let name = job.name;
        job.steps.into_iter().filter_map(move |step| match step {
            Step::Run(script) => Some((name.clone(), script)),
            Step::Keep { .. } | Step::Take { .. } => None,
        })
    })
    .collect()
}

/// The steps that tell, and no others; and one of them for real.
fn tells(system: &str) {
    if !are_here(&["git", "python3", "bash", "tar", "timeout"]) {
        return;
    }
    let mut project = upgraded(system);
    let (address, bodies) = listener();
    let secrets = [("HOOK_URL", address.as_str()), ("HOOK_KEY", KEY)];
    let given = Given { secrets: &secrets, ..RELEASE };
    let mut telling = 0;
    for (job, script) in scripts(&project, &given) {
        let has =
            secrets.iter().filter(|secret| script.vars.contains(&(secret.0.into(), secret.1.into()))).count();
        if script.text.contains("windlass deploy ") || script.text.contains("windlass rollback ") {
            assert_eq!(has, secrets.len(), "{system}, {job}: {}", script.text);
            telling += 1;
        } else if job == "build" && system != "gitlab" {
            assert_eq!(has, 0, "{system}: what is built and tested sees the secrets: {}", script.text);
        }
    }
    assert!(telling >= 4, "{system}: three environments and by hand: {telling}");
    project.push("v1");
    passed(&project.run("build", &given));
    let ended = project.run("dev", &given);
    passed(&ended);
    let told = bodies.recv_timeout(Duration::from_secs(60));
    let told = told.unwrap_or_else(|error| panic!("{system}: nobody was told, {error}:\n{}", ended.said));
    assert_eq!((&told["moment"], &told["environment"]), (&"live".into(), &"dev".into()), "{told}");
    assert!(!ended.said.contains(KEY) && !ended.said.contains(&address), "{}", ended.said);
}

#[test]
fn every_system_hands_on_what_the_policy_names_to_those_who_tell() {
    for (system, _) in READERS {
        tells(system);
    }
}
