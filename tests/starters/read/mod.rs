//! The readers: one file a CI system, which takes the shell steps out of its pipeline. What a reader does not know is a
//! failure, so that no step stays unexecuted in silence.

pub(crate) mod azure;
pub(crate) mod buildkite;
pub(crate) mod circleci;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod jenkins;
pub(crate) mod woodpecker;

use serde_json::Value;

use super::steps::{Given, Job};

/// Takes the jobs out of a pipeline.
pub(crate) type Reader = fn(&str, &Given<'_>) -> Vec<Job>;

/// Every system that has a starter, with its reader.
pub(crate) const READERS: [(&str, Reader); 7] = [
    ("github", github::jobs),
    ("gitlab", gitlab::jobs),
    ("jenkins", jenkins::jobs),
    ("circleci", circleci::jobs),
    ("azure", azure::jobs),
    ("buildkite", buildkite::jobs),
    ("woodpecker", woodpecker::jobs),
];

/// The file as a value.
fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// Names and values of a map; nothing of nothing.
fn pairs(value: &Value) -> Vec<(String, Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}
