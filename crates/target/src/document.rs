//! What `deploy` and `rollback` say of a rollout: their own part of the JSON document.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_domain::digest::Digest;
use windlass_domain::journal::{History, Way};
use windlass_domain::policy::{Span, Strategy};
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{Change, Longest, Plan, Rollout, Step, Weights};

use crate::driver::{HostLook, Tallies};
use crate::proof::Proof;

/// How the result of a step begins that was judged no.
const FAILED: &str = "failed: ";

/// The own part of the document of `deploy` and `rollback`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Own {
    /// The release that was to become live.
    pub release: Option<Release>,
    /// Its revision on the target.
    pub revision: Option<Sequence>,
    /// The revision that was live before.
    pub anchor: Option<Sequence>,
    /// How it took over.
    pub strategy: Option<Strategy>,
    /// The sha256 of the plan.
    pub plan: Option<Digest>,
    /// What the release changes, against what was live when the plan was made.
    pub changes: Vec<Change>,
    /// The steps: with `--plan` those to come, else those done, in order.
    pub steps: Vec<StepLine>,
    /// The way back, in order, with `--plan`; empty where there is none.
    pub way_back: Vec<StepLine>,
    /// The longest that it can take, with `--plan`.
    pub longest: Option<Longest>,
    /// What went through while it happened.
    pub receipt: Option<Receipt>,
    /// The reason of the hold that is in force afterwards.
    pub hold: Option<String>,
    /// What an earlier run had left open and this one ended first.
    pub recovered: Option<String>,
    /// What came of the way back where it was walked on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepLine {
    /// What it is, for people: `shift r2 25%, r1 75%`.
    pub step: String,
    /// Which way it belongs to.
    pub way: Way,
    /// When it ended; absent in a plan.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// How it ended; absent in a plan.
    pub result: Option<String>,
}

/// What went through the target while a rollout was under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Requests.
    pub sent: u64,
    /// Requests that found no instance or no connection.
    pub failed: u64,
    /// By revision.
    pub by_revision: BTreeMap<String, RevisionReceipt>,
    /// From the first shift to the last one's being settled.
    pub switch_ms: Option<u64>,
    /// From the decision to turn back until everything went to the old again.
    pub rollback_ms: Option<u64>,
    /// Each host as the rollout left it, in the order of `hosts:`; absent where the target has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostReceipt>,
}

/// One of several hosts, as a rollout left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostReceipt {
    /// Its name, as the policy has it.
    pub name: String,
    /// What was found there.
    #[serde(flatten)]
    pub found: HostFound,
}

/// What was found on a host after a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HostFound {
    /// It was looked at.
    Seen {
        /// The weights in effect on it, in hundredths of a percent.
        weights: Weights,
        /// The revisions that run on it, with the number of their ready instances.
        running: BTreeMap<String, u16>,
    },
    /// It could not be looked at.
    Unknown {
        /// Why.
        unknown: String,
    },
}

/// What went to one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionReceipt {
    /// Requests.
    pub sent: u64,
    /// Bad answers: 5xx, and connections that the service broke.
    pub bad: u64,
}

impl Own {
    /// What a plan says, before anything is done.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        Self {
            release: Some(plan.release.clone()),
            revision: Some(plan.release.sequence),
            anchor: plan.anchor(),
            strategy: Some(plan.strategy.clone()),
            plan: Some(plan.digest()),
            steps: StepLine::to_come(Way::Forward, &plan.steps),
            ..Self::default()
        }
    }

    /// What a plan says, with what it changes, its way back and how long it may take where a verdict is there `within`
    /// that time.
    #[must_use]
    pub fn of_plan_whole(plan: &Plan, history: &History, within: Span) -> Self {
        Self {
            changes: Change::between(history.live_release(), &plan.release),
            way_back: StepLine::to_come(Way::Back, &plan.undo()),
            longest: Some(plan.longest(within)),
            ..Self::of_plan(plan)
        }
    }

    /// The lines of a plan for people, by name.
    #[must_use]
    pub fn plan_facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = self.facts();
        facts.extend(self.changes.iter().map(|change| ("changes", change.to_string())));
        facts.extend(self.steps.iter().map(|line| ("step", line.step.clone())));
        if self.way_back.is_empty() {
            facts.push((
                "back",
                "there is no way back: on failure everything stays as it is, on hold".to_owned(),
            ));
        }
        facts.extend(self.way_back.iter().map(|line| ("back", line.step.clone())));
        if let Some(longest) = self.longest {
            facts.push((
                "longest",
                format!("{} until it is live; the way back {}", longest.forward, longest.back),
            ));
        }
        facts
    }

    /// What a rollout did.
    #[must_use]
    pub fn of_rollout(rollout: &Rollout) -> Self {
        Self { steps: StepLine::done(rollout), ..Self::of_plan(&rollout.plan) }
    }

    /// The steps that failed and held nothing up, each with why: hooks of the way back, and what comes after the commit.
    #[must_use]
    pub fn unheeded(&self) -> Vec<(String, String)> {
        let commit = self.steps.iter().position(|line| line.step.starts_with("commit "));
        let failed = |(index, line): (usize, &StepLine)| {
            let why = line.result.as_deref()?.strip_prefix(FAILED)?;
            let is_after = commit.is_some_and(|commit| commit < index);
            let is_hook = line.step.starts_with("hook ") && line.way == Way::Back;
            (is_after || is_hook).then(|| (line.step.clone(), why.to_owned()))
        };
        self.steps.iter().enumerate().filter_map(failed).collect()
    }

    /// The facts for people, by name.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let text = |value: Option<String>| value.unwrap_or_default();
        let receipt = self.receipt.as_ref();
        let by_revision = receipt.map(|receipt| {
            let lines = receipt.by_revision.iter().filter(|(_, one)| one.sent > 0);
            lines
                .map(|(revision, one)| format!("{revision} {} ({} bad)", one.sent, one.bad))
                .collect::<Vec<_>>()
                .join(", ")
        });
        let hosts = receipt
            .map(|receipt| receipt.hosts.iter().map(HostReceipt::to_string).collect::<Vec<_>>().join("; "));
        vec![
            ("release", text(self.release.as_ref().map(|release| release.artifact.to_string()))),
            ("revision", text(self.revision.map(|revision| revision.to_string()))),
            ("before", text(self.anchor.map(|anchor| anchor.to_string()))),
            ("plan", text(self.plan.map(|plan| plan.to_string()))),
            (
                "requests",
                text(receipt.map(|receipt| format!("{} sent, {} failed", receipt.sent, receipt.failed))),
            ),
            ("by", text(by_revision)),
            ("hosts", text(hosts)),
            ("switch", text(receipt.and_then(|receipt| receipt.switch_ms).map(|time| format!("{time} ms")))),
            (
                "way back",
                text(receipt.and_then(|receipt| receipt.rollback_ms).map(|time| format!("{time} ms"))),
            ),
            ("way back walked", text(self.proof.as_ref().map(Proof::told))),
            ("recovered", text(self.recovered.clone())),
            ("hold", text(self.hold.clone())),
        ]
    }
}

impl StepLine {
    /// The steps of a plan, to come.
    #[must_use]
    pub fn to_come(way: Way, steps: &[Step]) -> Vec<Self> {
        let line = |step: &Step| Self { step: step.to_string(), way, at: None, result: None };
        steps.iter().map(line).collect()
    }

    /// The steps of a rollout, done.
    #[must_use]
    pub fn done(rollout: &Rollout) -> Vec<Self> {
        let line = |record: &windlass_domain::rollout::Record| Self {
            step: record.step.to_string(),
            way: record.way,
            at: Some(record.at),
            result: Some(match &record.result {
                Ok(note) if note.is_empty() => "done".to_owned(),
                Ok(note) => note.clone(),
                Err(why) => format!("{FAILED}{why}"),
            }),
        };
        rollout.done.iter().map(line).collect()
    }
}

impl Receipt {
    /// What the target counted between two looks, and the times of a rollout.
    #[must_use]
    pub fn between(before: &Tallies, after: &Tallies, rollout: &Rollout) -> Self {
        let (switch_ms, rollback_ms) = (switch_ms(rollout), rollback_ms(rollout));
        Self { switch_ms, rollback_ms, ..Self::counted(before, after) }
    }

    /// The same, with where the hosts of a target were left.
    #[must_use]
    pub fn on(self, hosts: &[HostLook]) -> Self {
        Self { hosts: hosts.iter().map(HostReceipt::of).collect(), ..self }
    }

    /// What the target counted between two looks.
    #[must_use]
    pub fn counted(before: &Tallies, after: &Tallies) -> Self {
        let mut receipt = Self::default();
        for (revision, now) in after {
            let then = before.get(revision).copied().unwrap_or_default();
            // An agent that was started anew counts from nothing.
            let since = |now: u64, then: u64| if now >= then { now - then } else { now };
            let sent = since(now.requests, then.requests);
            receipt.sent += sent;
            receipt.failed += since(now.failed, then.failed);
            receipt
                .by_revision
                .insert(revision.to_string(), RevisionReceipt { sent, bad: since(now.bad, then.bad) });
        }
        receipt
    }
}

impl HostReceipt {
    fn of(look: &HostLook) -> Self {
        let found = match &look.seen {
            Ok((seen, _)) => HostFound::Seen {
                weights: seen.weights.clone(),
                running: seen
                    .revisions
                    .iter()
                    .filter(|(_, ready)| *ready > 0)
                    .map(|(revision, ready)| (revision.to_string(), *ready))
                    .collect(),
            },
            Err(why) => HostFound::Unknown { unknown: why.clone() },
        };
        Self { name: look.name.clone(), found }
    }
}

impl std::fmt::Display for HostReceipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.found {
            HostFound::Seen { weights, .. } => write!(f, "{}: {weights}", self.name),
            HostFound::Unknown { unknown } => write!(f, "{}: not known ({unknown})", self.name),
        }
    }
}

fn switch_ms(rollout: &Rollout) -> Option<u64> {
    let forward = |record: &&windlass_domain::rollout::Record| record.way == Way::Forward;
    let first =
        rollout.done.iter().filter(forward).find(|record| matches!(record.step, Step::Shift { .. }))?;
    let last = rollout.done.iter().filter(forward).rfind(|record| matches!(record.step, Step::Settle))?;
    millis(first.began, last.at)
}

fn rollback_ms(rollout: &Rollout) -> Option<u64> {
    let back = |record: &&windlass_domain::rollout::Record| record.way == Way::Back;
    let first = rollout.done.iter().find(back)?;
    let shift = rollout.done.iter().filter(back).find(|record| matches!(record.step, Step::Shift { .. }))?;
    millis(first.began, shift.at)
}

/// The time between two moments, in milliseconds.
pub(crate) fn millis(from: Timestamp, to: Timestamp) -> Option<u64> {
    u64::try_from(to.duration_since(from).as_millis()).ok()
}
