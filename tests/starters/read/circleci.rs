//! CircleCI, with a machine runner.

use serde_json::Value;

use super::{list, pairs, text, yaml};
use crate::steps::{Given, Job, Script, Step};

const SHELL: &[&str] = &["/bin/bash", "-eo", "pipefail", "-c"];

/// Where the workspace of a workflow lies, which jobs add to.
const WORKSPACE: &str = "workspace";

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let file = yaml(file);
    assert_eq!(text(&file["executors"]["agent"]["shell"]), SHELL[..SHELL.len() - 1].join(" "));
    let job = |(name, job): (String, Value)| {
        assert_eq!(job["executor"], "agent");
        let mut vars: Vec<(String, String)> = pairs(&job["environment"])
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, given)))
            .collect();
        if has_context(&file, &name) {
            vars.extend(given.all_secrets());
        }
        Job {
            name,
            goes_on: false,
            steps: list(&job["steps"]).iter().filter_map(|one| step(one, &vars)).collect(),
        }
    };
    pairs(&file["jobs"]).into_iter().map(job).collect()
}

/// Whether a workflow gives the job the context that holds the secrets of notifications.
fn has_context(file: &Value, job: &str) -> bool {
    let jobs = pairs(&file["workflows"]).into_iter().flat_map(|(_, workflow)| list(&workflow["jobs"]));
    let contexts: Vec<Value> = jobs.filter_map(|one| one.get(job)?.get("context").cloned()).collect();
    assert!(
        contexts.iter().all(|context| *context == serde_json::json!(["windlass-notify"])),
        "{contexts:?}"
    );
    !contexts.is_empty()
}

fn step(step: &Value, vars: &[(String, String)]) -> Option<Step> {
    if step == "checkout" {
        return None;
    }
    let (kind, with) = pairs(step).remove(0);
    match kind.as_str() {
        "run" => {
            let mut script = Script::new(SHELL, &text(&with["command"]));
            assert!(!script.text.contains("<<"), "an expression in a script: {}", script.text);
            script.vars = vars.to_vec();
            Some(Step::Run(script))
        }
        "restore_cache" | "save_cache" | "store_test_results" => None,
        "persist_to_workspace" => {
            assert_eq!(with["root"], ".");
            Some(Step::Keep {
                paths: list(&with["paths"]).iter().map(text).collect(),
                name: WORKSPACE.into(),
            })
        }
        "attach_workspace" => Some(Step::Take { name: WORKSPACE.into(), into: text(&with["at"]) }),
        other => panic!("no step is known like {other}"),
    }
}

fn filled(value: &Value, given: &Given<'_>) -> String {
    match text(value).as_str() {
        "<< pipeline.parameters.action >>" => given.action.to_owned(),
        "<< pipeline.parameters.environment >>" => given.environment.to_owned(),
        "<< pipeline.parameters.release >>" => given.release.to_owned(),
        other => panic!("no expression is known like {other}"),
    }
}
