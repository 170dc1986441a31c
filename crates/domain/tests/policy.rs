//! `windlass.yml` as its authors write it: good files, bad files, and what is said of them.

use windlass_domain::policy::{Policy, Problem};

fn listed(text: &str) -> String {
    match Policy::parse(text) {
        Ok(_) => "no mistake\n".into(),
        Err(problems) => problems.iter().map(line).collect(),
    }
}

fn line(problem: &Problem) -> String {
    let Problem { topic, line, column, message, hint, .. } = problem;
    let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{line}:{column}: {}: {message}{hint}\n", topic.key)
}

#[test]
fn the_designs_example_parses() {
    let text = include_str!("policies/good/design.yml");
    let policy = Policy::parse(text).unwrap_or_else(|_| panic!("{}", listed(text)));
    assert_eq!(policy.environments.len(), 3);
}

#[test]
fn every_mistake_is_told_at_once() {
    assert_eq!(listed(include_str!("policies/bad/many.yml")).lines().count(), 34);
}
