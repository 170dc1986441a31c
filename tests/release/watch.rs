//! `windlass status --watch` follows a rollout to its end, and ends as it ended.

use serde_json::Value;

use super::project::Project;

/// The documents of a watch, one a line.
fn documents(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    text.lines().map(read).collect()
}

#[test]
fn a_watch_has_a_document_for_each_change_and_ends_as_the_rollout_does() {
    let project = Project::new("v1");
    project.deploy().is(0);
    for (label, flags, code, end) in [("v2", "", 0, "live"), ("v3", "--exit-after 1ms", 1, "reverted")] {
        project.build(label, flags);
        let watch = project.start(&["status", "--watch", "--next"]);
        // It must have looked once before anything begins, or it would wait for the rollout after this one.
        std::thread::sleep(std::time::Duration::from_secs(3));
        project.deploy().is(code);
        let watched = watch.wait_with_output().unwrap();
        assert_eq!(watched.status.code(), Some(code), "{}", String::from_utf8_lossy(&watched.stderr));
        let documents = documents(&watched);
        let (last, changes) = documents.split_last().unwrap();
        assert_eq!((last["code"].as_i64(), last.get("change")), (Some(i64::from(code)), None), "{last}");
        assert!(changes.iter().all(|one| one["code"] == 3), "how it ends is not known before");
        let told = changes.iter().map(|one| one.pointer("/change").unwrap());
        let told: Vec<String> =
            told.map(|one| format!("{} {} {}", one["state"], one["step"], one["result"])).collect();
        for step in ["stage", "await-ready"] {
            let has_ended =
                told.iter().any(|one| one.contains(&format!("\"{step} ")) && !one.ends_with("null"));
            assert!(has_ended, "the end of {step} is missing: {told:#?}");
        }
        assert!(told.last().unwrap().starts_with(&format!("\"{end}\"")), "{told:#?}");
    }
}

#[test]
fn a_watch_where_nothing_is_under_way_ends_at_once_and_a_person_reads_lines() {
    let project = Project::new("v1");
    project.deploy().is(0);
    let (code, text) = project.show(&["status", "--watch"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("nothing is under way in live") && text.contains("r1 is live"), "{text}");
    let (code, text) = project.show(&["status", "--next"]);
    assert_eq!(code, 2, "{text}");
}

#[test]
fn a_watch_of_a_rollout_that_nobody_drives_says_so_and_ends() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.policy("bake: 100ms", "bake: 60s");
    project.build("v2", "");
    let mut run = project.start(&["deploy"]);
    super::until("it has shifted", || super::has_shifted(&project));
    run.kill().unwrap();
    run.wait().unwrap();
    project.run(&["status", "--watch"]).is(3).says("no run has held it");
    project.run(&["rollback"]).is(0);
}
