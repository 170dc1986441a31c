//! `windlass doctor`, before a forge that is fit and before others.

use crate::forge::{path, run};
use crate::project::{Ended, Project};
use crate::server::{Server, json, says};

/// A GitHub whose default branch is protected, or not, and whose clock is this far from ours.
fn forge(is_protected: bool, seconds: i64) -> Server {
    Server::start(move |asked, _| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let date = at.strftime("date: %a, %d %b %Y %H:%M:%S GMT").to_string();
        let body = match path(asked) {
            "" => r#"{ "default_branch": "main" }"#.to_owned(),
            "/branches/main" => format!(r#"{{ "protected": {is_protected} }}"#),
            "/actions/runs" => r#"{ "workflow_runs": [] }"#.to_owned(),
            "/rules/branches/main" | "/deployments" | "/pulls" => "[]".to_owned(),
            "/environments/live" => r#"{ "protection_rules": [] }"#.to_owned(),
            _ => return json(404, "{}"),
        };
        says(200, &["content-type: application/json", &date], &body)
    })
}

/// The line of a check.
fn line(ended: &Ended, check: &str) -> String {
    let lines = ended.document["checks"].as_array().unwrap();
    let line = lines.iter().find(|line| line["check"] == check).unwrap_or_else(|| panic!("no {check}"));
    format!("{} {} {}", line["health"], line["says"], line["fix"])
}

#[test]
fn doctor_finds_what_is_wrong_and_says_what_mends_it() {
    let project = Project::new("v1");
    let fit = run(&project, &forge(true, 0).url(), &["doctor"]).is(0);
    for check in ["versions", "policy", "token", "environments", "branch", "runner", "clock", "agent"] {
        assert!(line(&fit, check).contains("good"), "{}", line(&fit, check));
    }
    let schema = project.show(&["schema", "doctor"]).1;
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    assert!(validator.is_valid(&fit.document), "{:#}", fit.document);

    let open = run(&project, &forge(false, 0).url(), &["doctor"]).is(1);
    assert!(line(&open, "branch").contains("add a ruleset"), "{}", line(&open, "branch"));
    let slow = run(&project, &forge(true, 600).url(), &["doctor"]).is(1);
    assert!(line(&slow, "clock").contains("behind the forge's"), "{}", line(&slow, "clock"));

    let alone = project.run(&["doctor"]).is(3);
    assert!(line(&alone, "token").contains("no forge is known"), "{}", line(&alone, "token"));
    project.write("windlass.yml", "version: 1\n");
    let broken = project.run(&["doctor"]).is(1);
    assert!(line(&broken, "policy").contains("mistakes"), "{}", line(&broken, "policy"));
}
