//! What is shipped for GitHub, as it is written: what the emulator does not enforce.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The workflows that others call or copy.
const CALLED: [&str; 3] = ["pipeline.yml", "environment.yml", "rollback.yml"];

fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/workflows");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn workflow(name: &str) -> Value {
    serde_yaml::from_str(&text(name)).unwrap()
}

fn all() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/workflows");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(CALLED.iter().all(|called| names.iter().any(|name| name == called)), "{names:?}");
    names
}

#[track_caller]
fn jobs(workflow: &Value) -> Vec<(String, Value)> {
    let jobs = workflow.get("jobs").and_then(Value::as_object).unwrap();
    jobs.iter().map(|(name, job)| (name.clone(), job.clone())).collect()
}

fn needs(job: &Value) -> Vec<String> {
    match job.get("needs") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(many) => many.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
    }
}

#[test]
fn ours_are_named_by_this_version_and_others_by_their_commit() {
    let ours = concat!("@v", env!("CARGO_PKG_VERSION"));
    let mut counted = [0, 0];
    for name in all() {
        let text = text(&name);
        for line in
            text.lines().filter(|line| line.trim_start().trim_start_matches("- ").starts_with("uses: "))
        {
            let used = line.split_once("uses: ").unwrap().1;
            if used.starts_with("windlass-dev/windlass/") {
                assert!(used.ends_with(ours), "{name}: {used}");
                counted[0] += 1;
            } else {
                let (commit, version) =
                    used.split_once('@').unwrap().1.split_once(" # v").unwrap_or_default();
                let is_commit = commit.len() == 40 && commit.bytes().all(|letter| letter.is_ascii_hexdigit());
                assert!(is_commit && !version.is_empty(), "{name}: {used}");
                counted[1] += 1;
            }
        }
    }
    assert!(counted[0] >= 10 && counted[1] >= 10, "few were found: {counted:?}");
}

#[test]
fn the_order_of_the_jobs_is_by_their_needs() {
    let jobs = jobs(&workflow("pipeline.yml"));
    let job = |name: &str| jobs.iter().find(|(job, _)| job == name).unwrap().1.clone();
    for (name, before) in [("scan", "build"), ("dev", "scan"), ("staging", "dev"), ("production", "staging")]
    {
        let job = job(name);
        assert!(needs(&job).iter().any(|need| need == before), "{name} does not need {before}");
        // A condition of its own would let it run where one of them failed.
        assert!(job.get("if").is_none(), "{name} has a condition");
    }
    assert!(needs(&job("production")).contains(&"provenance".to_owned()));
    let verdict = job("verdict");
    for (name, _) in jobs.iter().filter(|(name, _)| name != "verdict") {
        assert!(needs(&verdict).contains(name), "the verdict does not wait for {name}");
    }
}

#[test]
fn every_job_ends_and_may_do_only_what_it_says() {
    for name in all() {
        let workflow = workflow(&name);
        assert_eq!(workflow.get("permissions"), Some(&Value::Object(serde_json::Map::new())), "{name}");
        for (job, what) in jobs(&workflow) {
            assert!(what.get("permissions").is_some(), "{name}: {job} says nothing of its permissions");
            let calls = what.get("uses").is_some();
            assert!(calls || what.get("timeout-minutes").is_some(), "{name}: {job} may go on for ever");
        }
    }
}

#[test]
fn whatever_moves_an_environment_waits_for_what_moves_it_already() {
    for name in ["environment.yml", "rollback.yml"] {
        let (job, what) = jobs(&workflow(name)).remove(0);
        let concurrency = what.get("concurrency").unwrap();
        let word = |key: &str| concurrency.get(key).unwrap().to_string();
        assert_eq!(word("group"), "\"deploy-${{ inputs.environment }}\"", "{name}: {job}");
        assert_eq!(
            (word("cancel-in-progress"), word("queue")),
            ("false".into(), "\"max\"".into()),
            "{name}: {job}"
        );
        assert_eq!(
            what.pointer("/environment/name"),
            Some(&Value::from("${{ inputs.environment }}")),
            "{name}"
        );
    }
}
