//! Kills real `windlass deploy` processes at every mutation of a canary, before and after its effect, and shows that one
//! further run converges each time: the environment equals the old or the new, and nothing is left open.
//!
//! The product has no hook for this. The agent runs on a root of its own; the policy names another folder, whose socket
//! is this test's: it passes whole requests on, counts those that change something, and kills at the one it was told.
//!
//! Every index of a good release and of one that must be put back is always swept; the seed then adds random ones,
//! killed also while the effect is under way, and twice in a row. Both seed and number can be set:
//!
//! ```text
//! WINDLASS_SWEEP_KILLS=2000 WINDLASS_SWEEP_SEED=7 cargo test -p windlass --test sweep -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

#[path = "sweep/lane.rs"]
mod lane;
#[path = "sweep/proxy.rs"]
mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use self::lane::{Kind, Lane, Run};
use self::proxy::{Killed, Side};

/// Kills that a lane adds by the seed, whatever was swept before.
const BY_SEED: usize = 12;

/// No rollout of this test has so many mutations: a sweep that gets here does not end.
const TOO_MANY: usize = 200;

/// Every kill of the whole test.
type Tally = Mutex<Vec<Killed>>;

#[test]
fn one_further_run_converges_after_a_kill_anywhere() {
    let seed = number("WINDLASS_SWEEP_SEED", 1);
    let wanted = usize::try_from(number("WINDLASS_SWEEP_KILLS", 100)).unwrap();
    let started = Instant::now();
    let tally = Tally::default();
    println!("sweep: seed {seed}, at least {wanted} kills");
    thread::scope(|scope| {
        let lanes = [Side::Before, Side::After].map(|side| {
            let tally = &tally;
            scope.spawn(move || {
                let mut lane = Lane::start();
                for kind in [Kind::Good, Kind::Bad] {
                    sweep(&mut lane, kind, side, tally);
                }
                let mut random = Random(seed.wrapping_mul(2).wrapping_add(u64::from(side == Side::After)));
                let swept = tally.lock().unwrap().len();
                while tally.lock().unwrap().len() < wanted.max(swept + BY_SEED) {
                    by_seed(&mut lane, &mut random, tally);
                }
                lane.runs
            })
        });
        let runs: usize = lanes.map(|lane| lane.join().unwrap()).iter().sum();
        println!("sweep: {runs} runs of deploy in {:.1} s", started.elapsed().as_secs_f64());
    });
    let killed = tally.into_inner().unwrap();
    let mut places: BTreeMap<String, BTreeMap<Side, usize>> = BTreeMap::new();
    for kill in &killed {
        *places.entry(kill.what.clone()).or_default().entry(kill.side).or_default() += 1;
    }
    for (what, sides) in &places {
        println!("sweep: {what}: {sides:?}");
    }
    println!("sweep: {} kills; each time the first run that was let be converged", killed.len());
    assert!(killed.len() >= wanted.max(100), "{} kills", killed.len());
    // A sweep that misses a step shows nothing of it.
    let steps = ["stage", "await-ready", "shift", "settle", "commit", "retire", "withdraw"];
    let events = ["opened", "started", "done", "failed", "closed", "reverted"];
    let expected = steps.map(|step| format!("apply {step}")).into_iter();
    let expected: Vec<String> = expected.chain(events.map(|event| format!("journal {event}"))).collect();
    for side in [Side::Before, Side::After] {
        let reached: BTreeSet<&str> =
            killed.iter().filter(|kill| kill.side == side).map(|kill| kill.what.as_str()).collect();
        for what in &expected {
            assert!(reached.contains(what.as_str()), "nothing was killed {side:?} {what}: {reached:?}");
        }
    }
}

/// Kills at index 0, 1, 2, … of a new release each, until one runs through.
fn sweep(lane: &mut Lane, kind: Kind, side: Side, tally: &Tally) {
    for index in 0..TOO_MANY {
        let release = lane.release(kind);
        let (killed, live) = lane.converge(&[
            Run { release: release.clone(), kill: Some((index, side)) },
            Run { release: release.clone(), kill: None },
        ]);
        assert_eq!(live == release.label, kind == Kind::Good, "{kind:?} {side:?} {index}: {live} is live");
        if killed.is_empty() {
            return;
        }
        tally.lock().unwrap().extend(killed);
    }
    panic!("{kind:?} {side:?}: still killed at mutation {TOO_MANY}");
}

/// Two kills at random places, the second of a run with the same or with another release, then one that is not killed.
fn by_seed(lane: &mut Lane, random: &mut Random, tally: &Tally) {
    let kill = |random: &mut Random| {
        let side = [Side::Before, Side::During, Side::After][random.below(3)];
        Some((random.below(34), side))
    };
    let kind = |random: &mut Random| if random.below(3) == 0 { Kind::Bad } else { Kind::Good };
    let first = lane.release(kind(random));
    let second = if random.below(2) == 0 { first.clone() } else { lane.release(kind(random)) };
    let runs = [
        Run { release: first, kill: kill(random) },
        Run { release: second.clone(), kill: kill(random) },
        Run { release: second, kill: None },
    ];
    let (killed, _) = lane.converge(&runs);
    tally.lock().unwrap().extend(killed);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no context; these two only say how long it shall be"
)]
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
}

/// `SplitMix64`: a seed makes the same cases everywhere.
/// Source: <https://prng.di.unimi.it/splitmix64.c>, in the public domain.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(limit).unwrap()).unwrap()
    }
}
