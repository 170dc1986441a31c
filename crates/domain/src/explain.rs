//! What `windlass explain` can say: every error, metric, rule and step has one topic.

/// One thing that `windlass explain` explains. Crates declare theirs as constants and list them in a
/// `TOPICS` slice, which the umbrella joins.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// The word to ask for: `policy.unknown-key`, `tests.failed`, `3`.
    pub key: &'static str,
    /// What it means, in a few sentences.
    pub means: &'static str,
    /// What to do about it.
    pub next: &'static str,
}
