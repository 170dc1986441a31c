//! The way back that was walked on purpose: for which pair of artifacts, whether it held, and what went through meanwhile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_domain::digest::Digest;
use windlass_domain::journal::{History, Way};
use windlass_domain::outcome::Outcome;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Doing, End, Phase, Record, Rollout, Step};

use crate::document::{Receipt, millis};
use crate::driver::Tallies;

/// The way back from one release to another, walked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// The artifact that was live before, and came back.
    pub from: Digest,
    /// Its revision.
    pub from_revision: Sequence,
    /// The artifact that was deployed, went, and came again.
    pub to: Digest,
    /// Its revision.
    pub to_revision: Sequence,
    /// `passed` where the old held on what the new had written, and the new came again; `failed` where not.
    pub outcome: Outcome,
    /// The first way forward. Absent, as the legs below, where the rollout was finished by another run than began the leg.
    pub forward: Option<Receipt>,
    /// The way back: `switch_ms` from the shift to the old until it was settled, `rollback_ms` from the start of the
    /// old's files as they lay there until then.
    pub back: Option<Receipt>,
    /// The second way forward.
    pub again: Option<Receipt>,
}

/// What the target had counted at the borders of the legs, as far as this run was there.
#[derive(Clone, Debug, Default)]
pub struct Borders {
    start: Option<Tallies>,
    back: Option<Tallies>,
    again: Option<Tallies>,
    end: Option<Tallies>,
}

impl Borders {
    /// Whether the rollout stands at a border now, so that the target should be asked.
    #[must_use]
    pub fn is_at(rollout: &Rollout) -> bool {
        border(rollout).is_some()
    }

    /// Keeps what the target has counted at the border where the rollout stands.
    pub fn keep(&mut self, rollout: &Rollout, tallies: Tallies) {
        match border(rollout) {
            Some(Border::Back) => self.back = Some(tallies),
            Some(Border::Again) => self.again = Some(tallies),
            Some(Border::End) => self.end = Some(tallies),
            None => {}
        }
    }

    /// What it had counted before the rollout was opened by this run.
    pub fn begin(&mut self, tallies: Option<Tallies>) {
        self.start = tallies;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Border {
    Back,
    Again,
    End,
}

fn border(rollout: &Rollout) -> Option<Border> {
    let walk = rollout.plan.walk()?;
    let Phase::Forward { index, doing: Doing::Idle } = rollout.phase else { return None };
    match index {
        index if index == walk.back => Some(Border::Back),
        index if index == walk.again => Some(Border::Again),
        index if index == walk.end => Some(Border::End),
        _ => None,
    }
}

impl Proof {
    /// What a rollout that is over proves; `None` where it did not walk the way back, or had not begun to.
    #[must_use]
    pub fn of(rollout: &Rollout, history: &History, borders: &Borders) -> Option<Self> {
        let walk = rollout.plan.walk()?;
        let anchor = history.releases.get(&rollout.plan.anchor()?)?;
        // Each step of the way forward that is done stands in the order of the plan.
        let done: Vec<&Record> = rollout.done.iter().filter(|record| record.way == Way::Forward).collect();
        let outcome = match &rollout.phase {
            Phase::Over(End::Live) => Outcome::Passed,
            Phase::Over(_) if done.len() > walk.back => Outcome::Failed,
            Phase::Forward { .. } | Phase::Back { .. } | Phase::Over(_) => return None,
        };
        let leg = |from: usize, to: usize, before: &Option<Tallies>, after: &Option<Tallies>| {
            let records = done.get(from..to)?;
            let (before, after) = (before.as_ref()?, after.as_ref()?);
            let mut receipt = Receipt::counted(before, after);
            receipt.switch_ms = switch_ms(records);
            Some(receipt)
        };
        let mut back = leg(walk.back, walk.again, &borders.back, &borders.again);
        if let (Some(back), Some(records)) = (&mut back, done.get(walk.back..walk.again)) {
            let starts = records.iter().find(|record| matches!(record.step, Step::Stage { .. }));
            let settled = records.iter().rfind(|record| matches!(record.step, Step::Settle));
            back.rollback_ms =
                starts.zip(settled).and_then(|(starts, settled)| millis(starts.began, settled.at));
        }
        Some(Self {
            from: anchor.artifact,
            from_revision: anchor.sequence,
            to: rollout.plan.release.artifact,
            to_revision: rollout.plan.release.sequence,
            outcome,
            forward: leg(0, walk.back, &borders.start, &borders.back),
            back,
            again: leg(walk.again, walk.end, &borders.again, &borders.end),
        })
    }

    /// Its fact for people.
    #[must_use]
    pub fn told(&self) -> String {
        let counted = |name: &str, leg: &Option<Receipt>| match leg {
            Some(leg) => format!("{name} {} sent, {} failed", leg.sent, leg.failed),
            None => format!("{name} not counted"),
        };
        let time = self.back.as_ref().and_then(|back| back.rollback_ms);
        let time = time.map_or_else(String::new, |time| format!(" in {time} ms"));
        format!(
            "{}: {} to {}{time}; {}; {}; {}",
            self.outcome,
            self.to_revision,
            self.from_revision,
            counted("forward", &self.forward),
            counted("back", &self.back),
            counted("again", &self.again),
        )
    }
}

/// From the first shift until the last one was settled.
fn switch_ms(records: &[&Record]) -> Option<u64> {
    let first = records.iter().find(|record| matches!(record.step, Step::Shift { .. }))?;
    let last = records.iter().rfind(|record| matches!(record.step, Step::Settle))?;
    millis(first.began, last.at)
}
