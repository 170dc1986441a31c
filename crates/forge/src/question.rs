//! What is asked of a forge and what it answers, in words of our own: no address, no token, no network.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::fault::Fault;

/// What approvals are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// The commit that is deployed, in full.
    pub commit: String,
    /// The environment that it enters.
    pub environment: String,
}

/// By what somebody spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The approval of an environment or a deployment.
    Environment,
    /// The review of the change that brought the commit.
    Review,
}

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The login of the person.
    pub login: String,
    /// The e-mail address, where the forge shows it.
    pub email: Option<String>,
    /// When; where a forge does not say it, the earliest that it can have been.
    pub given: Timestamp,
    /// Whether the person agrees.
    pub agrees: bool,
    /// By what.
    pub means: Means,
}

/// What people said, and who wrote what they speak about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opinions {
    /// All of it, in no order.
    pub given: Vec<Opinion>,
    /// The logins of those who wrote the change; empty where the forge does not know them.
    pub authors: BTreeSet<String>,
    /// What was seen and does not count, each in a sentence.
    pub notes: Vec<String>,
    /// What could not be read: with it, there might have been more.
    pub missing: Vec<Fault>,
}

/// What a forge says of itself and of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The branch that pull requests go to by default.
    pub default_branch: String,
    /// The clock of the forge, to the second, where it says it.
    pub clock: Option<Timestamp>,
    /// The scopes of the token, where the forge says them.
    pub scopes: Option<Vec<String>>,
    /// What the token cannot read that Windlass asks for, each with its remedy.
    pub lacks: Vec<(String, String)>,
    /// How many requests are left before the rate limit, where the forge says it.
    pub left: Option<u64>,
}

/// How a forge guards an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Who may approve, as `user:LOGIN` and `team:NAME`.
    pub reviewers: Vec<String>,
    /// Whether whoever starts the run may not approve it; `None` where the forge does not say.
    pub no_self_review: Option<bool>,
    /// Whether only some branches or tags may enter.
    pub is_limited_to_branches: bool,
}

/// How a forge guards a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchProtection {
    /// Whether it is guarded at all.
    pub is_protected: bool,
    /// How many reviews a change needs; `None` where the forge does not say.
    pub reviews: Option<u64>,
}

/// A record of a deployment, as people see it on the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The environment.
    pub environment: String,
    /// The commit, in full.
    pub commit: String,
    /// What moves it: `deploy` or `rollback`.
    pub task: &'static str,
    /// A sentence.
    pub description: String,
}

/// How a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is under way.
    Running,
    /// It waits for a person.
    Waiting,
    /// It is live.
    Live,
    /// It was judged no, and is not live.
    Failed,
    /// It ended otherwise: stuck, or nobody knows.
    Broken,
    /// Another has taken its place.
    Inactive,
}

/// A new standing of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How it stands.
    pub standing: Standing,
    /// A sentence.
    pub description: String,
    /// The environment.
    pub environment: String,
    /// Where the service is.
    pub url: Option<String>,
}

/// Whose a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Ours, by its number: it is marked.
    Ours(String),
    /// The CI system writes it for the job's `environment:` and marks it itself.
    CiSystems,
}
