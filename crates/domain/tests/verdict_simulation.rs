//! The error tests against simulated traffic: false rollbacks stay at most α, and real differences are found in time.
//!
//! Seeded, so that every run is the same run. Counts are binomial; ticks of 5 s.

use windlass_domain::verdict::{ALPHA, Absolute, Arm, BETA, Calibration, TwoArm};

/// `SplitMix64`: small, good enough, and ours. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators" (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From 0 to 1, never 0.
    fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let value = ((self.next() >> 11) + 1) as f64 / 9_007_199_254_740_992.0;
        value
    }

    /// Binomial, by the geometric gaps between successes: cheap for small shares.
    fn binomial(&mut self, trials: u64, share: f64) -> u64 {
        let log = (1.0 - share).ln();
        let (mut at, mut count) = (0_u64, 0);
        loop {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive and saturating"
            )]
            let gap = (self.uniform().ln() / log).floor() as u64 + 1;
            at = at.saturating_add(gap);
            if at > trials {
                return count;
            }
            count += 1;
        }
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[derive(Clone, Copy)]
struct Scenario {
    /// Requests a tick, new and old.
    requests: (u64, u64),
    /// Shares of bad requests, new and old.
    shares: (f64, f64),
    /// The log-sd of independent bursts in each arm, one a tick.
    bursts: f64,
    /// Ticks before the new arm gets its share; before that it has the old one's.
    onset: usize,
    calibration: Calibration,
}

const TICKS: usize = 360;

/// The tick at which it failed and the bad requests served by then, and whether the evidence for it ever sufficed.
fn run(scenario: Scenario, random: &mut Random) -> (Option<(usize, u64)>, bool) {
    let mut test = TwoArm::new(2.0, scenario.calibration, TICKS as u64);
    let mut served = 0;
    let mut passed = false;
    for tick in 0..TICKS {
        let new_share = if tick < scenario.onset { scenario.shares.1 } else { scenario.shares.0 };
        let mut arm = |requests: u64, share: f64| {
            let burst = if scenario.bursts > 0.0 { (scenario.bursts * random.normal()).exp() } else { 1.0 };
            Arm { requests, bad: random.binomial(requests, (share * burst).min(0.9)) }
        };
        let (new, old) = (arm(scenario.requests.0, new_share), arm(scenario.requests.1, scenario.shares.1));
        served += new.bad;
        test.observe(new, old);
        passed |= test.log_pass() >= (1.0 / BETA).ln();
        if test.log_fail() >= (1.0 / ALPHA).ln() {
            return (Some((tick + 1, served)), passed);
        }
    }
    (None, passed)
}

/// The share of runs that failed, and of those that passed.
fn shares(scenario: Scenario, runs: u32) -> (f64, f64) {
    let mut random = Random(7);
    let (mut failed, mut passed) = (0_u32, 0_u32);
    for _ in 0..runs {
        let (fail, pass) = run(scenario, &mut random);
        failed += u32::from(fail.is_some());
        passed += u32::from(pass && fail.is_none());
    }
    (f64::from(failed) / f64::from(runs), f64::from(passed) / f64::from(runs))
}

const SAME: Scenario = Scenario {
    requests: (250, 250),
    shares: (0.005, 0.005),
    bursts: 0.0,
    onset: 0,
    calibration: Calibration::Measured(1.0),
};

#[test]
fn false_rollbacks_stay_at_most_alpha() {
    let few = Scenario { requests: (5, 5), ..SAME };
    let canary = Scenario { requests: (25, 475), ..SAME };
    let uncalibrated = Scenario { shares: (0.0075, 0.005), calibration: Calibration::Unknown, ..SAME };
    for (name, scenario) in
        [("50/50", SAME), ("few", few), ("5/95", canary), ("1.5x, uncalibrated", uncalibrated)]
    {
        let (failed, _) = shares(scenario, 1_000);
        // Three standard deviations of a thousand runs above α; what was seen is well below α itself.
        assert!(failed <= ALPHA + 0.0095, "{name}: {failed}");
    }
}

#[test]
fn bursts_need_phi_and_with_it_stay_at_most_alpha() {
    let bursts = Scenario { bursts: 0.3, shares: (0.05, 0.05), ..SAME };
    let (without, _) = shares(bursts, 300);
    let mut random = Random(11);
    let history: Vec<Arm> = (0..96)
        .map(|_| {
            let share = 0.05 * (0.3 * random.normal()).exp();
            Arm { requests: 250, bad: random.binomial(250, share) }
        })
        .collect();
    let calibration = Calibration::split_half(&history);
    let (with, _) = shares(Scenario { calibration, ..bursts }, 1_000);
    assert!(without > 3.0 * ALPHA, "bursts alone do not mislead here: {without}");
    assert!(with <= ALPHA + 0.0095, "φ = {}: {with}", calibration.phi());
}

#[test]
fn one_percent_instead_of_a_tenth_is_found_fast() {
    for (name, requests, within_seconds, bad_served) in
        [("50/50", (250, 250), 40, 25.0), ("5/95", (25, 475), 130, 9.0)]
    {
        let scenario = Scenario { requests, shares: (0.01, 0.001), ..SAME };
        let mut random = Random(3);
        let mut found: Vec<(usize, u64)> = (0..200).filter_map(|_| run(scenario, &mut random).0).collect();
        assert_eq!(found.len(), 200, "{name}: not found in each run");
        found.sort_unstable();
        assert!(found[100].0 * 5 <= within_seconds, "{name}: {} s", found[100].0 * 5);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let mean = found.iter().map(|(_, bad)| *bad as f64).sum::<f64>() / 200.0;
        assert!(mean <= bad_served, "{name}: {mean} bad requests served");
    }
}

#[test]
fn a_difference_that_begins_late_is_found_too() {
    let scenario = Scenario { requests: (25, 475), shares: (0.01, 0.001), onset: 120, ..SAME };
    let mut random = Random(5);
    let mut found: Vec<usize> = (0..200)
        .filter_map(|_| run(scenario, &mut random).0)
        .map(|(tick, _)| tick.saturating_sub(120) * 5)
        .collect();
    assert!(found.len() >= 198, "{} of 200", found.len());
    found.sort_unstable();
    assert!(found[found.len() / 2] <= 260, "{} s after it began", found[found.len() / 2]);
}

#[test]
fn a_release_that_is_no_worse_passes_and_one_twice_as_bad_hardly_ever() {
    let (_, passed) = shares(Scenario { shares: (0.01, 0.01), ..SAME }, 300);
    assert!(passed > 0.95, "{passed}");
    let (_, wrongly) = shares(Scenario { shares: (0.02, 0.01), ..SAME }, 1_000);
    assert!(wrongly <= BETA, "{wrongly}");
}

#[test]
fn an_arm_at_its_objective_hardly_ever_fails_or_passes() {
    let mut random = Random(9);
    let (mut failed, mut passed) = (0, 0);
    for _ in 0..1_000 {
        let mut test = Absolute::new(0.01, 1.0, TICKS as u64);
        let (mut fail, mut pass) = (false, false);
        for _ in 0..TICKS {
            test.observe(Arm { requests: 100, bad: random.binomial(100, 0.01) });
            fail |= test.log_fail() >= (1.0 / ALPHA).ln();
            pass |= test.log_pass() >= (1.0 / BETA).ln();
        }
        failed += u32::from(fail);
        passed += u32::from(pass);
    }
    assert!(failed <= 19 && passed <= 60, "{failed} failed, {passed} passed, of 1000");
}
