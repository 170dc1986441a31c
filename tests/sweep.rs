//! Kills real tools and real agents at every mutation of a rollout, before, during and after its effect, and shows that
//! one further run converges each time: the environment equals the old or the new, and nothing is left open. What an
//! agent ran lives on without it, and the next one adopts it.
//!
//! The product has no hook for this. While a run is watched, the agent's socket is put aside, and this test's stands in
//! its place: it passes whole requests on, counts those that change something, and kills at the one it was told.
//!
//! One run of each scenario without a kill says what its mutations are. Of all of them, before and after the effect, for
//! the tool and for the agent, the seed picks at least one of each kind of mutation, and random ones beside; then it
//! kills twice in a row, also while the effect is under way. Number and seed can be set; `all` is the whole product:
//!
//! ```text
//! WINDLASS_SWEEP_KILLS=all cargo test -p windlass --test sweep -- --nocapture
//! WINDLASS_SWEEP_KILLS=500 WINDLASS_SWEEP_SEED=7 cargo test -p windlass --test sweep -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

#[path = "sweep/cases.rs"]
mod cases;
#[path = "sweep/faults.rs"]
mod faults;
#[path = "sweep/lane.rs"]
mod lane;
#[path = "sweep/processes.rs"]
mod processes;
#[path = "sweep/proxy.rs"]
mod proxy;
#[path = "sweep/scenario.rs"]
mod scenario;
#[path = "sweep/whole.rs"]
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use self::cases::{Case, Random, Wanted, pick};
use self::faults::Fault;
use self::lane::{Lane, Run};
use self::proxy::{Kill, Killed, Side, Victim};
use self::scenario::{Scenario, Tool};

/// Cases of two kills in a row, whatever was swept before.
const TWICE: usize = 16;

/// Environments that are swept at the same time.
const LANES: usize = 3;

#[test]
fn one_further_run_converges_after_a_kill_anywhere() {
    let (wanted, seed) = cases::asked();
    let started = Instant::now();
    println!("sweep: seed {seed}, {wanted:?}");
    let mut lanes: Vec<Lane> = thread::scope(|scope| {
        let starting: Vec<_> = (0..LANES).map(|_| scope.spawn(Lane::start)).collect();
        starting.into_iter().map(|lane| lane.join().unwrap()).collect()
    });
    let found = shared(&mut lanes, scenario::ALL.len(), |lane, index| {
        let scenario = scenario::ALL[index];
        (scenario, lane.mutations(scenario))
    });
    let mut random = Random(seed);
    let picked = pick(&found, wanted, &mut random);
    let all: usize = found.iter().map(|(_, mutations)| mutations.len() * cases::SIDES.len()).sum();
    println!("sweep: {} scenarios with {all} kills in all, of which {}", found.len(), picked.len());
    let seeds: Vec<u64> = (0..TWICE.max(picked.len() / 8)).map(|_| random.next()).collect();
    let count = picked.len() + seeds.len();
    let killed: Vec<Killed> = shared(&mut lanes, count, |lane, index| match picked.get(index) {
        Some(case) => once(lane, case),
        None => twice(lane, &mut Random(seeds[index - picked.len()])),
    })
    .into_iter()
    .flatten()
    .collect();
    let runs: usize = lanes.iter().map(|lane| lane.runs).sum();
    println!("sweep: {runs} runs in {:.1} s", started.elapsed().as_secs_f64());
    for line in places(&killed) {
        println!("sweep: {line}");
    }
    println!("sweep: {} kills; each time the first run that was let be converged", killed.len());
    let agents = killed.iter().filter(|killed| killed.victim == Victim::Agent).count();
    assert!(killed.len() >= picked.len() && agents >= 20, "{} kills, {agents} of the agent", killed.len());
    check_coverage(&found, &killed);
}

#[test]
fn one_further_run_converges_after_a_fault_of_the_disk_or_the_ledger_anywhere() {
    let (wanted, seed) = cases::asked();
    let started = Instant::now();
    let mut random = Random(seed);
    let mut lane = Lane::on_a_small_disk().unwrap_or_else(|| {
        eprintln!("skipped: faults of a disk; a file system of its own needs root");
        Lane::start()
    });
    let has_disk = lane.has_disk();
    let mut codes: BTreeMap<String, Vec<Option<i32>>> = BTreeMap::new();
    for name in ["canary", "canary, refused"] {
        let scenario = scenario::ALL.into_iter().find(|scenario| scenario.name == name).unwrap();
        let mutations = lane.mutations(scenario).len();
        for fault in [Fault::Full, Fault::ReadOnly, Fault::ReadOnlyAtStart, Fault::Torn, Fault::Corrupted] {
            let places: Vec<usize> = match wanted {
                _ if fault.needs_disk() && !has_disk => continue,
                Wanted::All => (0..mutations).collect(),
                Wanted::AtLeast(_) => (0..2).map(|_| random.below(mutations)).collect(),
            };
            for at in places {
                let code = faults::strike(&mut lane, scenario, fault, at);
                codes.entry(format!("{fault:?}")).or_default().push(code);
            }
        }
    }
    println!(
        "sweep: faults, and how the runs ended that met them: {codes:?}, in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    // A fault that no run notices shows nothing.
    for fault in [Fault::Full, Fault::ReadOnly].into_iter().filter(|_| has_disk) {
        assert!(codes[&format!("{fault:?}")].contains(&Some(3)), "nobody noticed {fault:?}: {codes:?}");
    }
}

/// Has the lanes do so many pieces of work, whichever is free the next.
fn shared<T: Send>(lanes: &mut [Lane], count: usize, work: impl Fn(&mut Lane, usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let result = work(lane, index);
                    done.lock().unwrap().push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// One kill, then the run that converges.
fn once(lane: &mut Lane, case: &Case) -> Vec<Killed> {
    let release = lane.prepared(case.scenario);
    let runs = [Run { release: release.clone(), kill: Some(case.kill) }, Run { release, kill: None }];
    let killed = lane.converge(&runs);
    assert!(killed.len() == 1 && killed[0].what == case.what, "{case:?}: {killed:?}");
    killed
}

/// Two kills at random places, the second of a run with the same or with another release, then one in which nobody is
/// killed.
fn twice(lane: &mut Lane, random: &mut Random) -> Vec<Killed> {
    let deploys: Vec<Scenario> =
        scenario::ALL.into_iter().filter(|scenario| scenario.tool == Tool::Deploy).collect();
    let kill = |random: &mut Random| {
        let milliseconds = u8::try_from(random.below(20)).unwrap();
        let side = [Side::Before, Side::During(milliseconds), Side::After][random.below(3)];
        let victim = [Victim::Tool, Victim::Agent][random.below(2)];
        Some(Kill { at: random.below(30), side, victim })
    };
    let first = lane.release(deploys[random.below(deploys.len())]);
    let same = random.below(2) == 0;
    let second = if same { first.clone() } else { lane.release(deploys[random.below(deploys.len())]) };
    lane.converge(&[
        Run { release: first, kill: kill(random) },
        Run { release: second.clone(), kill: kill(random) },
        Run { release: second, kill: None },
    ])
}

/// Where how often who was killed.
fn places(killed: &[Killed]) -> Vec<String> {
    let mut places: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for kill in killed {
        let side = match kill.side {
            Side::Before => "before",
            Side::During(_) => "during",
            Side::After => "after",
        };
        *places.entry(&kill.what).or_default().entry(format!("{:?} {side}", kill.victim)).or_default() += 1;
    }
    places.iter().map(|(what, kills)| format!("{what}: {kills:?}")).collect()
}

/// A sweep that misses a step shows nothing of it.
fn check_coverage(found: &[(Scenario, Vec<String>)], killed: &[Killed]) {
    let steps = ["stage", "await-ready", "shift", "settle", "commit", "retire", "withdraw", "migrate"];
    let events = ["opened", "started", "done", "failed", "closed", "reverted"];
    let expected = steps.map(|step| format!("apply {step}")).into_iter();
    let expected = expected.chain(events.map(|event| format!("journal {event}")));
    let expected: BTreeSet<String> = expected.chain(["configure".to_owned()]).collect();
    let mutations: BTreeSet<&String> = found.iter().flat_map(|(_, mutations)| mutations).collect();
    for what in &expected {
        assert!(mutations.contains(what), "no scenario has {what}: {mutations:?}");
        for (side, victim) in cases::SIDES {
            let is_this = |kill: &&Killed| kill.what == *what && kill.side == side && kill.victim == victim;
            assert!(killed.iter().any(|kill| is_this(&kill)), "no {victim:?} was killed {side:?} {what}");
        }
    }
}
