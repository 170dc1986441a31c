//! What is run around a rollout: hooks at its phases, and the migration of its data.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// A command that the run itself executes before or after a phase, in the folder of `windlass.yml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// Whether it comes before or after the phase.
    pub when: When,
    /// The phase.
    pub phase: HookPhase,
    /// The program and its arguments; no shell takes them apart.
    pub run: Vec<String>,
    /// Variables beside the run's own.
    pub env: BTreeMap<String, String>,
    /// How long it may take, default 1m.
    pub timeout: Span,
}

impl Hook {
    /// What it is called in plans and reports: `before shift`.
    #[must_use]
    pub fn name(&self) -> String {
        let when = match self.when {
            When::Before => "before",
            When::After => "after",
        };
        format!("{when} {}", self.phase.word())
    }
}

/// On which side of a phase a hook stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before its first step.
    Before,
    /// After its last step.
    After,
}

/// The phases that hooks can stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HookPhase {
    /// Files and instances: until the first instances are ready.
    Stage,
    /// The migration of the data.
    Migrate,
    /// All shifts of requests, with what is judged between them.
    Shift,
    /// The commit: the last moment before it, and the first after it.
    Commit,
    /// The end of what was replaced.
    Retire,
    /// The way back.
    Revert,
}

impl HookPhase {
    /// Its word in `windlass.yml`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Migrate => "migrate",
            Self::Shift => "shift",
            Self::Commit => "commit",
            Self::Retire => "retire",
            Self::Revert => "revert",
        }
    }
}

/// How a release brings the data to the schema that it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Migrate {
    /// The program and its arguments, run in the staged artifact's folder with the release's environment.
    pub up: Vec<String>,
    /// Whether the release before still works afterwards: it only expands what is there.
    pub reversible: bool,
    /// How long it may take, default 5m.
    pub timeout: Span,
}
