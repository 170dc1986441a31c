//! Many at once, and one that slept: real tools and a real agent, raced. Of all that move an environment one does at a
//! time, and whoever comes too late changes nothing.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]

#[path = "races/clocks.rs"]
mod clocks;
#[path = "release/project.rs"]
#[expect(dead_code, reason = "another test's project, of which this needs less")]
mod project;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use project::{Ended, Project};
use rustix::process::{Pid, Signal, kill_process};
use windlass_domain::journal::{History, read_chain};
use windlass_domain::rollout::{Rollout, Step};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The tool in a folder, as on a machine where nobody knows the commits of the others.
fn tool(project: &Project, words: &[&str]) -> Command {
    let mut command = project.command(words);
    command.env("GIT_DIR", "/dev/null");
    command
}

fn run(project: &Project, words: &[&str]) -> Ended {
    Ended::of(&tool(project, words).output().unwrap())
}

fn end(child: Child) -> Ended {
    Ended::of(&child.wait_with_output().unwrap())
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A project whose environment is another's.
fn sharing(root: &Path, label: &str) -> Project {
    let project = Project::new(label);
    project.policy("root: state", &format!("root: {}", root.display()));
    project.policy("bake: 100ms }", "bake: 300ms }\n    keep: 100");
    project
}

/// The ledger, which must be whole: one chain, epochs that never fall, each one run's, nothing open.
fn history(root: &Path) -> History {
    let bytes = std::fs::read(root.join("ledger.jsonl")).unwrap();
    let chain = read_chain(&bytes).unwrap_or_else(|broken| panic!("{broken}"));
    assert!(!chain.torn);
    let mut owners = BTreeMap::new();
    for pair in chain.entries.windows(2) {
        assert!(pair[0].epoch <= pair[1].epoch, "entry {} has a lower epoch", pair[1].number);
    }
    for entry in &chain.entries {
        let owner = owners.entry(entry.epoch).or_insert(&entry.by);
        assert_eq!(*owner, &entry.by, "two wrote under epoch {}", entry.epoch.0);
    }
    History::replay(&chain.entries).unwrap()
}

/// How many processes run in the folder of any revision.
fn instances(root: &Path) -> usize {
    let revisions = root.canonicalize().unwrap().join("revisions");
    let folders = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|process| std::fs::read_link(process.ok()?.path().join("cwd")).ok());
    folders.filter(|folder| folder.starts_with(&revisions)).count()
}

#[test]
fn of_many_at_once_one_moves_at_a_time_and_the_others_are_refused() {
    let first = Project::new("first");
    let root = first.path("state");
    first.policy("bake: 100ms }", "bake: 300ms }\n    keep: 100");
    let others: Vec<Project> = (0..5).map(|index| sharing(&root, &format!("d{index}-0"))).collect();
    let all = || others.iter().chain([&first]);
    let mut labels: BTreeSet<String> = (0..5).map(|index| format!("d{index}-0")).collect();
    labels.insert("first".to_owned());
    let (mut commits, mut refused) = (0, 0);
    for round in 0..4 {
        // In the first round nobody has an agent: they race for that too.
        let mut children: Vec<Child> =
            all().map(|project| tool(project, &["deploy"]).spawn().unwrap()).collect();
        if round > 0 {
            children.extend((0..2).map(|_| tool(&first, &["rollback", "--no-hold"]).spawn().unwrap()));
        }
        let ended: Vec<Ended> = children.into_iter().map(end).collect();
        let mut won = 0;
        for one in &ended {
            match one.code {
                0 => won += 1,
                6 => {
                    assert!(one.told.contains("holds the environment"), "{}", one.all());
                    refused += 1;
                }
                // So many went back that there is nothing before.
                2 if one.told.contains("nothing was live") => {}
                _ => panic!("round {round}: {}", one.all()),
            }
        }
        assert!(won >= 1, "round {round}: nobody moved it");
        commits += won;
        let history = history(&root);
        assert!(history.open().is_none() && !history.is_stuck(), "round {round}");
        assert_eq!(history.commits.len(), commits, "round {round}: as many took over as said so");
        assert_eq!(instances(&root), 1, "round {round}");
        let answer = first.answer();
        assert!(
            labels.iter().any(|label| answer.trim_end().ends_with(label)),
            "round {round}: none of {labels:?} answers: {answer}"
        );
        for (index, project) in others.iter().enumerate() {
            let label = format!("d{index}-{}", round + 1);
            project.build(&label, "");
            labels.insert(label);
        }
        let label = format!("first-{round}");
        first.build(&label, "");
        labels.insert(label);
    }
    assert!(refused > 0, "they never met");
    let log = std::fs::read_to_string(root.join("agent.log")).unwrap();
    assert_eq!(log.matches("the agent is there").count(), 1, "one agent came of it");
    assert!(first.live().is_some() && first.agent().is_some());
}

/// Where a run is stopped.
type Moment = (&'static str, fn(&Rollout) -> bool);

const MOMENTS: [Moment; 4] = [
    ("nothing is done", |rollout| rollout.done.is_empty()),
    ("it is staged", |rollout| has_done(rollout, |step| matches!(step, Step::Stage { .. }))),
    ("it serves", |rollout| has_done(rollout, |step| matches!(step, Step::Settle))),
    ("it is committed", Rollout::is_committed),
];

fn has_done(rollout: &Rollout, which: fn(&Step) -> bool) -> bool {
    rollout.done.iter().any(|record| which(&record.step))
}

fn open_is(root: &Path, holds: fn(&Rollout) -> bool) -> bool {
    let Ok((history, _)) = windlass_target::host::asleep(root) else { return false };
    history.open().is_some_and(holds)
}

/// Stops a run at a moment. `None` where it was over too soon to be stopped.
fn stopped_at(project: &Project, root: &Path, moment: fn(&Rollout) -> bool) -> Option<Child> {
    let mut child = tool(project, &["deploy"]).spawn().unwrap();
    let started = Instant::now();
    while !open_is(root, moment) {
        assert!(started.elapsed() < PATIENCE, "it never gets there");
        if child.try_wait().unwrap().is_some() {
            end(child).is(0);
            return None;
        }
        // Some moments last for a few milliseconds only.
        std::thread::sleep(Duration::from_millis(1));
    }
    signal(&child, Signal::STOP);
    if open_is(root, |_| true) {
        return Some(child);
    }
    signal(&child, Signal::CONT);
    end(child).is(0);
    None
}

/// Deploys as soon as the lease of one that sleeps has run out; until then every try is refused.
fn take_over(project: &Project) -> Duration {
    let started = Instant::now();
    loop {
        let ended = run(project, &["deploy"]);
        if ended.code != 6 {
            ended.is(0);
            return started.elapsed();
        }
        ended.says("holds the environment");
        assert!(started.elapsed() < PATIENCE, "the lease of one that sleeps never ends");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn one_that_slept_through_its_lease_changes_nothing_when_it_wakes() {
    std::thread::scope(|scope| {
        for (name, moment) in MOMENTS {
            scope.spawn(move || {
                let project = Project::new("v1");
                let root = project.path("state");
                run(&project, &["deploy"]).is(0);
                project.policy("bake: 100ms", "bake: 2s");
                let mut tries = 0;
                let sleeper = loop {
                    tries += 1;
                    project.build(&format!("v2-{tries}"), "");
                    if let Some(sleeper) = stopped_at(&project, &root, moment) {
                        break sleeper;
                    }
                    assert!(tries < 20, "{name}: it is always over too soon");
                };
                let next = sharing(&root, "v3");
                let waited = take_over(&next);
                let kept = ["ledger.jsonl", "fence.json", "weights.json", "instances.json"];
                let files = || kept.map(|file| std::fs::read(root.join(file)).unwrap());
                let before = files();
                signal(&sleeper, Signal::CONT);
                end(sleeper).is(6);
                assert!(before == files(), "{name}: it changed what is not its any more");
                assert!(project.answer().contains("v3"), "{name}");
                let history = history(&root);
                assert!(history.open().is_none(), "{name}");
                println!(
                    "races: stopped when {name}: the next took over after {:.1} s",
                    waited.as_secs_f64()
                );
            });
        }
    });
}
