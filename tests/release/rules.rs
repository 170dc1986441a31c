//! Rules of `docs/rollout.md` that only a real host can show.

use windlass_domain::fence::Owner;
use windlass_domain::policy::Span;
use windlass_domain::rollout::{Step, Weights};
use windlass_target::driver::Driver as _;

use super::project::Project;

/// A policy with a configuration and an environment variable that come and go with a release.
fn with_config(label: &str) -> Project {
    let project = Project::new(label);
    project.policy("artifact: dist/", "artifact: dist/\n  config: [conf/]");
    project.policy("drain: 1s", "drain: 1s\n      env: { COLOUR: red }");
    project.write("conf/prices", "one\n");
    project
}

#[test]
fn a_rollback_brings_back_artifact_configuration_and_parameters_together() {
    let project = with_config("v1");
    project.deploy().is(0);
    let first = project.run(&["status"]).document.pointer("/environments/0/release").unwrap().clone();
    assert!(
        first["config"].is_string() && first.pointer("/parameters/env/COLOUR").unwrap() == "red",
        "{first}"
    );
    project.policy("COLOUR: red", "COLOUR: blue");
    project.write("conf/prices", "two\n");
    project.build("v2", "");
    project.deploy().is(0);
    project.run(&["rollback"]).is(0);
    let back = project.run(&["status"]).document.pointer("/environments/0/release").unwrap().clone();
    assert_eq!(back, first);
    assert!(project.answer().contains("v1"));
    // What runs is what is told: the process's own environment, and the configuration beside it.
    let pid = instance(&project);
    let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    assert!(String::from_utf8_lossy(&variables).contains("COLOUR=red"), "{pid}");
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    let prices = ["conf/prices", "../conf/prices", "../config/conf/prices"];
    let found = prices.iter().find_map(|path| std::fs::read_to_string(folder.join(path)).ok());
    assert_eq!(found.as_deref(), Some("one\n"), "beside {}", folder.display());
}

/// The process of the only instance that runs.
fn instance(project: &Project) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let state = runtime.block_on(project.host().state()).unwrap();
    let running = state.revisions.iter().flat_map(|revision| &revision.instances);
    running.filter_map(|instance| instance.pid).map(u64::from).next().unwrap()
}

#[test]
fn a_way_back_whose_files_are_gone_is_refused_before_anything_is_touched() {
    let project = Project::new("v1");
    project.deploy().is(0);
    let agent = project.agent().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &agent]).status().unwrap().success());
    let revisions = project.path("state/revisions");
    let anchor = std::fs::read_dir(&revisions).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(&anchor).unwrap();
    project.build("v2", "");
    project.deploy().is(6).says("no way back to r1");
    let opened = project.history().unwrap().rollouts.len();
    assert_eq!(opened, 1, "a rollout was opened all the same");
}

#[test]
fn what_one_environment_retires_leaves_another_environment_alone() {
    let project = Project::new("v1");
    let text = std::fs::read_to_string(project.path("windlass.yml")).unwrap();
    let (head, live) = text.split_once("  live:\n").unwrap();
    let other = live.replace("root: state", "root: state2");
    project.write("windlass.yml", &format!("{head}  live:\n{live}    keep: 0\n  other:\n{other}"));
    project.write(".gitignore", "state/\nstate2/\n.windlass/\n");
    project.run(&["deploy", "-e", "other"]).is(0);
    let before = project.run(&["status", "-e", "other"]);
    for label in ["v1", "v2", "v3", "v4"] {
        project.build(label, "");
        project.run(&["deploy", "-e", "live"]).is(0);
    }
    let staged = |root: &str| std::fs::read_dir(project.path(root).join("revisions")).unwrap().count();
    assert_eq!((staged("state"), staged("state2")), (2, 1), "the live one and its anchor stay");
    let after = project.run(&["status", "-e", "other"]);
    let of = |status: &super::project::Ended, at: &str| status.document.pointer(at).cloned();
    for at in ["/environments/0/live", "/environments/0/weights", "/environments/0/address"] {
        assert_eq!(of(&before, at), of(&after, at), "{at}");
    }
    let ready = after.document.pointer("/environments/0/revisions/0/ready").unwrap();
    assert_eq!(ready, 1);
}

#[test]
fn a_rollback_to_what_is_live_already_passes_and_changes_nothing() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "");
    project.deploy().is(0);
    let before = super::ledger(&project);
    for words in [&["rollback", "--to", "2"][..], &["rollback", "--to", "2", "--plan"]] {
        project.run(words).is(0).says("r2 is live already");
    }
    assert_eq!(super::ledger(&project), before, "no hold, no entry");
    project.run(&["rollback", "--to", "1"]).is(0);
    let before = super::ledger(&project);
    project.run(&["rollback", "--to", "1"]).is(0).says("r1 is live already").says("rolled back to r1");
    assert_eq!(super::ledger(&project), before);
    assert!(project.answer().contains("v1"));
    project.run(&["rollback", "--to", "3"]).is(2).says("r3 was never live");
}

#[test]
fn a_rollback_to_what_is_live_and_serves_nothing_has_it_serve_again() {
    let project = Project::new("v1");
    project.deploy().is(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Somebody takes the requests away by hand.
        let host = project.host();
        let owner = Owner { run: "by-hand".into(), who: "by hand".into() };
        let lease = host.claim(&owner, Span::seconds(60)).await.unwrap();
        host.apply(&lease, &Step::shift(Weights::none())).await.unwrap();
        host.release(&lease).await.unwrap();
    });
    assert!(project.answer().contains("503"));
    let back = project.run(&["rollback", "--to", "1"]).is(0);
    assert!(!back.all().contains("live already"), "{}", back.all());
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_corrupted_ledger_is_told_with_what_puts_it_right_and_that_does() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "");
    project.deploy().is(0);
    let path = project.path("state/ledger.jsonl");
    let sound = std::fs::read_to_string(&path).unwrap();
    let lines = sound.lines().count();
    // The last line, in its middle; a line feed would be another fault.
    let mut corrupted = sound.clone().into_bytes();
    let last = sound.trim_end().rfind('\n').unwrap() + 1;
    let at = last + corrupted[last..].iter().position(u8::is_ascii_lowercase).unwrap();
    corrupted[at] ^= 1;
    let corrupt = || std::fs::write(&path, &corrupted).unwrap();
    let line = format!("line {lines} of {}", path.display());
    let address = project.address().unwrap();

    corrupt();
    let awake = project.run(&["history"]).is(3);
    awake.says(&format!("line {lines} of the ledger is corrupted"));
    project.deploy().is(3).says(&line).says("--take-over`");
    assert!(Project::answer_at(&address).contains("v2"), "serving goes on");
    std::fs::write(&path, &sound).unwrap();

    project.run(&["stop"]).is(0);
    corrupt();
    let asleep = project.deploy().is(3).says(&line).says("it started no agent");
    assert_eq!(project.live_agent(), None, "an agent was started");
    assert_eq!(std::fs::read(&path).unwrap(), corrupted, "nothing is written");
    // The command that it names, as a person runs it.
    let all = asleep.told.clone();
    let command = all.split('`').find(|text| text.starts_with("cp -p ")).unwrap();
    let done = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(done.success(), "{command}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), &sound[..last]);
    project.run(&["status"]).is(0);
    project.deploy().is(0);
    assert!(project.answer().contains("v2"));
}
