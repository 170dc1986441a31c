//! Azure Pipelines. `$(Pipeline.Workspace)` is the folder around the work tree.

use serde_json::Value;

use super::{list, pairs, text, yaml};
use crate::steps::{Given, Job, Script, Step};

/// What `bash:` means: no `-e`.
const SHELL: &[&str] = &["bash", "--noprofile", "--norc", "-c"];

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let file = yaml(file);
    let cache = text(&file["variables"]["Cache.Folder"]);
    let job = |stage: &Value| {
        let job = &stage["jobs"][0];
        assert_eq!(stage["jobs"].as_array().map(Vec::len), Some(1));
        let steps = job.get("steps").unwrap_or(&job["strategy"]["runOnce"]["deploy"]["steps"]);
        // A secret of a variable group is had only where the stage names the group, and then by its macro alone.
        let groups = stage.get("variables").map(list).unwrap_or_default();
        assert!(groups.iter().all(|group| group["group"] == "windlass-notify"), "{groups:?}");
        let secrets = if groups.is_empty() { &[][..] } else { given.secrets };
        let given = &Given { secrets, ..*given };
        let step = |one: &Value| step(one, &cache, given);
        Job {
            name: text(&stage["stage"]).replace('_', "-"),
            goes_on: false,
            steps: list(steps).iter().filter_map(step).collect(),
        }
    };
    list(&file["stages"]).iter().map(job).collect()
}

fn step(step: &Value, cache: &str, given: &Given<'_>) -> Option<Step> {
    if let Some(bash) = step.get("bash") {
        let mut script = Script::new(SHELL, &around(&text(bash), cache));
        assert!(!script.text.contains("${{"), "an expression in a script: {}", script.text);
        script.vars = pairs(&step["env"])
            .iter()
            .map(|(name, value)| (name.clone(), filled(&around(&text(value), cache), given)))
            .collect();
        return Some(Step::Run(script));
    }
    if let Some(file) = step.get("publish") {
        return Some(Step::Keep { paths: vec![text(file)], name: text(&step["artifact"]) });
    }
    if step.get("download").is_some() {
        let name = text(&step["artifact"]);
        return Some(Step::Take { into: format!("../{name}"), name });
    }
    let task = step.get("task").map(text);
    let is_known =
        step.get("checkout").is_some() || matches!(task.as_deref(), Some("Cache@2" | "PublishTestResults@2"));
    assert!(is_known, "no step is known like {step}");
    None
}

/// Macros are put into a script as they stand.
fn around(script: &str, cache: &str) -> String {
    script.replace("$(Cache.Folder)", cache).replace("$(Pipeline.Workspace)", "..")
}

fn filled(value: &str, given: &Given<'_>) -> String {
    match value {
        "${{ parameters.action }}" => given.action.to_owned(),
        "${{ parameters.environment }}" => given.environment.to_owned(),
        "${{ parameters.release }}" if given.release.is_empty() => "-".to_owned(),
        "${{ parameters.release }}" => given.release.to_owned(),
        macro_ if macro_.starts_with("$(") && macro_.ends_with(')') => {
            let name = &macro_[2..macro_.len() - 1];
            assert!(
                given.secrets.iter().any(|(known, _)| *known == name),
                "no variable is known like {name}"
            );
            given.secret(name)
        }
        plain => {
            assert!(!plain.contains("${{") && !plain.contains("$("), "no expression is known like {plain}");
            plain.to_owned()
        }
    }
}
