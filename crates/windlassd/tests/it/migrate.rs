//! Migrations: once for each revision, whoever asks and whoever dies meanwhile.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Signal, kill_process, kill_process_group};
use windlass_domain::fence::Epoch;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;
use windlass_target::driver::DriverError;

use super::support::{Agent, Answer, await_that, is_alive, pid, stage};
use windlass_target::host::control::Applied;

/// A migration in the shell: notes each start, then does what `then` says. `$NAME` is the release's own variable.
fn migrate(agent: &Agent, then: &str, limit: Span) -> Step {
    let script = format!("echo $$ $NAME \"$1\" >> '{}'; {then}", starts(agent).display());
    let run = ["/bin/sh", "-c", &script, "up", "{revision}"].map(str::to_owned).to_vec();
    Step::Migrate { revision: Sequence(1), run, timeout: limit, reversible: true }
}

fn starts(agent: &Agent) -> PathBuf {
    agent.folder().join("starts")
}

/// The process of each start.
fn started(agent: &Agent) -> Vec<u32> {
    let text = fs::read_to_string(starts(agent)).unwrap_or_default();
    text.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

fn staged() -> (Agent, Epoch) {
    let agent = Agent::start();
    let epoch = agent.claim("first").unwrap().epoch;
    agent.configure(epoch).unwrap();
    let package = agent.package("v1", &[]);
    agent.apply_with(epoch, stage(1, 0), Some(package)).unwrap();
    (agent, epoch)
}

const LONG: Span = Span::seconds(60);

#[track_caller]
fn judged(answer: Answer<Applied>) -> (String, Vec<String>) {
    match answer {
        Err(DriverError::Judged { why, log }) => (why, log),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_migration_runs_once_with_the_releases_environment_and_shows_its_last_lines() {
    let (agent, epoch) = staged();
    let step = migrate(&agent, "pwd; env | grep -c WINDLASS_TEST_SECRET; echo all is well >&2", LONG);
    let first = agent.apply(epoch, step.clone()).unwrap().note;
    assert!(first.contains("migrated after") && first.ends_with("0 | all is well"), "{first}");
    assert!(first.contains("revisions/1/artifact"), "{first}");
    let again = agent.apply(epoch, step.clone()).unwrap().note;
    assert_eq!(again, first, "the same answer, from what is written down");
    assert_eq!(started(&agent).len(), 1);
    assert!(fs::read_to_string(starts(&agent)).unwrap().ends_with(" v1 r1\n"));
    let log = fs::read_to_string(agent.root().join("revisions/1/log/migrate.log")).unwrap();
    assert!(log.contains("all is well"), "{log}");
}

#[test]
fn a_migration_that_fails_is_judged_no_and_not_begun_again() {
    let (agent, epoch) = staged();
    let step = migrate(&agent, "echo no such table; exit 3", LONG);
    for _ in 0..2 {
        let (why, log) = judged(agent.apply(epoch, step.clone()));
        assert!(why.contains("exit code 3"), "{why}");
        assert_eq!(log, ["no such table"]);
    }
    assert_eq!(started(&agent).len(), 1);
}

#[test]
fn a_late_migration_is_stopped_with_its_whole_group() {
    let (agent, epoch) = staged();
    let step = migrate(&agent, "sleep 600 & echo $! >> late; sleep 600", Span::seconds(1));
    let (why, _) = judged(agent.apply(epoch, step));
    assert!(why.contains("did not end within 1s"), "{why}");
    let one = started(&agent)[0];
    await_that("it is gone", || !is_alive(one));
}

#[test]
fn a_program_that_is_missing_is_named() {
    let (agent, epoch) = staged();
    let run = vec!["bin/nothing".to_owned()];
    let step = Step::Migrate { revision: Sequence(1), run, timeout: LONG, reversible: true };
    let (why, _) = judged(agent.apply(epoch, step));
    assert!(why.contains("cannot start the migration of r1") && why.contains("bin/nothing"), "{why}");
}

/// Begins a migration that waits for a file, and gives the file's path.
fn begun(agent: &Agent, epoch: Epoch) -> (Step, PathBuf) {
    let go = agent.folder().join("go");
    let step =
        migrate(agent, &format!("while [ ! -e '{}' ]; do sleep 0.02; done; echo went", go.display()), LONG);
    let asked = agent.client();
    let body =
        windlass_target::host::control::Apply { epoch, after: None, step: step.clone(), package: None };
    // Whoever asked goes away.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let second = std::time::Duration::from_secs(60);
        let _: Answer<Applied> = runtime.block_on(asked.post("/v1/apply", &body, second));
    });
    await_that("it has begun", || started(agent).len() == 1);
    (step, go)
}

#[test]
fn a_migration_outlives_the_run_and_the_agent_and_the_next_run_waits_for_it() {
    let (mut agent, epoch) = staged();
    let (step, go) = begun(&agent, epoch);
    let one = started(&agent)[0];
    agent.kill();
    assert!(is_alive(one), "it outlives the agent");
    agent.spawn();
    let note = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            fs::write(&go, "").unwrap();
        });
        agent.apply(epoch, step).unwrap().note
    });
    assert!(note.contains("it said: went") && !note.contains("cut off"), "{note}");
    assert_eq!(started(&agent), [one], "it was begun once");
}

#[test]
fn a_migration_that_was_cut_off_is_run_again_and_says_so() {
    let (mut agent, epoch) = staged();
    let (step, go) = begun(&agent, epoch);
    let one = started(&agent)[0];
    agent.kill();
    // The keeper leads the group: a machine that goes down takes all of it.
    let stat = fs::read_to_string(format!("/proc/{one}/stat")).unwrap();
    let group = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(2).unwrap().parse().unwrap();
    kill_process_group(pid(group), Signal::KILL).unwrap();
    await_that("it is gone", || !is_alive(one));
    agent.spawn();
    fs::write(&go, "").unwrap();
    let note = agent.apply(epoch, step).unwrap().note;
    assert!(note.contains("cut off before"), "{note}");
    assert_eq!(started(&agent).len(), 2);
}

#[test]
fn withdrawing_waits_for_a_migration_and_a_keeper_that_dies_sets_no_second_one_free() {
    let (agent, epoch) = staged();
    let (step, go) = begun(&agent, epoch);
    let one = started(&agent)[0];
    let stat = fs::read_to_string(format!("/proc/{one}/stat")).unwrap();
    let keeper: u32 =
        stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    kill_process(pid(keeper), Signal::KILL).unwrap();
    await_that("the keeper is gone", || !is_alive(keeper));
    let note = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(500));
            fs::write(&go, "").unwrap();
        });
        agent.apply(epoch, Step::Withdraw { revision: Sequence(1) }).unwrap().note
    });
    assert!(note.contains("after its migration had ended"), "{note}");
    assert!(!is_alive(one));
    assert_eq!(started(&agent), [one]);
    drop(step);
}
