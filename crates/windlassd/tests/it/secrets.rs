//! Secrets: given to the instance, and to nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use windlass_domain::fence::Epoch;
use windlass_domain::rollout::Step;
use windlass_target::driver::DriverError;
use windlass_target::host::control::{AskedSecrets, KnownSecrets, Package};

use super::http::get;
use super::support::{Agent, all, await_that, pid, ready, stage};

const CONTENT: &str = "hunter2 = \"quoted\" $HOME \u{fc}";

fn write(path: &Path, content: &str, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn with_secret(agent: &Agent, path: &Path) -> Package {
    let mut package = agent.package("v1", &[]);
    package.launch.secrets = [("DB_PASSWORD".to_owned(), path.to_str().unwrap().to_owned())].into();
    package
}

/// An agent with a release that has a secret, which is live.
fn live() -> (Agent, Epoch, PathBuf) {
    let agent = Agent::start();
    let path = agent.folder().join("db");
    write(&path, &format!("{CONTENT}\n"), 0o600);
    let epoch = agent.claim("a").unwrap().epoch;
    agent.configure(epoch).unwrap();
    agent.apply_with(epoch, stage(1, 1), Some(with_secret(&agent, &path))).unwrap();
    agent.apply(epoch, ready(1, 1)).unwrap();
    agent.apply(epoch, all(1)).unwrap();
    (agent, epoch, path)
}

fn version(agent: &Agent, path: &Path) -> String {
    let asked =
        AskedSecrets { secrets: [("DB_PASSWORD".to_owned(), path.to_str().unwrap().to_owned())].into() };
    let known: KnownSecrets = agent.post("/v1/secrets", &asked).unwrap();
    assert_eq!(known.versions[0].name, "DB_PASSWORD");
    known.versions[0].version.clone()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_secret_is_in_the_instances_environment_and_nowhere_else() {
    let (agent, epoch, path) = live();
    assert_eq!(get(agent.address(), "/value?name=DB_PASSWORD").text(), CONTENT);
    assert!(version(&agent, &path).starts_with("hmac-sha256:"));
    agent.apply(epoch, Step::Settle).unwrap();
    // Whatever could be told of it, was: a start that failed, a refusal, a restart.
    write(&path, &format!("{CONTENT}\n"), 0o644);
    agent.apply_with(epoch, stage(2, 1), Some(with_secret(&agent, &path))).unwrap_err();
    let instance = agent.pids()[0];
    kill_process(pid(instance), Signal::KILL).unwrap();
    await_that("the start failed", || {
        agent.state().revisions[0].instances[0]
            .ended
            .as_deref()
            .is_some_and(|how| how.contains("open to all users"))
    });
    let mut told = format!("{:?}", agent.state());
    for path in ["/v1/state", "/v1/journal", "/metrics"] {
        told.push_str(&agent.text(path));
    }
    told.push_str(&fs::read_to_string(format!("/proc/{}/cmdline", agent.pid())).unwrap());
    assert!(!told.contains("hunter2"), "{told}");
    let mut looked = 0;
    for file in files(&agent.root()) {
        let bytes = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", file.display());
        looked += 1;
    }
    assert!(looked > 5, "the root has files to look into");
}

#[test]
fn a_secret_that_cannot_be_given_is_judged_before_anything_is_staged() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let path = agent.folder().join("db");
    for (mode, why) in [(None, "No such file"), (Some(0o604), "open to all users")] {
        if let Some(mode) = mode {
            write(&path, CONTENT, mode);
        }
        match agent.apply_with(epoch, stage(1, 1), Some(with_secret(&agent, &path))) {
            Err(DriverError::Judged { why: told, .. }) => {
                assert!(told.contains(why) && told.contains(path.to_str().unwrap()), "{told}");
            }
            other => panic!("should have been judged no: {other:?}"),
        }
    }
    assert!(agent.state().revisions.is_empty() && !agent.root().join("revisions/1").exists());
}

#[test]
fn a_restart_takes_the_content_of_that_time_and_the_version_says_that_it_changed() {
    let (mut agent, _, path) = live();
    let before = version(&agent, &path);
    write(&path, "another\n", 0o600);
    assert_ne!(version(&agent, &path), before);
    let value = |agent: &Agent| get(agent.address(), "/value?name=DB_PASSWORD").text().to_owned();
    assert_eq!(value(&agent), CONTENT, "what runs keeps what it was given");
    kill_process(pid(agent.pids()[0]), Signal::KILL).unwrap();
    await_that("it is ready again", || {
        agent.state().revisions[0].instances.iter().any(|one| one.ready && one.restarts == 1)
    });
    assert_eq!(value(&agent), "another");
    write(&path, CONTENT, 0o600);
    agent.kill();
    agent.spawn();
    assert_eq!(version(&agent, &path), before, "another agent of the root has the same key");
}
