//! What a rule for secrets is.

use windlass_domain::explain::Topic;

use crate::severity::Severity;

/// A rule: which text is a secret of a certain sort.
pub(crate) struct Rule {
    /// Its id and its documentation.
    pub(crate) topic: Topic,
    /// What it finds, in a few words: `a GitHub token`.
    pub(crate) finds: &'static str,
    /// The texts, in lower case, of which one must occur for the pattern to be tried; case does not count.
    pub(crate) keywords: &'static [&'static str],
    /// The pattern, over bytes. The first group that takes part is the secret; without groups, all of it.
    pub(crate) pattern: &'static str,
    /// How far around a keyword the pattern is tried.
    pub(crate) reach: Reach,
    /// The least Shannon entropy of the secret, in bits a byte; 0 where its form alone is proof enough.
    pub(crate) entropy: f64,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// A last look at what the pattern matched: another severity, or `None` where it is no secret after all.
    pub(crate) check: fn(&Seen<'_>) -> Option<Severity>,
}

impl Rule {
    /// The rule's id: `secret.github-token`.
    pub(crate) const fn id(&self) -> &'static str {
        self.topic.key
    }
}

/// How far around a keyword a pattern is tried, in bytes. Bounds make the time linear on a line of many megabytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    /// So far before and after, but not beyond the line.
    Line { before: usize, after: usize },
    /// So far before and after, across lines.
    Block { before: usize, after: usize },
}

impl Reach {
    /// The greatest distance from a match's start to its end.
    pub(crate) const fn span(self) -> usize {
        match self {
            Self::Line { before, after } | Self::Block { before, after } => before + after,
        }
    }
}

/// What a pattern matched.
pub(crate) struct Seen<'a> {
    /// The secret.
    pub(crate) secret: &'a [u8],
    /// The whole match.
    pub(crate) whole: &'a [u8],
    /// The rule's severity.
    pub(crate) severity: Severity,
}

/// The check of a rule whose pattern says it all.
pub(super) fn as_matched(seen: &Seen<'_>) -> Option<Severity> {
    Some(seen.severity)
}
