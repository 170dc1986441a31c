//! How a tool fails: what was attempted, why it did not work, what to do; and from that the exit code.

use std::error::Error;

use windlass_domain::causes::chain;
use windlass_domain::explain::Topic;
use windlass_domain::outcome::{Outcome, Reason};

use crate::sink;

/// A tool's failure. The message is lower case, without a full stop, and says what was attempted and on what; the
/// cause is the source, not in the text; help is in the hints.
#[derive(Debug)]
pub struct Failure {
    /// The exit code's meaning.
    pub outcome: Outcome,
    /// What `windlass explain` says of it.
    pub topic: &'static Topic,
    /// What was attempted, and on what.
    pub message: String,
    /// The cause.
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// What to do.
    pub hints: Vec<String>,
    /// Places in a file that are wrong, already rendered for a terminal without colours.
    pub excerpts: Vec<String>,
    /// Reasons for the document; empty means one made from the message.
    pub reasons: Vec<Reason>,
}

/// A result of a tool's part.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with this outcome, topic and message.
    #[must_use]
    pub fn new(outcome: Outcome, topic: &'static Topic, message: impl Into<String>) -> Self {
        Self {
            outcome,
            topic,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            excerpts: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// Usage or the policy is wrong; nothing was touched.
    #[must_use]
    pub fn invalid(topic: &'static Topic, message: impl Into<String>) -> Self {
        Self::new(Outcome::Invalid, topic, message)
    }

    /// Could not judge.
    #[must_use]
    pub fn unknown(topic: &'static Topic, message: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, topic, message)
    }

    /// Superseded, or somebody else holds the environment.
    #[must_use]
    pub fn refused(topic: &'static Topic, message: impl Into<String>) -> Self {
        Self::new(Outcome::Refused, topic, message)
    }

    /// Waits for someone.
    #[must_use]
    pub fn held(topic: &'static Topic, message: impl Into<String>) -> Self {
        Self::new(Outcome::Held, topic, message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a reason for the document.
    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reasons.push(reason);
        self
    }

    /// The message and its causes, joined by `: `.
    #[must_use]
    pub fn chain(&self) -> String {
        match &self.source {
            None => self.message.clone(),
            Some(source) => format!("{}: {}", self.message, chain(&**source)),
        }
    }

    /// The failure for people: places, the message with its causes, hints, and where more is said.
    #[must_use]
    pub fn text(&self, tool: &str) -> String {
        let mut text: String = self.excerpts.iter().map(|excerpt| format!("{excerpt}\n\n")).collect();
        text.push_str(&format!("{tool}: {}: {}\n", self.outcome, sink::line(&self.chain())));
        text.extend(self.hints.iter().map(|hint| format!("  hint: {}\n", sink::line(hint))));
        text.push_str(&format!("  more: windlass explain {}\n", self.topic.key));
        text
    }

    /// The reasons for the document.
    #[must_use]
    pub fn document_reasons(&self) -> Vec<Reason> {
        if !self.reasons.is_empty() {
            return self.reasons.clone();
        }
        let next = self.hints.join("; ");
        vec![Reason::new(self.topic.key).why(self.chain()).next(next)]
    }
}
