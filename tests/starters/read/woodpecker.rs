//! Woodpecker, with the local backend: each step in a shell of its own, one work tree for a pipeline. A push, a deployment
//! and a manual pipeline are three pipelines of one file.

use serde_json::Value;

use super::{list, pairs, text, yaml};
use crate::steps::{Given, Job, Script, Step};

const SHELL: &[&str] = &["bash", "-e", "-c"];

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let file = yaml(file);
    let mut jobs: Vec<Job> = Vec::new();
    for step in list(&file["steps"]) {
        assert_eq!(step["image"], "bash", "the local backend takes the image for a shell");
        let (name, goes_on) = job_of(&step);
        let lines: Vec<String> = list(&step["commands"]).iter().map(text).collect();
        let mut script = Script::new(SHELL, &lines.join("\n").replace("$${", "${"));
        if name == "by-hand" {
            script.vars = vec![
                ("ACTION".into(), given.action.into()),
                ("WINDLASS_ENVIRONMENT".into(), given.environment.into()),
                ("WINDLASS_TO".into(), given.release.into()),
            ];
        }
        for (name, from) in pairs(&step["environment"]) {
            script.vars.push((name, given.secret(&text(&from["from_secret"]))));
        }
        script.vars.push(("CI_PIPELINE_AUTHOR".into(), "ada".into()));
        match jobs.last_mut().filter(|job| job.name == name) {
            Some(job) => job.steps.push(Step::Run(script)),
            None => jobs.push(Job { name: name.to_owned(), goes_on, steps: vec![Step::Run(script)] }),
        }
    }
    jobs
}

/// Which part of the whole a step is, and whether it goes on in the work tree of the part before.
fn job_of(step: &Value) -> (&'static str, bool) {
    let name = text(&step["name"]);
    match text(&step["when"]["event"]).as_str() {
        "push" if name == "build" => ("build", false),
        "push" if name.ends_with(" dev") => ("dev", true),
        "push" if name.ends_with(" staging") || name == "put by" => ("staging", true),
        "deployment" => ("production", false),
        "manual" => ("by-hand", false),
        _ => panic!("no step is known like {step}"),
    }
}
