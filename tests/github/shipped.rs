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

/// The steps of a workflow with where they stand.
fn steps(name: &str) -> Vec<(String, Value)> {
    let of = |(job, what): (String, Value)| {
        let steps = what.get("steps").and_then(Value::as_array).cloned().unwrap_or_default();
        steps.into_iter().map(move |step| (format!("{name}: {job}"), step))
    };
    jobs(&workflow(name)).into_iter().flat_map(of).collect()
}

/// The variables of those who are told, by the names that the workflows take them by.
const RECEIVERS: [&str; 7] =
    ["SLACK_URL", "TEAMS_URL", "DISCORD_URL", "HOOK_URL", "HOOK_SECRET", "SMTP_USER", "SMTP_PASSWORD"];

#[test]
fn the_jobs_token_reaches_the_steps_that_ask_the_forge_and_no_other() {
    let mut counted = 0;
    for (place, step) in CALLED.iter().flat_map(|name| steps(name)) {
        let uses = step.get("uses").and_then(Value::as_str).unwrap_or_default();
        let env = |name: &str| step.get("env").and_then(|env| env.get(name)).and_then(Value::as_str);
        let is_one = |tool: &str| uses.contains(&format!("/actions/{tool}@"));
        let token = (is_one("deploy") || is_one("rollback")).then_some("${{ github.token }}");
        assert_eq!(env("GITHUB_TOKEN"), token, "{place}: {step}");
        // Who rolls back asks for nobody's approval.
        let own = is_one("deploy").then_some("${{ secrets.WINDLASS_FORGE_TOKEN }}");
        assert_eq!(env("WINDLASS_FORGE_TOKEN"), own, "{place}: {step}");
        // A plan tells nobody.
        let tells = token.is_some() && step.get("id").and_then(Value::as_str) != Some("plan");
        for name in RECEIVERS {
            let secret = tells.then(|| format!("${{{{ secrets.{name} }}}}"));
            assert_eq!(env(name), secret.as_deref(), "{place}: {step}");
        }
        counted += usize::from(token.is_some());
    }
    assert_eq!(counted, 5);
    for name in CALLED {
        let workflow = workflow(name);
        let whole = [
            workflow.get("env").cloned(),
            jobs(&workflow).iter().find_map(|(_, job)| job.pointer("/env/GITHUB_TOKEN").cloned()),
        ];
        assert_eq!(whole, [None, None], "{name} hands the token to more than a step");
    }
}

/// The permissions of a job, each with its level.
fn permissions(job: &Value) -> Vec<(String, String)> {
    let all = job.get("permissions").and_then(Value::as_object).unwrap();
    all.iter().map(|(name, level)| (name.clone(), level.as_str().unwrap().to_owned())).collect()
}

#[test]
fn who_calls_a_workflow_permits_what_its_jobs_ask_for() {
    // GitHub starts no run in which a called job asks for more than its caller has.
    let release = jobs(&workflow("environment.yml")).remove(0).1;
    let pipeline = jobs(&workflow("pipeline.yml"));
    let calls = pipeline.iter().filter(|(_, job)| job.get("uses").is_some());
    assert_eq!(
        calls.map(|(name, job)| (name.as_str(), permissions(job))).collect::<Vec<_>>(),
        [
            ("dev", permissions(&release)),
            ("staging", permissions(&release)),
            ("production", permissions(&release)),
        ]
    );
    let mut asked: Vec<(String, String)> = pipeline.iter().flat_map(|(_, job)| permissions(job)).collect();
    asked.sort();
    asked.dedup();
    let caller = include_str!("consumer/.github/workflows/release.yml");
    let caller: Value = serde_yaml::from_str(caller).unwrap();
    let mut permitted = permissions(caller.pointer("/jobs/release").unwrap());
    permitted.sort();
    assert_eq!(asked, permitted);
    // And so say the header and the page that people copy from.
    let page = include_str!("../../docs/github.md").split("```").nth(1).unwrap();
    let header: String = text("pipeline.yml").lines().take_while(|line| line.starts_with('#')).collect();
    for (name, level) in asked {
        let entry = format!("{name}: {level}");
        assert!(page.contains(&entry) && header.contains(&entry), "{entry}");
    }
}
