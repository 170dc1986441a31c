//! Steps, as a run applies them.

use std::fs;

use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};
use windlass_target::driver::DriverError;

use super::http::get;
use super::support::{Agent, Answer, all, await_that, is_alive, ready, split, stage};

fn judged<T: std::fmt::Debug>(result: Answer<T>) -> (String, Vec<String>) {
    match result {
        Err(DriverError::Judged { why, log }) => (why, log),
        other => panic!("should have been judged no: {other:?}"),
    }
}

#[test]
fn a_release_goes_all_the_way_and_every_step_twice() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(2);
    assert_eq!(get(address, "/").text(), "v1");
    let old = agent.pids();
    let package = agent.package("v2", &[]);
    let retire = Step::Retire { live: Sequence(2), warm: Vec::new(), keep: vec![Sequence(1), Sequence(2)] };
    let commit = Step::Commit { revision: Sequence(2) };
    for step in
        [stage(2, 2), ready(2, 2), split(2, 5000, 1), Step::Settle, all(2), Step::Settle, commit, retire]
    {
        for _ in 0..2 {
            let package = matches!(step, Step::Stage { .. }).then(|| package.clone());
            let note = agent.apply_with(epoch, step.clone(), package).unwrap().note;
            assert!(!note.is_empty());
        }
    }
    assert_eq!(get(address, "/").text(), "v2");
    let state = agent.state();
    assert_eq!(state.weights, Weights::all(Sequence(2)));
    assert_eq!(state.revisions.iter().map(|revision| revision.instances.len()).collect::<Vec<_>>(), [0, 2]);
    assert!(old.into_iter().all(|pid| !is_alive(pid)), "the old ones are stopped");
    // What was kept comes back from where it lies.
    for step in [stage(1, 1), ready(1, 1), all(1), Step::Settle, Step::Withdraw { revision: Sequence(2) }] {
        agent.apply(epoch, step).unwrap();
    }
    assert_eq!(get(address, "/").text(), "v1");
    agent
        .apply(epoch, Step::Retire { live: Sequence(1), warm: Vec::new(), keep: vec![Sequence(1)] })
        .unwrap();
    assert!(!agent.root().join("revisions/2").exists());
}

#[test]
fn another_artifact_than_was_promised_is_refused() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let package = agent.package("v1", &[]);
    fs::write(package.artifact_path.as_ref().unwrap().join("name"), "tampered").unwrap();
    let (why, _) = judged(agent.apply_with(epoch, stage(1, 1), Some(package)));
    assert!(why.contains("was promised"), "{why}");
    assert!(agent.state().revisions.is_empty());
    assert!(!agent.root().join("revisions/1").exists());
}

#[test]
fn a_staged_copy_that_was_altered_is_not_started_again() {
    let agent = Agent::start();
    let (epoch, _) = agent.live(1);
    agent.raise(epoch, 2, 1);
    agent.apply(epoch, Step::Withdraw { revision: Sequence(2) }).unwrap();
    let path = agent.root().join("revisions/2/artifact/name");
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a test alters what must not be altered")]
    permissions.set_readonly(false);
    fs::set_permissions(&path, permissions).unwrap();
    fs::write(&path, "altered").unwrap();
    let (why, _) = judged(agent.apply(epoch, stage(2, 1)));
    assert!(why.contains("not what was staged"), "{why}");
}

#[test]
fn what_is_staged_is_read_only_and_started_with_a_bare_environment() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let staged = fs::metadata(agent.root().join("revisions/1/artifact/name")).unwrap();
    assert!(staged.permissions().readonly());
    let vars = get(address, "/vars").text().to_owned();
    let mut vars: Vec<&str> = vars.split(' ').collect();
    vars.retain(|name| !["HOME", "LANG", "PATH", "TMPDIR", "TZ", "USER"].contains(name));
    vars.sort_unstable();
    assert_eq!(vars, ["NAME", "PORT", "WINDLASS_INSTANCE"]);
}

#[test]
fn a_release_that_ends_at_once_is_judged_with_its_last_words() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    agent.apply_with(epoch, stage(1, 1), Some(agent.package("v1", &["--exit", "3"]))).unwrap();
    let (why, log) = judged(agent.apply(epoch, ready(1, 1)));
    assert!(why.contains("exit code 3"), "{why}");
    assert!(log.contains(&"cannot open the database".to_owned()), "{log:?}");
}

#[test]
fn a_release_that_never_gets_ready_is_judged_when_its_time_is_over() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let mut package = agent.package("v1", &["--unready"]);
    package.launch.ready.within = Span::millis(300);
    agent.apply_with(epoch, stage(1, 1), Some(package)).unwrap();
    let (why, log) = judged(agent.apply(epoch, ready(1, 1)));
    assert!(why.contains("only 0 of 1 instances of r1 were ready within 300ms"), "{why}");
    assert!(log[0].starts_with("started with"), "{log:?}");
}

#[test]
fn a_command_that_cannot_run_is_judged() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    for (number, run, word) in
        [(1, "no-such-command", "no-such-command"), (2, "{prot}", "unknown placeholder {prot}")]
    {
        let mut package = agent.package("v1", &[]);
        package.launch.run = vec![run.into()];
        agent.apply_with(epoch, stage(number, 1), Some(package)).unwrap();
        let (why, _) = judged(agent.apply(epoch, ready(number, 1)));
        assert!(why.contains(word), "{why}");
    }
}

#[test]
fn nothing_that_gets_requests_is_stopped() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    judged(agent.apply(epoch, Step::Withdraw { revision: Sequence(1) }));
    judged(agent.apply(epoch, Step::Retire { live: Sequence(2), warm: Vec::new(), keep: Vec::new() }));
    judged(agent.apply(epoch, Step::Commit { revision: Sequence(2) }));
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn no_request_is_sent_where_nobody_is_ready() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    judged(agent.apply(epoch, all(9)));
    agent.apply_with(epoch, stage(2, 1), Some(agent.package("v2", &["--unready"]))).unwrap();
    let (why, _) = judged(agent.apply(epoch, split(2, 100, 1)));
    assert!(why.contains("no ready instance"), "{why}");
    let bad = Step::shift(Weights([(Sequence(1), 5000)].into()));
    judged(agent.apply(epoch, bad));
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn configuration_is_staged_and_checked_with_the_artifact() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let folder = agent.folder().join("deploy/config");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("shop.toml"), "a = 1").unwrap();
    let mut package = agent.package("v1", &[]);
    package.config =
        windlass_evidence::artifact::digest_all(agent.folder(), &["deploy/config/".into()]).unwrap();
    package.config_paths = vec![("deploy/config/".into(), folder.clone())];
    agent.apply_with(epoch, stage(1, 1), Some(package.clone())).unwrap();
    assert!(agent.root().join("revisions/1/config/deploy/config/shop.toml").exists());
    fs::write(folder.join("shop.toml"), "a = 2").unwrap();
    let (why, _) = judged(agent.apply_with(epoch, stage(2, 1), Some(package.clone())));
    assert!(why.contains("the configuration is"), "{why}");
    package.config_paths = vec![("../../escape".into(), folder)];
    judged(agent.apply_with(epoch, stage(3, 1), Some(package)));
}

#[test]
fn a_stopped_instance_takes_its_children_along() {
    let agent = Agent::start();
    let (epoch, _) = agent.live(1);
    let note = agent.folder().join("child");
    let package = agent.package("v2", &["--deaf-to-term", note.to_str().unwrap()]);
    agent.apply_with(epoch, stage(2, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(2, 1)).unwrap();
    let child = fs::read_to_string(note).unwrap().parse().unwrap();
    assert!(is_alive(child));
    agent.apply(epoch, Step::Withdraw { revision: Sequence(2) }).unwrap();
    await_that("the child is gone", || !is_alive(child));
}
