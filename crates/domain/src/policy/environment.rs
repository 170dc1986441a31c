//! An environment: a named place with gates, a target, a strategy and checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Approval, Freeze, Gates, Hook, HookPhase, Span, Strategy, Target, Verify};

/// A named place that releases enter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name: letters, digits and dashes.
    pub name: String,
    /// The environments in which the same digest must have passed first.
    pub needs: Vec<String>,
    /// How long the digest must have been live in each of `needs`.
    pub soak: Option<Span>,
    /// The conditions on reports and scans.
    pub gates: Gates,
    /// Whether evidence must be signed.
    pub evidence: EvidenceDemand,
    /// Who must agree.
    pub approval: Option<Approval>,
    /// When nothing may enter.
    pub freeze: Vec<Freeze>,
    /// Where it runs.
    pub target: Target,
    /// How a release takes over.
    pub strategy: Strategy,
    /// How the running release is judged; absent means readiness alone decides.
    pub verify: Option<Verify>,
    /// How long a step, the time without progress, and the whole rollout may take.
    pub clocks: Clocks,
    /// What is run before and after the phases of a rollout.
    pub hooks: Vec<Hook>,
    /// Whether each release is rolled back once on purpose, under traffic, before it is committed.
    pub prove_rollback: bool,
    /// What stays of earlier releases.
    pub keep: Keep,
    /// What people see of it on the forge.
    #[serde(default)]
    pub forge: OnForge,
}

impl Environment {
    /// The hooks of the way back.
    #[must_use]
    pub fn revert_hooks(&self) -> Vec<Hook> {
        self.hooks.iter().filter(|hook| hook.phase == HookPhase::Revert).cloned().collect()
    }
}

/// What people see of an environment on GitHub or GitLab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnForge {
    /// Whether `deploy` and `rollback` write deployment records there.
    pub records: bool,
    /// Where the service is, for the environment's button.
    pub url: Option<String>,
}

impl Default for OnForge {
    fn default() -> Self {
        Self { records: true, url: None }
    }
}

/// What stays of the releases that were committed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keep {
    /// How many stay staged beside the live one and its anchor, default 3.
    pub releases: u32,
    /// How many of them, the anchor first, stay running without requests, so that going back needs no start; default 0.
    pub warm: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { releases: 3, warm: 0 }
    }
}

/// Whether an environment accepts unsigned evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceDemand {
    /// Only evidence signed by a key that `keys` lists.
    #[default]
    Signed,
    /// Unsigned evidence counts too, and every report says so.
    Unsigned,
}

/// The three clocks of a rollout. Each ends in a revert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clocks {
    /// For one step, default 5m.
    pub step: Span,
    /// Without any step having ended, default 10m; waiting in a bake or a pause does not count.
    pub progress: Span,
    /// For everything, default 2h.
    pub total: Span,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { step: Span::minutes(5), progress: Span::minutes(10), total: Span::minutes(120) }
    }
}
