//! Each action ends with each outcome that its tool can have, and says so in its output.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::act;
use crate::consumer::Consumer;
use crate::register;

/// What each tool can come to. A gate and a scan move nothing, so that they are never stuck; nothing holds a rollback.
const OUTCOMES: [(&str, &[&str]); 5] = [
    ("gate-check", &["passed", "failed", "invalid", "unknown", "held"]),
    ("security-scan", &["passed", "failed", "invalid", "unknown"]),
    ("deploy", &["passed", "failed", "invalid", "unknown", "held", "stuck", "refused"]),
    ("health-verify", &["passed", "failed", "invalid", "unknown", "held", "refused"]),
    ("rollback", &["passed", "failed", "invalid", "unknown", "refused"]),
];

/// The exit codes, by their outcome.
const CODES: [&str; 7] = ["passed", "failed", "invalid", "unknown", "held", "stuck", "refused"];

#[test]
fn each_outcome_of_each_action_reaches_the_steps_after_it() {
    if !act::is_here() {
        return;
    }
    let shop = Consumer::new();
    let ran = shop.run("workflow_dispatch", "outcomes.yml", &[]);
    let mut all = OUTCOMES.map(|(tool, _)| (tool, "success")).to_vec();
    all.push(("setup", "success"));
    ran.jobs_are(&all);
    for action in register::actions() {
        let is_its = |step: &String| step.starts_with(&format!("{action}: ")) && step.ends_with("/run");
        assert!(ran.inner.iter().any(is_its), "{action} was never executed: {:?}", ran.inner);
    }
    let set_up = shop.stored("setup");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(set_up, format!("deploy {version}\nwindlass {version}\n"));
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    for (tool, outcomes) in OUTCOMES {
        let steps: BTreeMap<String, Value> =
            serde_json::from_str(&shop.stored(&format!("{tool}.json"))).unwrap();
        for outcome in outcomes {
            let step =
                steps.get(*outcome).unwrap_or_else(|| panic!("{tool} has no step {outcome}: {}", ran.log));
            let word = |place: &str| step.pointer(place).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(word("/outputs/outcome"), *outcome, "{tool}: {step}\n{}", ran.log);
            let result = if *outcome == "passed" { "success" } else { "failure" };
            assert_eq!(word("/outcome"), result, "{tool}: {step}");
            if *outcome != "passed" {
                assert!(!word("/outputs/reason").is_empty(), "{tool}: {step}");
            }
        }
    }
    for (code, outcome) in CODES.iter().enumerate().skip(1) {
        ran.says(&format!("exit status {code}")).says(&format!(": {outcome}"));
    }
}
