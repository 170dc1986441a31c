//! Every step of every workflow and action that is shipped, and which test has it executed. A step that is not listed fails
//! here; one that is listed and was not executed fails the test that it names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::act::Ran;
use crate::released::builds;

/// What executes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The pipeline from commit to production, and what stops it.
    Way,
    /// `rollback.yml`, by hand.
    Hand,
    /// A run that is cancelled in the middle of a shift.
    Cancelled,
    /// A fork's pull request.
    Fork,
    /// `release.yml`, published.
    Release,
    /// Nothing here, for this reason.
    Nobody(&'static str),
}

const CI: By =
    By::Nobody("it runs these tests: the file is read by the linters, and .ci/run by whoever runs it");

/// The file, the key of the job, the name of the step.
const STEPS: [(&str, &str, &str, By); 49] = [
    ("ci.yml", "check", "Check the source out", CI),
    ("ci.yml", "check", "Check, test and lint everything", CI),
    ("environment.yml", "release", "Check the source out", By::Way),
    ("environment.yml", "release", "Bring the release", By::Way),
    ("environment.yml", "release", "Unpack the release that was built, and no other", By::Way),
    ("environment.yml", "release", "Bring the evidence so far", By::Way),
    ("environment.yml", "release", "Add the approvals that people signed", By::Way),
    ("environment.yml", "release", "Judge", By::Way),
    ("environment.yml", "release", "Plan", By::Way),
    ("environment.yml", "release", "Deploy", By::Way),
    ("environment.yml", "release", "Look whether it stays healthy", By::Way),
    ("environment.yml", "release", "Put it back, as it is not healthy", By::Way),
    ("environment.yml", "release", "Put it back, as the run was cancelled", By::Cancelled),
    ("environment.yml", "release", "Keep the evidence", By::Way),
    ("pipeline.yml", "build", "Check the source out", By::Way),
    ("pipeline.yml", "build", "Bring what an earlier build kept", By::Way),
    ("pipeline.yml", "build", "Build", By::Way),
    ("pipeline.yml", "build", "Test", By::Way),
    ("pipeline.yml", "build", "Pack, as uploads lose permissions", By::Way),
    ("pipeline.yml", "build", "Hand the release on", By::Way),
    ("pipeline.yml", "provenance", "Say that the build of a fork's pull request is not attested", By::Fork),
    ("pipeline.yml", "provenance", "Bring the release", By::Way),
    ("pipeline.yml", "provenance", "Attest what was built", By::Way),
    ("pipeline.yml", "scan", "Check the source out", By::Way),
    ("pipeline.yml", "scan", "Bring the release", By::Way),
    ("pipeline.yml", "scan", "Unpack the release that was built, and no other", By::Way),
    ("pipeline.yml", "scan", "Scan", By::Way),
    ("pipeline.yml", "scan", "Keep the evidence", By::Way),
    ("pipeline.yml", "verdict", "Say how it went", By::Way),
    ("rollback.yml", "rollback", "Check the source out", By::Hand),
    ("rollback.yml", "rollback", "Go back", By::Hand),
    ("rollback.yml", "rollback", "Keep the evidence", By::Hand),
    ("release.yml", "build", "Check the source out", By::Release),
    ("release.yml", "build", "Add the target", By::Release),
    (
        "release.yml",
        "build",
        "Build each by itself, as the whole workspace would unify features",
        By::Release,
    ),
    ("release.yml", "build", "Hand the binaries on", By::Release),
    ("release.yml", "pack", "Check the source out", By::Release),
    ("release.yml", "pack", "Bring the binaries", By::Release),
    ("release.yml", "pack", "Pack, list the parts, and write the manifest", By::Release),
    ("release.yml", "pack", "Hand the release on", By::Release),
    ("release.yml", "attest", "Bring the release", By::Release),
    ("release.yml", "attest", "Attest what was packed", By::Release),
    ("release.yml", "publish", "Check the source out", By::Release),
    ("release.yml", "publish", "Bring the release", By::Release),
    ("release.yml", "publish", "Tag the commit that names what was built", By::Release),
    ("release.yml", "publish", "Publish", By::Release),
    ("release.yml", "crates", "Check the source out", By::Release),
    ("release.yml", "crates", "Be known to crates.io", By::Release),
    ("release.yml", "crates", "Publish each after what it depends on", By::Release),
];

/// Under which names the jobs of a key are seen in a run.
fn shown(file: &str, job: &str) -> Vec<String> {
    match (file, job) {
        ("environment.yml", _) => ["dev", "staging", "production"].map(str::to_owned).to_vec(),
        ("release.yml", "build") => builds().collect(),
        ("rollback.yml", _) => vec!["production".to_owned()],
        ("pipeline.yml", "build") => vec!["build and test".to_owned()],
        (_, job) => vec![job.to_owned()],
    }
}

/// Every step that this is to execute was begun and ended in one of these runs, with whatever result.
#[track_caller]
pub(crate) fn executed(by: By, runs: &[Ran]) {
    let mine: Vec<_> = STEPS.iter().filter(|(.., one)| *one == by).collect();
    assert!(!mine.is_empty(), "{by:?} executes nothing");
    for (file, job, step, _) in mine {
        let is_seen = shown(file, job)
            .iter()
            .any(|job| runs.iter().any(|ran| ran.steps.contains_key(&format!("{job}: {step}"))));
        let seen: BTreeSet<&String> = runs.iter().flat_map(|ran| ran.steps.keys()).collect();
        assert!(is_seen, "{file}: {job}: {step:?} was never executed; these were: {seen:#?}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The name of a step; one that bears none cannot be told from another.
#[track_caller]
fn name(place: &str, step: &Value) -> String {
    let name = step.get("name").and_then(Value::as_str);
    name.unwrap_or_else(|| panic!("{place}: a step has no name: {step}")).to_owned()
}

#[test]
fn every_step_that_is_shipped_is_one_that_a_test_executes() {
    let mut there: Vec<(String, String, String)> = Vec::new();
    for path in files(".github/workflows") {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        for (job, what) in yaml(&path).get("jobs").and_then(Value::as_object).unwrap() {
            for step in what.get("steps").and_then(Value::as_array).into_iter().flatten() {
                there.push((file.clone(), job.clone(), name(&file, step)));
            }
        }
    }
    let mut listed: Vec<(String, String, String)> = STEPS
        .iter()
        .map(|(file, job, step, _)| ((*file).to_owned(), (*job).to_owned(), (*step).to_owned()))
        .collect();
    there.sort();
    listed.sort();
    // Two of one name in one job would be one here and in what the emulator says.
    assert!(there.windows(2).all(|pair| pair[0] != pair[1]), "{there:#?}");
    assert_eq!(
        there, listed,
        "a new step needs a test that executes it, and a line in STEPS that names that"
    );
    for (file, job, step, by) in STEPS {
        if let By::Nobody(why) = by {
            assert!(why.len() > 20, "{file}: {job}: {step}: why not?");
        }
    }
}

/// The actions, each of which is one step.
pub(crate) fn actions() -> Vec<String> {
    let folders = files("actions").into_iter().filter(|path| path.join("action.yml").is_file());
    folders
        .map(|path| {
            let action = yaml(&path.join("action.yml"));
            let steps = action.pointer("/runs/steps").and_then(Value::as_array).unwrap();
            let ids: Vec<&str> =
                steps.iter().map(|step| step.get("id").and_then(Value::as_str).unwrap_or_default()).collect();
            assert_eq!(ids, ["run"], "{}: only one step is looked for", path.display());
            path.file_name().unwrap().to_str().unwrap().to_owned()
        })
        .collect()
}

/// What the workflows leave to scripts is executed with them: by a step, or by a script that one calls.
#[test]
fn every_script_beside_the_workflows_is_called_by_one_that_is_executed() {
    let text = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let workflows: String = files(".github/workflows").iter().map(text).collect();
    let scripts = files(".github/scripts");
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let (mut called, rest): (Vec<&PathBuf>, Vec<&PathBuf>) =
        scripts.iter().partition(|path| workflows.contains(&format!(".github/scripts/{}", name(path))));
    assert!(called.len() > 2, "{called:?}");
    let mut rest = rest;
    while let Some(at) = rest
        .iter()
        .position(|script| called.iter().any(|one| text(one).lines().any(|line| calls(line, &name(script)))))
    {
        called.push(rest.remove(at));
    }
    assert!(rest.is_empty(), "called by no workflow and by none of its scripts: {rest:?}");
}

/// Whether a line of a script, not a comment, runs or sources another that lies beside it.
fn calls(line: &str, script: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with('#') && line.contains(&format!("/{script}"))
}
