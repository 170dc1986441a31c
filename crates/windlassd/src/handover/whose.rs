//! Whose the root's files are, and what a request is told that came to the wrong agent.

use windlass_target::host::control::Rejected;

/// Who writes the files of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// This agent.
    Ours,
    /// Nobody, until it is known whether another agent takes over.
    Offered,
    /// Another agent.
    Theirs,
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// It was refused.
    Rejected(Rejected),
    /// Nothing was done, since the next agent is about to do it: asked again, that one answers.
    AskAgain,
}

impl From<Rejected> for NotDone {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}
