//! One mistake in `windlass.yml`, with its place.

use std::ops::Range;

use crate::explain::Topic;

/// One mistake, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What `windlass explain` says of it.
    pub topic: &'static Topic,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The bytes of the source that are wrong.
    pub span: Range<usize>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The nearest known word, or what is allowed.
    pub hint: Option<String>,
    /// Whether a secret may stand on that line, so that it must not be shown.
    pub hidden: bool,
}
