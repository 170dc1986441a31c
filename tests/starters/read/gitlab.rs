//! GitLab CI, with the shell executor: the lines of a script in one shell.

use serde_json::{Map, Value};

use super::{list, pairs, text, yaml};
use crate::steps::{Given, Job, Script, Step};

const SHELL: &[&str] = &["bash", "-eo", "pipefail", "-c"];

/// Keys of the file that are no jobs.
const GLOBAL: [&str; 3] = ["stages", "workflow", "variables"];

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let file = yaml(file);
    let is_job = |name: &str| !name.starts_with('.') && !GLOBAL.contains(&name);
    let stages = list(&file["stages"]);
    let mut before: Option<String> = None;
    let mut jobs = Vec::new();
    for (name, job) in pairs(&file).into_iter().filter(|(name, _)| is_job(name)) {
        let job = extended(&file, &job);
        assert!(stages.contains(&job["stage"]), "{name} is in no stage");
        let lines: Vec<String> = list(&job["script"]).iter().map(text).collect();
        let mut script = Script::new(SHELL, &lines.join("\n"));
        // Variables of the project.
        script.vars = given.all_secrets().collect();
        let by_hand = !job.contains_key("artifacts");
        if by_hand {
            // Variables that are given when a manual job is started.
            script.vars.extend([
                ("WINDLASS_ENVIRONMENT".into(), given.environment.to_owned()),
                ("WINDLASS_TO".into(), given.release.to_owned()),
            ]);
            jobs.push(Job { name, goes_on: false, steps: vec![Step::Run(script)] });
            continue;
        }
        let paths = list(&job["artifacts"]["paths"]).iter().map(text).collect();
        // A job gets what the jobs of earlier stages kept; the newest is the one before it.
        let taken = before.map(|before| Step::Take { name: before, into: ".".into() });
        before = Some(name.clone());
        let kept = Step::Keep { paths, name: name.clone() };
        jobs.push(Job {
            name,
            goes_on: false,
            steps: taken.into_iter().chain([Step::Run(script), kept]).collect(),
        });
    }
    jobs
}

/// A job with what it extends; maps are merged, as GitLab does.
fn extended(file: &Value, job: &Value) -> Map<String, Value> {
    let own = job.as_object().unwrap();
    let Some(base) = job.get("extends") else { return own.clone() };
    let mut whole = extended(file, &file[text(base)]);
    for (key, value) in own {
        match (whole.get_mut(key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => under.extend(over.clone()),
            _ => drop(whole.insert(key.clone(), value.clone())),
        }
    }
    whole
}
