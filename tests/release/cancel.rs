//! Told to stop as GitHub tells it, in each phase: SIGINT, 7.5 s later SIGTERM, 2.5 s later a kill. The run must be gone
//! by then, and the next one finishes what it left.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::project::{Ended, Project};
use super::until;

/// When the second signal comes, and when the kill.
const SECOND: Duration = Duration::from_millis(7_500);
const KILL: Duration = Duration::from_secs(10);

/// The state of the open rollout.
fn state(project: &Project) -> String {
    let history = project.history();
    history.and_then(|history| history.open().map(|open| open.word().to_owned())).unwrap_or_default()
}

fn signal(run: &Child, name: &str) {
    // A run that has just ended by itself cannot be told.
    let _ = Command::new("kill").args([name, &run.id().to_string()]).status().unwrap();
}

/// Starts `deploy`, waits for a state, tells it to stop, and gives what it said at its end.
fn stopped_in(project: &Project, wanted: &str) -> Ended {
    let mut run = project.start(&["deploy"]);
    until(wanted, || state(project) == wanted);
    let told = Instant::now();
    signal(&run, "-INT");
    let mut is_told_twice = false;
    while run.try_wait().unwrap().is_none() {
        assert!(told.elapsed() < KILL, "{wanted}: it would be killed now");
        if told.elapsed() >= SECOND && !is_told_twice {
            is_told_twice = true;
            signal(&run, "-TERM");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = Ended::of(&run.wait_with_output().unwrap()).is(3);
    assert_eq!(state(project), wanted, "it is left where it was");
    ended
}

fn live() -> Project {
    let project = Project::new("v1");
    project.deploy().is(0);
    project
}

#[test]
fn a_run_told_to_stop_while_instances_start_leaves_and_the_next_one_finishes() {
    let project = live();
    project.policy("within: 4s", "within: 60s");
    project.build("v2", "--never-ready");
    stopped_in(&project, "starting");
    project.build("v3", "");
    project.deploy().is(0);
    assert!(project.answer().contains("v3"));
}

#[test]
fn a_run_told_to_stop_while_it_judges_leaves_and_the_next_one_finishes() {
    let project = live();
    project.policy("bake: 100ms", "bake: 40s");
    project.build("v2", "");
    stopped_in(&project, "verifying");
    project.run(&["rollback"]).is(0);
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_run_told_to_stop_while_it_pauses_leaves_and_the_next_one_finishes() {
    let project = live();
    let own = "{ kind: custom, steps: [{ weight: 50% }, { pause: 40s }] }";
    project.policy("{ kind: canary, steps: [50%], bake: 100ms }", own);
    project.build("v2", "");
    stopped_in(&project, "pausing");
    project.run(&["rollback"]).is(0);
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_run_told_to_stop_while_requests_drain_leaves_and_the_next_one_finishes() {
    let project = live();
    project.policy("drain: 1s", "drain: 40s");
    // Only one shift, so that what settles is the drain of the old.
    project.policy("{ kind: canary, steps: [50%], bake: 100ms }", "blue-green");
    // The drain of what is live is what it was deployed with.
    project.build("v2", "");
    project.deploy().is(0);
    let mut slow = std::net::TcpStream::connect(project.address().unwrap()).unwrap();
    slow.write_all(b"GET /slow?ms=30000 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    until("the slow request is in flight", || {
        let status = project.run(&["status"]);
        let revisions =
            status.document.pointer("/environments/0/revisions").unwrap().as_array().unwrap().clone();
        revisions.iter().any(|one| one["in_flight"].as_u64().unwrap_or(0) > 0)
    });
    project.build("v3", "");
    stopped_in(&project, "settling");
    project.deploy().is(0);
    assert!(project.answer().contains("v3"));
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "the slow request was cut: {answer}");
}

#[test]
fn a_run_told_to_stop_while_the_old_ends_leaves_and_the_next_one_finishes() {
    let project = Project::new("v1");
    project.policy("stop: 2s", "stop: 15s");
    project.build_stubborn("v1", "");
    project.deploy().is(0);
    project.build("v2", "");
    stopped_in(&project, "retiring");
    assert!(project.answer().contains("v2"), "what is committed is live");
    project.deploy().is(0).says("recovered");
    assert!(project.answer().contains("v2"));
}

#[test]
fn a_run_told_to_stop_on_the_way_back_leaves_and_a_revert_that_the_next_one_finishes_is_never_green() {
    let project = live();
    project.policy("within: 4s", "within: 1s");
    project.policy("stop: 2s", "stop: 15s");
    project.build_stubborn("v2", "--never-ready");
    stopped_in(&project, "reverting");
    // The same release again: it was refused, whoever finishes the way back.
    project.deploy().is(1).says("ready");
    assert!(project.answer().contains("v1"));
}
