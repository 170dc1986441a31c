//! Which kills: all of them, or so many that the seed picks, with each kind of mutation among them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use crate::proxy::{Kill, Side, Victim};
use crate::scenario::Scenario;

/// Before and after the effect, of the tool and of the agent.
pub(crate) const SIDES: [(Side, Victim); 4] = [
    (Side::Before, Victim::Tool),
    (Side::Before, Victim::Agent),
    (Side::After, Victim::Tool),
    (Side::After, Victim::Agent),
];

/// How many kills.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    All,
    AtLeast(usize),
}

/// One kill of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) kill: Kill,
    /// The mutation.
    pub(crate) what: String,
}

/// Picks: one of each kind of mutation, side and victim first, then of each scenario in turn.
pub(crate) fn pick(found: &[(Scenario, Vec<String>)], wanted: Wanted, random: &mut Random) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    for (scenario, mutations) in found {
        for (at, what) in mutations.iter().enumerate() {
            all.extend(SIDES.map(|(side, victim)| Case {
                scenario: *scenario,
                kill: Kill { at, side, victim },
                what: what.clone(),
            }));
        }
    }
    let Wanted::AtLeast(wanted) = wanted else { return all };
    random.shuffle(&mut all);
    let mut kinds = BTreeMap::new();
    let mut rest: BTreeMap<&str, VecDeque<Case>> = BTreeMap::new();
    for case in all {
        let kind = (case.what.clone(), case.kill.side, case.kill.victim);
        match kinds.entry(kind) {
            Entry::Vacant(free) => {
                free.insert(case);
            }
            Entry::Occupied(_) => rest.entry(case.scenario.name).or_default().push_back(case),
        }
    }
    let mut picked: Vec<Case> = kinds.into_values().collect();
    while picked.len() < wanted && rest.values().any(|cases| !cases.is_empty()) {
        let left = wanted - picked.len();
        picked.extend(rest.values_mut().filter_map(VecDeque::pop_front).take(left));
    }
    picked
}

/// How many kills, and the seed, as the environment has them.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no context; these two only say how long it shall be"
)]
pub(crate) fn asked() -> (Wanted, u64) {
    let asked = |name: &str| std::env::var(name).ok();
    let number = |name: &str, text: &str| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number"));
    let seed = asked("WINDLASS_SWEEP_SEED").map_or(1, |text| number("WINDLASS_SWEEP_SEED", &text));
    let wanted = match asked("WINDLASS_SWEEP_KILLS").as_deref() {
        None => Wanted::AtLeast(100),
        Some("all") => Wanted::All,
        Some(text) => Wanted::AtLeast(usize::try_from(number("WINDLASS_SWEEP_KILLS", text)).unwrap()),
    };
    (wanted, seed)
}

/// `SplitMix64`: a seed makes the same cases everywhere.
/// Source: <https://prng.di.unimi.it/splitmix64.c>, in the public domain.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
