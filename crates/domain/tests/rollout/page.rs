//! `docs/rollout.md` knows every state and every step that the code knows.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use windlass_domain::rollout::{Rollout, Step};

use crate::{any, clocks};

const PAGE: &str = include_str!("../../../../docs/rollout.md");

/// The rows of the table under a heading, each by its cells.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let part = PAGE.split("\n## ").find(|part| part.starts_with(heading));
    let part = part.unwrap_or_else(|| panic!("the page has no part {heading:?}"));
    let rows = part.lines().filter(|line| line.starts_with("| ") || line.starts_with("|-"));
    let rows = rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect());
    rows.skip(2).collect()
}

/// The words in backticks in the first cells.
fn words(rows: &[Vec<&'static str>]) -> BTreeSet<&'static str> {
    rows.iter().flat_map(|row| row[0].split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_state_of_a_rollout_has_its_row_and_no_row_has_none() {
    let rows = table("States");
    assert_eq!(words(&rows), Rollout::WORDS.into_iter().collect());
    for row in rows {
        assert_eq!(
            row.len(),
            4,
            "state, what may follow, what a killed run leaves, what the next does: {row:?}"
        );
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        // What may follow is named by states, or nothing may.
        for follows in row[1].split('`').skip(1).step_by(2) {
            assert!(Rollout::WORDS.contains(&follows), "{follows} follows in {row:?}");
        }
    }
}

/// Every state and the one that followed it, in so many random histories that each pair is met.
fn followed() -> BTreeSet<(&'static str, &'static str)> {
    let mut runner = TestRunner::deterministic();
    let mut followed = BTreeSet::new();
    for _ in 0..60_000 {
        let plan = any::plan().new_tree(&mut runner).expect("a plan").current();
        let story = any::story().new_tree(&mut runner).expect("a story").current();
        followed.extend(clocks::run_with(plan.clone(), &[], Some("not today".into())).followed);
        followed.extend(clocks::run(plan, &story).followed);
    }
    followed
}

#[test]
fn what_may_follow_is_what_does_follow_in_random_histories() {
    let mut told = BTreeSet::new();
    for row in table("States") {
        let state = row[0].trim_matches('`');
        told.extend(row[1].split('`').skip(1).step_by(2).map(|follows| (state, follows)));
    }
    let seen = followed();
    let untold: Vec<_> = seen.difference(&told).collect();
    let unseen: Vec<_> = told.difference(&seen).collect();
    assert!(
        untold.is_empty() && unseen.is_empty(),
        "the page lacks {untold:?} and tells {unseen:?}, which never is"
    );
}

#[test]
fn every_step_has_its_row_and_no_row_has_none() {
    let schema = schemars::schema_for!(Step).to_value();
    let kinds = schema["oneOf"].as_array().expect("a step is one of its kinds");
    let known: BTreeSet<&str> =
        kinds.iter().map(|kind| kind["properties"]["step"]["const"].as_str().expect("its word")).collect();
    assert!(known.len() >= 11, "{known:?}");
    assert_eq!(words(&table("Steps")), known);
}

#[test]
fn the_diagram_names_every_state() {
    let diagram =
        PAGE.split("```mermaid").nth(1).and_then(|rest| rest.split("```").next()).expect("a diagram");
    let named: BTreeSet<&str> = diagram.split(|letter: char| !letter.is_ascii_lowercase()).collect();
    for word in Rollout::WORDS {
        assert!(named.contains(word), "the diagram lacks {word}");
    }
}
