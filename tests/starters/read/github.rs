//! GitHub Actions.

use serde_json::Value;

use super::{list, pairs, text, yaml};
use crate::steps::{Given, Job, Script, Step};

/// What `shell: bash` means.
const SHELL: &[&str] = &["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"];

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let file = yaml(file);
    assert_eq!(file["defaults"]["run"]["shell"], "bash");
    let job = |(name, job): (String, Value)| Job {
        name,
        goes_on: false,
        steps: list(&job["steps"]).iter().filter_map(|one| step(one, given)).collect(),
    };
    pairs(&file["jobs"]).into_iter().map(job).collect()
}

fn step(step: &Value, given: &Given<'_>) -> Option<Step> {
    if let Some(run) = step.get("run") {
        let mut script = Script::new(SHELL, &text(run));
        assert!(!script.text.contains("${{"), "an expression in a script: {}", script.text);
        script.vars =
            pairs(&step["env"]).iter().map(|(name, value)| (name.clone(), filled(value, given))).collect();
        return Some(Step::Run(script));
    }
    let uses = text(&step["uses"]);
    let with = |name: &str| text(&step["with"][name]);
    match uses.split('@').next().unwrap() {
        "actions/checkout" | "actions/cache" => None,
        "actions/upload-artifact" => Some(Step::Keep { paths: vec![with("path")], name: with("name") }),
        "actions/download-artifact" => Some(Step::Take { name: with("name"), into: ".".into() }),
        other => panic!("no step is known that uses {other}"),
    }
}

fn filled(value: &Value, given: &Given<'_>) -> String {
    let value = text(value);
    if let Some(name) = value.strip_prefix("${{ secrets.").and_then(|rest| rest.strip_suffix(" }}")) {
        return given.secret(name);
    }
    match value.as_str() {
        "${{ inputs.action }}" => given.action.to_owned(),
        "${{ inputs.environment }}" => given.environment.to_owned(),
        "${{ inputs.release }}" => given.release.to_owned(),
        // There is no forge here to be asked.
        "${{ github.token }}" => String::new(),
        other => panic!("no expression is known like {other}"),
    }
}
