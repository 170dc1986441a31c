//! A plan: everything a rollout will do, fixed and hashed before it starts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::standing::Standing;
use super::step::{Step, Weights};
use crate::digest::Digest;
use crate::policy::{Clocks, Hook, HookPhase, Span, Strategy, When};
use crate::release::{Release, Sequence};

/// Why a rollout is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "intent", rename_all = "kebab-case")]
pub enum Intent {
    /// A release enters.
    Deploy,
    /// An earlier release comes back.
    Rollback {
        /// Why, in somebody's words.
        reason: Option<String>,
        /// Whether the environment is on hold afterwards, so that the next push does not undo it.
        hold: bool,
    },
}

impl Intent {
    /// Why a rollback is made, where nobody says it.
    pub const ASKED: &str = "a rollback was asked for";

    /// The reason of the hold that a rollback leaves behind; `live` is where it went, if to anything.
    #[must_use]
    pub fn held_because(live: Option<Sequence>, reason: Option<&str>) -> String {
        let live = live.map_or_else(|| "nothing".to_owned(), |live| live.to_string());
        format!("rolled back to {live}: {}", reason.unwrap_or(Self::ASKED))
    }
}

/// What happens when the new release does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "way-back", rename_all = "kebab-case")]
pub enum WayBack {
    /// Back to this revision, which was live before.
    Anchor {
        /// The revision.
        revision: Sequence,
        /// How many instances it has, so that it has as many again.
        instances: u16,
    },
    /// Nothing was live before: the new is taken out and nothing is served.
    Empty,
    /// None: on failure everything stays as it is and a human is needed (`--no-way-back`).
    None,
}

/// Everything a rollout will do. Its [digest](Plan::digest) is what an approval names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The environment.
    pub environment: String,
    /// Why it is made.
    pub intent: Intent,
    /// The release that shall be live at the end.
    pub release: Release,
    /// What happens when it does not hold.
    pub way_back: WayBack,
    /// The strategy that the steps were compiled from.
    pub strategy: Strategy,
    /// The way forward, in order.
    pub steps: Vec<Step>,
    /// The three clocks.
    pub clocks: Clocks,
    /// The hooks of the way back; those of the way forward are among the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// Where the target stood: a plan that was approved is another one once that has changed.
    #[serde(default, skip_serializing_if = "Standing::is_empty")]
    pub from: Standing,
}

/// The longest that a rollout can take, by the clocks of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Longest {
    /// Until the release is live, in milliseconds; never above the total clock.
    pub forward: Span,
    /// The way back, where it is needed, in milliseconds.
    pub back: Span,
}

impl Plan {
    /// The sha256 of the plan's JSON, whose fields are in the order of this type.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("a plan has only string keys"))
    }

    /// The way back, in order. Readiness of the old is awaited before any request is sent to it: when the new is
    /// the only healthy copy, going back would be the outage.
    #[must_use]
    pub fn undo(&self) -> Vec<Step> {
        let new = self.release.sequence;
        let mut steps = hooks_at(&self.hooks, When::Before, HookPhase::Revert);
        match self.way_back {
            WayBack::Anchor { revision, instances } => {
                steps.push(Step::stage(revision, instances));
                steps.push(Step::await_ready(revision, instances));
                steps.push(Step::shift(Weights::all(revision)));
            }
            WayBack::Empty => steps.push(Step::shift(Weights::none())),
            WayBack::None => return Vec::new(),
        }
        steps.extend([Step::Settle, Step::Withdraw { revision: new }]);
        steps.extend(hooks_at(&self.hooks, When::After, HookPhase::Revert));
        steps
    }

    /// The reason of the hold that the rollout leaves behind when its release is live, where it leaves one.
    #[must_use]
    pub fn hold(&self) -> Option<String> {
        match &self.intent {
            Intent::Rollback { reason, hold: true } => {
                Some(Intent::held_because(Some(self.release.sequence), reason.as_deref()))
            }
            Intent::Rollback { hold: false, .. } | Intent::Deploy => None,
        }
    }

    /// The place of the step after whose beginning there is no way back, where the plan has one: a migration that cannot
    /// be undone.
    #[must_use]
    pub fn crossing(&self) -> Option<usize> {
        self.steps.iter().position(Step::is_for_good)
    }

    /// Whether a step of the way forward gives the old to hosts that lack it. Nothing that is served changes by it, and
    /// there is nothing to undo.
    #[must_use]
    pub fn joins(&self, step: &Step) -> bool {
        match step {
            Step::Stage { revision, on, .. } | Step::AwaitReady { revision, on, .. } => {
                *revision != self.release.sequence && !on.is_empty()
            }
            _ => false,
        }
    }

    /// The hosts that get the old first, in the order of the policy.
    #[must_use]
    pub fn joining(&self) -> &[String] {
        match self.steps.first() {
            Some(step @ Step::Stage { on, .. }) if self.joins(step) => on,
            Some(_) | None => &[],
        }
    }

    /// Where the plan walks the way back on purpose, if it does.
    #[must_use]
    pub fn walk(&self) -> Option<Walk> {
        let back = self.steps.iter().position(|step| matches!(step, Step::Withdraw { .. }))?;
        let all = Weights::all(self.release.sequence);
        let returns = |step: &Step| matches!(step, Step::Shift { weights, .. } if *weights == all);
        let again = back + self.steps[back..].iter().position(returns)?;
        let is_part = |step: &&Step| matches!(step, Step::Shift { .. } | Step::Settle | Step::Verify { .. });
        let end = again + self.steps[again..].iter().take_while(is_part).count();
        Some(Walk { back, again, end })
    }

    /// The revision that is live before the rollout, if any is known to it.
    #[must_use]
    pub const fn anchor(&self) -> Option<Sequence> {
        match self.way_back {
            WayBack::Anchor { revision, .. } => Some(revision),
            WayBack::Empty | WayBack::None => None,
        }
    }

    /// The longest that it can take, where a verdict is there `within` that time: each step by its own time or the step
    /// clock, and everything until the commit within the total clock.
    #[must_use]
    pub fn longest(&self, within: Span) -> Longest {
        let time = |step: &Step| match step {
            Step::Verify { bake, .. } => (*bake).max(within),
            Step::Pause { span } => *span,
            Step::Migrate { timeout, .. } | Step::Hook { timeout, .. } => *timeout,
            Step::Stage { .. }
            | Step::AwaitReady { .. }
            | Step::Shift { .. }
            | Step::Settle
            | Step::Commit { .. }
            | Step::Retire { .. }
            | Step::Withdraw { .. } => self.clocks.step,
        };
        let sum = |steps: &[Step]| {
            Span::millis(steps.iter().map(|step| u64::from(time(step))).fold(0, u64::saturating_add))
        };
        let commit = self.steps.iter().position(|step| matches!(step, Step::Commit { .. }));
        let until_live = &self.steps[..commit.map_or(self.steps.len(), |index| index + 1)];
        Longest { forward: sum(until_live).min(self.clocks.total), back: sum(&self.undo()) }
    }
}

/// Where a plan walks the way back on purpose, as places of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The first step of the way back: the old is stopped.
    pub back: usize,
    /// The first step of the second way forward: the new gets all requests again.
    pub again: usize,
    /// The first step after all of that.
    pub end: usize,
}

/// The hooks of one place as steps, in the order of the policy.
pub(super) fn hooks_at(hooks: &[Hook], when: When, phase: HookPhase) -> Vec<Step> {
    let here = hooks.iter().filter(|hook| hook.when == when && hook.phase == phase);
    here.map(|hook| Step::Hook {
        name: hook.name(),
        run: hook.run.clone(),
        env: hook.env.clone(),
        timeout: hook.timeout,
    })
    .collect()
}
