//! Buildkite: the commands of each step in one shell, `$$` being a `$` after the upload. `agent.rs` has the real agent do
//! the same.

use serde_json::Value;

use super::{list, text, yaml};
use crate::steps::{Given, Job, Script, Step};

const SHELL: &[&str] = &["/bin/bash", "-e", "-c"];

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let file = yaml(file);
    list(&file["steps"])
        .iter()
        .filter(|step| step.get("block").is_none())
        .map(|step| job(step, given))
        .collect()
}

fn job(step: &Value, given: &Given<'_>) -> Job {
    let commands = step.get("commands").unwrap_or(&step["command"]);
    let commands: Vec<String> = list(commands).iter().map(text).collect();
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    for command in commands {
        match command.strip_prefix("buildkite-agent artifact download release.tar . --step ") {
            Some(from) => steps.push(Step::Take { name: from.to_owned(), into: ".".into() }),
            None => lines.push(command.replace("$$", "$")),
        }
    }
    let mut script = Script::new(SHELL, &lines.join("\n"));
    assert!(!script.text.contains("buildkite-agent"), "{}", script.text);
    // Variables of the build, as they are given to New Build.
    script.vars = vec![
        ("ACTION".into(), given.action.into()),
        ("WINDLASS_ENVIRONMENT".into(), given.environment.into()),
        ("WINDLASS_TO".into(), given.release.into()),
        ("BUILDKITE_BUILD_CREATOR".into(), "Ada".into()),
    ];
    for name in step.get("secrets").map(list).unwrap_or_default() {
        script.vars.push((text(&name), given.secret(&text(&name))));
    }
    steps.push(Step::Run(script));
    let name = text(&step["key"]);
    if let Some(paths) = step.get("artifact_paths") {
        steps.push(Step::Keep { paths: vec![text(paths)], name: name.clone() });
    }
    Job { name, goes_on: false, steps }
}
