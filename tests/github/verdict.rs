//! The job that says how all went, also where it went wrong: the emulator stops at a called workflow that fails, so that the
//! job is run as it is written, after others that end as they are told to.

use std::fs;

use serde_json::{Value, json};

use crate::act::{self, Ran};
use crate::consumer::Consumer;

/// How a job ends, and what it puts out.
type Ends<'a> = (&'a str, bool, &'a [(&'a str, &'a str)]);

/// The pipeline with its verdict as it is written, and in place of every other job one that ends so.
fn after(pipeline: &Value, ends: &[Ends<'_>]) -> Value {
    let mut workflow = pipeline.clone();
    let inputs = pipeline.pointer("/on/workflow_call/inputs").unwrap();
    let inputs: serde_json::Map<String, Value> = inputs
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, input)| input.get("default").is_some())
        .map(|(name, input)| (name.clone(), input.clone()))
        .collect();
    workflow["on"] = json!({ "workflow_dispatch": { "inputs": inputs } });
    let jobs = workflow["jobs"].as_object_mut().unwrap();
    for (name, job) in jobs.iter_mut().filter(|(name, _)| *name != "verdict") {
        let (_, is_well, outputs) = ends.iter().find(|(one, ..)| one == name).unwrap_or(&("", true, &[]));
        let said: String = outputs
            .iter()
            .map(|(name, value)| format!("echo '{name}={value}' >>\"$GITHUB_OUTPUT\"\n"))
            .collect();
        let put_out = |name: &str| (name.to_owned(), json!(format!("${{{{ steps.end.outputs.{name} }}}}")));
        let put_out: serde_json::Map<String, Value> = outputs.iter().map(|(name, _)| put_out(name)).collect();
        *job = json!({
            "runs-on": "ubuntu-24.04",
            "needs": job.get("needs").cloned().unwrap_or(json!([])),
            "outputs": put_out,
            "steps": [{ "id": "end", "run": format!("{said}{is_well}") }],
        });
    }
    let steps = jobs["verdict"]["steps"].as_array_mut().unwrap();
    assert_eq!(steps.len(), 1);
    // What it writes for the page is kept; the emulator shows it nowhere.
    let run = steps[0]["run"].as_str().unwrap();
    steps[0]["run"] =
        json!(format!("trap 'cp \"$GITHUB_STEP_SUMMARY\" \"$STUB_STORE/verdict\"' EXIT\n{run}"));
    workflow
}

fn run(shop: &Consumer, ends: &[Ends<'_>]) -> (Ran, String) {
    let text = fs::read_to_string(shop.path("export/.github/workflows/pipeline.yml")).unwrap();
    let pipeline: Value = serde_yaml::from_str(&text).unwrap();
    shop.write(".github/workflows/verdict.yml", &after(&pipeline, ends).to_string());
    let ran = shop.run("workflow_dispatch", "verdict.yml", &[]);
    let summary = fs::read_to_string(shop.path("store/verdict")).unwrap_or_else(|_| panic!("{}", ran.log));
    fs::remove_file(shop.path("store/verdict")).unwrap();
    (ran, summary)
}

#[test]
fn the_verdict_says_what_was_reached_and_how_each_job_ended() {
    if !act::is_here() {
        return;
    }
    let shop = Consumer::new();
    let live = [("outcome", "passed"), ("revision", "r7"), ("artifact", "sha256:0123")];
    let (ran, summary) = run(&shop, &[("production", true, &live)]);
    ran.step_is("verdict: Say how it went", Some("success"));
    assert!(
        summary.starts_with("## r7 is live in production\n\nsha256:0123\n\n| job | result |\n"),
        "{summary}"
    );
    assert!(summary.contains("| build and test | success |\n| provenance | success |\n"), "{summary}");

    let (ran, summary) = run(&shop, &[("production", false, &[("outcome", "held")])]);
    ran.step_is("verdict: Say how it went", Some("failure"));
    assert!(summary.starts_with("## production was not reached: held\n"), "{summary}");
    assert!(summary.contains("| staging | success |\n| production | failure |\n"), "{summary}");

    let (ran, summary) = run(&shop, &[("staging", false, &[])]);
    ran.step_is("verdict: Say how it went", Some("failure"));
    assert!(summary.starts_with("## production was not reached: skipped\n"), "{summary}");
    assert!(summary.contains("| staging | failure |\n| production | skipped |\n"), "{summary}");
}
