//! The middle of a strategy's list while it is made: batches, shares, and what is judged between them.

use super::step::{Step, Weights};
use super::strategy::Takeover;
use crate::policy::{CustomStep, Percent, Span};

/// The middle of a list while it is made: staging, shifts and what is judged between them.
pub(super) struct Body<'a> {
    pub(super) takeover: &'a Takeover,
    pub(super) steps: Vec<Step>,
    /// Instances of the new that run on every host that takes it.
    pub(super) running: u16,
    /// How many of several hosts take the new, where they do so in batches.
    pub(super) hosts: usize,
    /// The share of the new, in hundredths of a percent.
    pub(super) share: u16,
    /// The longest bake so far.
    pub(super) bake: Span,
}

impl Body<'_> {
    /// Has all instances of the new running on all hosts.
    pub(super) fn start_all(&mut self) {
        if self.running < self.takeover.instances || self.hosts < self.rest_of_hosts() {
            self.stage(self.takeover.instances, Vec::new());
            self.running = self.takeover.instances;
            self.hosts = self.takeover.hosts.len();
        }
    }

    /// How many hosts there are, where batches count them and have begun to; 0 where all take part from the start.
    fn rest_of_hosts(&self) -> usize {
        if self.hosts > 0 { self.takeover.hosts.len() } else { 0 }
    }

    pub(super) fn stage(&mut self, instances: u16, on: Vec<String>) {
        let revision = self.takeover.new;
        self.steps.push(Step::Stage { revision, instances, on: on.clone() });
        self.steps.push(Step::AwaitReady { revision, instances, on });
    }

    /// Batch after batch, of instances or of several hosts; the old stays warm until the last one is committed.
    pub(super) fn rolling(&mut self, batch: u16, bake: Span) {
        while self.share < Weights::WHOLE {
            self.batch(batch, true);
            self.judge(true, bake);
        }
    }

    /// One batch more, and the share of requests that follows from it.
    pub(super) fn batch(&mut self, batch: u16, settle: bool) {
        let Takeover { new, instances, hosts, .. } = self.takeover;
        let batch = batch.max(1);
        if hosts.len() > 1 {
            let end = hosts.len().min(self.hosts + usize::from(batch));
            let on = hosts[self.hosts..end].to_vec();
            self.hosts = end;
            self.running = *instances;
            self.stage(*instances, on.clone());
            self.share = part(end, hosts.len());
            self.steps.push(Step::Shift { weights: Weights::all(*new), on });
            if settle {
                self.steps.push(Step::Settle);
            }
        } else {
            self.running = (*instances).min(self.running.saturating_add(batch));
            self.stage(self.running, Vec::new());
            self.send(part(self.running.into(), (*instances).into()), settle);
        }
    }

    /// Has everything running, then sends a share and judges it.
    pub(super) fn shift(&mut self, share: u16, settle: bool, verify: bool, bake: Span) {
        self.start_all();
        self.send(share, settle);
        self.judge(verify, bake);
    }

    pub(super) fn send(&mut self, share: u16, settle: bool) {
        let old = self.takeover.old.map(|(old, _)| old);
        self.share = if old.is_some() { share } else { Weights::WHOLE };
        self.steps.push(Step::shift(Weights::split(self.takeover.new, share, old)));
        if settle {
            self.steps.push(Step::Settle);
        }
    }

    pub(super) fn judge(&mut self, verify: bool, bake: Span) {
        self.bake = self.bake.max(bake);
        if verify && (self.takeover.verify || bake > Span::millis(0)) {
            self.steps.push(Step::Verify { revision: None, weight: self.share, bake });
        }
    }

    /// Accepted is not effective: whatever a list says, its last shift is waited for before the commit.
    pub(super) fn settle_at_last(&mut self) {
        let after = self.steps.iter().rev().take_while(|step| !matches!(step, Step::Shift { .. }));
        if !after.into_iter().any(|step| *step == Step::Settle) {
            self.steps.push(Step::Settle);
        }
    }

    /// One step of the author's own list.
    pub(super) fn custom(&mut self, step: &CustomStep) {
        match (step.batch, step.weight) {
            (Some(batch), None) => {
                self.batch(batch, step.settle);
                self.judge(step.verify, step.bake);
            }
            (Some(batch), Some(weight)) if self.takeover.hosts.len() <= 1 => {
                self.running = self.takeover.instances.min(self.running.saturating_add(batch));
                self.stage(self.running, Vec::new());
                self.send(hundredths(weight), step.settle);
                self.judge(step.verify, step.bake);
            }
            // A share on several hosts is the same on each of them.
            (Some(_) | None, Some(weight)) => {
                self.shift(hundredths(weight), step.settle, step.verify, step.bake);
            }
            (None, None) => {}
        }
        if step.pause > Span::millis(0) {
            self.steps.push(Step::Pause { span: step.pause });
        }
    }
}

/// `some` of `all` as a weight, rounded down.
pub(super) fn part(some: usize, all: usize) -> u16 {
    let whole = usize::from(Weights::WHOLE);
    u16::try_from(whole * some / all.max(1)).unwrap_or(Weights::WHOLE)
}

/// A share as a weight.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100 times 100")]
pub(super) fn hundredths(share: Percent) -> u16 {
    (share.get() * 100.0).round() as u16
}
