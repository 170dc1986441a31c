//! Strategies are data: each compiles to a list of steps, and one engine runs them all.

use super::step::{Step, Weights};
use crate::policy::{Span, Strategy};
use crate::release::Sequence;

/// What a strategy is compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The revision that takes over.
    pub new: Sequence,
    /// The revision that is live, if any.
    pub old: Option<Sequence>,
    /// How many instances the new one shall have.
    pub instances: u16,
    /// Whether the policy says how a running release is judged.
    pub verify: bool,
    /// The revisions whose files stay afterwards.
    pub keep: Vec<Sequence>,
}

/// The steps by which a release takes over. Every list begins with staging and ends with commit and retire; nothing
/// old is stopped before the commit.
#[must_use]
pub fn compile(strategy: &Strategy, takeover: &Takeover) -> Vec<Step> {
    let Takeover { new, instances, .. } = *takeover;
    let mut steps = Vec::new();
    match (strategy, takeover.old) {
        (Strategy::Rolling { batch, bake }, Some(_)) => {
            let mut running = 0;
            while running < instances {
                running = instances.min(running.saturating_add((*batch).max(1)));
                stage(&mut steps, new, running);
                let share = u32::from(Weights::WHOLE) * u32::from(running) / u32::from(instances);
                let share = u16::try_from(share).expect("a share of the whole fits");
                shift(&mut steps, takeover, share, *bake);
            }
        }
        (Strategy::Canary { steps: shares, bake }, Some(_)) => {
            stage(&mut steps, new, instances);
            for share in shares {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 100 times 100"
                )]
                shift(&mut steps, takeover, (share.get() * 100.0).round() as u16, *bake);
            }
            shift(&mut steps, takeover, Weights::WHOLE, Span::millis(0));
        }
        (Strategy::BlueGreen { bake }, _)
        | (Strategy::Rolling { bake, .. } | Strategy::Canary { bake, .. }, None) => {
            stage(&mut steps, new, instances);
            shift(&mut steps, takeover, Weights::WHOLE, *bake);
        }
    }
    finish(&mut steps, takeover);
    steps
}

/// The steps of a rollback: straight back, but never before the old is ready.
#[must_use]
pub fn compile_rollback(takeover: &Takeover) -> Vec<Step> {
    let mut steps = Vec::new();
    stage(&mut steps, takeover.new, takeover.instances);
    steps.push(Step::Shift { weights: Weights::all(takeover.new) });
    steps.push(Step::Settle);
    finish(&mut steps, takeover);
    steps
}

fn stage(steps: &mut Vec<Step>, revision: Sequence, instances: u16) {
    steps.push(Step::Stage { revision, instances });
    steps.push(Step::AwaitReady { revision, instances });
}

fn shift(steps: &mut Vec<Step>, takeover: &Takeover, share: u16, bake: Span) {
    steps.push(Step::Shift { weights: Weights::split(takeover.new, share, takeover.old) });
    steps.push(Step::Settle);
    if takeover.verify || bake > Span::millis(0) {
        steps.push(Step::Verify { weight: share, bake });
    }
}

fn finish(steps: &mut Vec<Step>, takeover: &Takeover) {
    steps.push(Step::Commit { revision: takeover.new });
    steps.push(Step::Retire { live: takeover.new, keep: takeover.keep.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Percent;

    fn lines(strategy: &Strategy, old: Option<u64>, instances: u16) -> String {
        let takeover = Takeover {
            new: Sequence(2),
            old: old.map(Sequence),
            instances,
            verify: true,
            keep: vec![Sequence(1), Sequence(2)],
        };
        compile(strategy, &takeover).iter().map(|step| format!("{step}\n")).collect()
    }

    #[test]
    fn canary_rises_and_is_verified_at_each_share() {
        let steps = [5.0, 50.0].map(|share| Percent::new(share).unwrap()).to_vec();
        let canary = Strategy::Canary { steps, bake: Span::minutes(10) };
        insta::assert_snapshot!(lines(&canary, Some(1), 2), @r"
        stage r2 ×2
        await-ready r2 ×2
        shift r2 5%, r1 95%
        settle
        verify at 5% for 10m
        shift r2 50%, r1 50%
        settle
        verify at 50% for 10m
        shift r2 100%
        settle
        verify at 100% for 0s
        commit r2
        retire all but r2
        ");
    }

    #[test]
    fn rolling_follows_its_instances() {
        let rolling = Strategy::Rolling { batch: 2, bake: Span::millis(0) };
        insta::assert_snapshot!(lines(&rolling, Some(1), 3), @r"
        stage r2 ×2
        await-ready r2 ×2
        shift r2 66.66%, r1 33.34%
        settle
        verify at 66.66% for 0s
        stage r2 ×3
        await-ready r2 ×3
        shift r2 100%
        settle
        verify at 100% for 0s
        commit r2
        retire all but r2
        ");
    }

    #[test]
    fn a_first_release_has_nothing_to_share_with() {
        let canary = Strategy::Canary { steps: vec![Percent::new(5.0).unwrap()], bake: Span::seconds(1) };
        insta::assert_snapshot!(lines(&canary, None, 1), @r"
        stage r2 ×1
        await-ready r2 ×1
        shift r2 100%
        settle
        verify at 100% for 1s
        commit r2
        retire all but r2
        ");
    }
}
