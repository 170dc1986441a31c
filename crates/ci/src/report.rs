//! What a tool hands over when it has judged: the one value that every output is made from.

use std::path::PathBuf;

use windlass_domain::digest::Digest;
use windlass_domain::outcome::{Outcome, Reason};

/// A tool's result.
#[derive(Clone, Debug)]
pub struct Report<T> {
    /// How it ended.
    pub outcome: Outcome,
    /// The environment, where there is one.
    pub environment: Option<String>,
    /// The artifact, where there is one.
    pub artifact: Option<Digest>,
    /// Why it ended so.
    pub reasons: Vec<Reason>,
    /// The tool's own part of the document.
    pub own: T,
    /// Standard output for people; may contain ANSI styles, which are stripped where they do not belong.
    pub text: String,
    /// The job summary and `<tool>.md`: verdict first. Text from outside must have gone through
    /// [`sink::markdown`](crate::sink::markdown).
    pub markdown: String,
    /// Outputs for later jobs, beside `outcome`, `reason`, `report-path`, `evidence-path` and
    /// `artifact`.
    pub outputs: Vec<(String, String)>,
    /// Places for the CI system to mark.
    pub annotations: Vec<Annotation>,
    /// Further files, already written into the report folder, which outputs name: `("sarif-path", path)`.
    pub files: Vec<(String, PathBuf)>,
    /// Whether standard output is a stream of documents, one a line, of which this is the last.
    pub is_stream: bool,
}

impl<T: Default> Report<T> {
    /// A report with this outcome and nothing else said yet.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            environment: None,
            artifact: None,
            reasons: Vec::new(),
            own: T::default(),
            text: String::new(),
            markdown: String::new(),
            outputs: Vec::new(),
            annotations: Vec::new(),
            files: Vec::new(),
            is_stream: false,
        }
    }
}

/// How much an annotation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It makes the tool fail.
    Error,
    /// It should be looked at.
    Warning,
    /// It is worth knowing.
    Notice,
}

/// A place for the CI system to mark. Every text may come from outside: the host escapes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How much it matters.
    pub level: Level,
    /// A few words.
    pub title: String,
    /// What is to be said.
    pub message: String,
    /// The file, relative to the repository's root.
    pub path: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
}
