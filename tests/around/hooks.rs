//! Hooks: run by the run itself, kept, and never between an environment and its way back.

use crate::project::Project;
use crate::until;

fn hooked(hooks: &str) -> Project {
    let project = Project::new("v1");
    project.deploy().is(0);
    let text = std::fs::read_to_string(project.path("windlass.yml")).unwrap();
    project.write("windlass.yml", &format!("{text}    hooks:\n{hooks}"));
    project.build("v2", "");
    project
}

fn log(project: &Project, name: &str) -> String {
    let folder = project.path(".windlass/hooks");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let path = entries.into_iter().find(|path| path.to_str().unwrap().ends_with(name));
    std::fs::read_to_string(path.unwrap_or_else(|| panic!("no {name} in {}", folder.display()))).unwrap()
}

#[test]
fn a_hook_that_fails_before_the_shift_turns_the_rollout_back_and_its_output_is_kept() {
    let project = hooked(
        "      - { before: shift, run: [/bin/sh, -c, 'echo cache is cold; echo $WINDLASS_REVISION {environment}; exit 3'] }\n\
         \x20     - { before: revert, run: [/bin/sh, -c, 'echo reverting; exit 5'] }\n",
    );
    let ended =
        project.deploy().is(1).says("hook `before shift`").says("exit status: 3").says("cache is cold");
    assert!(project.answer().contains("v1"));
    assert!(log(&project, "before-shift.log").contains("r2 live\n"));
    assert!(log(&project, "before-revert.log").contains("reverting"));
    let steps = ended.document.pointer("/steps").unwrap().to_string();
    assert!(!steps.contains("shift r2 50%"), "nothing was sent to the new: {steps}");
    assert!(
        steps.contains("hook before revert") && ended.all().contains("held nothing up"),
        "{}",
        ended.all()
    );
}

#[test]
fn a_hook_that_fails_after_the_commit_leaves_the_release_live_and_a_warning() {
    let project = hooked("      - { after: commit, run: [/bin/sh, -c, 'echo no such zone; exit 1'] }\n");
    project.deploy().is(0).says("held nothing up").says("no such zone");
    assert!(project.answer().contains("v2"));
    // A rollback has hooks too.
    project.run(&["rollback"]).is(0).says("held nothing up");
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_hook_of_a_killed_run_is_run_again_and_one_of_a_stopped_run_ends_with_it() {
    let project = hooked(
        "      - { before: commit, run: [/bin/sh, -c, 'echo $$ >> state-hook; test -e state-go || exec sleep 600'] }\n",
    );
    let hooks = || {
        let text = std::fs::read_to_string(project.path("state-hook")).unwrap_or_default();
        text.lines().map(|line| line.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    let is_alive = |pid: u32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    };
    let run = project.start(&["deploy"]);
    until("the hook has begun", || hooks().len() == 1);
    let pid = run.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    crate::project::Ended::of(&run.wait_with_output().unwrap()).is(3);
    assert!(!is_alive(hooks()[0]), "it ended with the run");
    project.write("state-go", "");
    project.deploy().is(0).says("an earlier run left");
    assert_eq!(hooks().len(), 2);
    assert!(project.answer().contains("v2"));
}

#[test]
fn an_unknown_word_in_a_hook_touches_nothing() {
    let project = hooked("      - { before: stage, run: [bin/warm, '{port}'] }\n");
    project.deploy().is(2).says("{port}").says("before stage");
    assert!(project.answer().contains("v1"));
}
