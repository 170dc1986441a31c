//! What stays of earlier releases: warm or cold, never less than the way back, never another environment's.

use crate::project::{Ended, Project};
use crate::until;

/// The staged revisions, oldest first.
fn staged(project: &Project, root: &str) -> Vec<u64> {
    let entries = std::fs::read_dir(project.path(root).join("revisions")).unwrap();
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The revisions that run, from the agent's own list.
fn running(project: &Project) -> Vec<u64> {
    let text = std::fs::read_to_string(project.path("state/instances.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut numbers: Vec<u64> = kept["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["revision"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[test]
fn the_anchor_stays_warm_and_going_back_to_it_starts_nothing() {
    let project = Project::new("v1");
    project.policy("strategy: {", "keep: { releases: 1, warm: 1 }\n    strategy: {");
    project.deploy().is(0);
    for label in ["v2", "v3", "v4"] {
        project.build(label, "");
        project.deploy().is(0);
    }
    assert_eq!((staged(&project, "state"), running(&project)), (vec![2, 3, 4], vec![3, 4]));
    let warm: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(project.path("state/instances.json")).unwrap())
            .unwrap();
    let back = project.run(&["rollback"]).is(0);
    assert!(project.answer().contains("v3"));
    let now: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(project.path("state/instances.json")).unwrap())
            .unwrap();
    let processes = |kept: &serde_json::Value| {
        let list = kept["instances"].as_array().unwrap().clone();
        list.into_iter().find(|one| one["revision"] == 3).unwrap()["process"].clone()
    };
    assert_eq!(processes(&warm), processes(&now), "the same process: {}", back.all());
    // What was replaced is what a second thought returns to.
    assert_eq!(running(&project), [3, 4]);
}

#[test]
fn a_warm_instance_that_ends_is_started_again() {
    let project = Project::new("v1");
    project.policy("strategy: {", "keep: { releases: 1, warm: 1 }\n    strategy: {");
    project.deploy().is(0);
    project.build("v2", "");
    project.deploy().is(0);
    let pid = || {
        let text = std::fs::read_to_string(project.path("state/instances.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        let instances = kept["instances"].as_array().unwrap().clone();
        instances.into_iter().find(|one| one["revision"] == 1).and_then(|one| one["process"]["pid"].as_u64())
    };
    let before = pid().unwrap();
    assert!(
        std::process::Command::new("kill").args(["-KILL", &before.to_string()]).status().unwrap().success()
    );
    until("another is there", || pid().is_some_and(|pid| pid != before));
    assert_eq!(running(&project), [1, 2]);
}

#[test]
fn nothing_is_removed_before_the_commit() {
    let project = Project::new("v1");
    project.policy("strategy: {", "keep: 0\n    strategy: {");
    project.deploy().is(0);
    project.build("v2", "");
    project.deploy().is(0);
    assert_eq!(staged(&project, "state"), [1, 2], "the anchor stays though nothing else does");
    let text = std::fs::read_to_string(project.path("windlass.yml")).unwrap();
    let waits = "'touch state-here; until test -e state-go; do sleep 0.05; done'";
    project.write(
        "windlass.yml",
        &format!("{text}    hooks: [{{ before: commit, run: [/bin/sh, -c, {waits}] }}]\n"),
    );
    project.build("v3", "");
    let run = project.start(&["deploy"]);
    until("it waits before the commit", || project.path("state-here").exists());
    assert_eq!(staged(&project, "state"), [1, 2, 3]);
    project.write("state-go", "");
    Ended::of(&run.wait_with_output().unwrap()).is(0);
    assert_eq!(staged(&project, "state"), [2, 3]);
}
