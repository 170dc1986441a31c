//! Each of the three clocks, run out for real: the release is put back, and the reason names the clock.

use super::project::Project;

/// A release that does not get ready within these clocks.
fn refused_by(clocks: &str, says: &str) {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.policy("within: 4s", "within: 60s");
    project.policy("    strategy:", &format!("    clocks: {clocks}\n    strategy:"));
    project.build("v2", "--never-ready");
    project.deploy().is(1).says(says);
    assert!(project.answer().contains("v1"));
    assert_eq!(project.live(), Some(1));
}

#[test]
fn the_step_clock_turns_a_rollout_back() {
    refused_by("{ step: 2s, progress: 50s, total: 5m }", "did not end within the step clock of 2s");
}

#[test]
fn the_progress_clock_turns_a_rollout_back() {
    refused_by("{ step: 50s, progress: 2s, total: 5m }", "did not end within the progress clock of 2s");
}

#[test]
fn the_total_clock_turns_a_rollout_back() {
    refused_by("{ step: 4s, progress: 4s, total: 4s }", "did not end within the total clock of 4s");
}
