//! A rollout's entries in the ledger, as a run would write them.

use serde_json::json;
use windlass_domain::journal::{Event, Way};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Plan, Step, WayBack};

use super::support::{all, ready, stage};

/// The steps of a rollout onto nothing.
fn steps(revision: u64) -> Vec<Step> {
    let commit = Step::Commit { revision: Sequence(revision) };
    vec![stage(revision, 1), ready(revision, 1), all(revision), Step::Settle, commit]
}

/// A rollout of this revision begins.
pub(crate) fn opened(revision: u64) -> Vec<Event> {
    let plan: Plan = serde_json::from_value(json!({
        "environment": "test",
        "intent": { "intent": "deploy" },
        "release": {
            "sequence": revision,
            "app": "shop",
            "artifact": format!("sha256:{}", "0".repeat(64)),
            "parameters": null,
        },
        "way_back": WayBack::Empty,
        "strategy": { "kind": "blue-green", "bake": 0 },
        "steps": steps(revision),
        "clocks": windlass_domain::policy::Clocks::default(),
    }))
    .unwrap();
    vec![Event::Opened { plan: Box::new(plan) }]
}

/// Its steps from `from` to before `to` are done.
pub(crate) fn done(from: usize, to: usize) -> Vec<Event> {
    let way = Way::Forward;
    (from..to)
        .flat_map(|index| [Event::Started { way, index }, Event::Done { way, index, note: String::new() }])
        .collect()
}

/// All its steps are done but for the first `from`, and it is over.
pub(crate) fn ended(revision: u64, from: usize) -> Vec<Event> {
    let mut events = done(from, steps(revision).len());
    events.extend([Event::Committed { revision: Sequence(revision) }, Event::Closed]);
    events
}
