//! Plans for sweeps, and a judge that always says the same.

use async_trait::async_trait;
use windlass_domain::digest::Digest;
use windlass_domain::policy::{Clocks, Percent, Span, Strategy};
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{Intent, Plan, Standing, Takeover, WayBack, compile};

use crate::judge::{Call, Judge, Judged, Question};

/// Answers every question the same way.
pub(crate) struct Says(pub(crate) Judged);

#[async_trait]
impl Judge for Says {
    async fn judge(&self, _: Question<'_>) -> Judged {
        self.0.clone()
    }

    async fn hook(&self, _: Call<'_>) -> Judged {
        Judged::Passed { note: String::new() }
    }
}

/// A judge who lets everything pass, or nothing.
pub(crate) fn says(holds: bool) -> Says {
    Says(if holds {
        Judged::Passed { note: String::new() }
    } else {
        Judged::Failed { why: "too many errors".into() }
    })
}

pub(crate) fn release(sequence: u64) -> Release {
    Release::bare(Sequence(sequence), "shop", Digest::of(&sequence.to_le_bytes()))
}

/// Every kind of strategy; without weights, those that flip.
pub(crate) fn strategies(weights: bool) -> Vec<Strategy> {
    let mut strategies = vec![Strategy::BlueGreen { bake: Span::millis(1) }];
    if weights {
        let steps = [5.0, 25.0, 50.0].map(|share| Percent::new(share).expect("a share")).to_vec();
        strategies.push(Strategy::Rolling { batch: 1, bake: Span::millis(0) });
        strategies.push(Strategy::Canary { steps, bake: Span::millis(1) });
    }
    strategies
}

/// A deploy of `new` over `old`, with so many instances.
pub(crate) fn deploy(strategy: &Strategy, new: u64, old: Option<u64>, instances: u16) -> Plan {
    let replaced = old.map(|old| (Sequence(old), instances));
    let takeover = Takeover { verify: true, ..Takeover::bare(Sequence(new), replaced, instances) };
    let anchor = |old| WayBack::Anchor { revision: Sequence(old), instances };
    Plan {
        environment: "production".into(),
        intent: Intent::Deploy,
        release: release(new),
        way_back: old.map_or(WayBack::Empty, anchor),
        strategy: strategy.clone(),
        steps: compile(strategy, &takeover),
        clocks: Clocks::default(),
        hooks: Vec::new(),
        from: Standing::default(),
    }
}

/// A rollback to `new` from `old`.
#[cfg(test)]
pub(crate) fn rollback(new: u64, old: u64, instances: u16) -> Plan {
    let takeover = Takeover::bare(Sequence(new), Some((Sequence(old), instances)), instances);
    Plan {
        intent: Intent::Rollback { reason: None, hold: true },
        steps: windlass_domain::rollout::compile_rollback(&takeover),
        ..deploy(&Strategy::BlueGreen { bake: Span::millis(0) }, new, Some(old), instances)
    }
}
