//! The sequential tests that a policy asks for, fed interval by interval.

use windlass_domain::policy::{NoData, Percent};
use windlass_domain::verdict::{
    ALPHA, Absolute, Arm, Calibration, FEWEST_FOR_CUTS, Latency, MetricVerdict, NoDataReason, Standing,
    TwoArm, cuts, evidence, mean_of_two, more_requests_needed, slower, thresholds,
};

use super::counters::{Served, with_infinite_bound};
use super::settings::Settings;
use crate::source::reading::{Reading, RevisionReading};

/// Below this share of bad requests a ratio alone keeps no release waiting: with hardly any bad requests in either
/// arm a ratio cannot be proved, but that they are fewer than this can. Used where the policy names no `at_most`.
const MATERIAL_SHARE: f64 = 0.005;

/// What one interval brought.
pub(super) struct Interval<'a> {
    pub(super) new: Option<&'a Served>,
    pub(super) old: Option<&'a Served>,
}

/// All tests of one watch.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    at_most: Option<AtMost>,
    worse_by: Option<WorseBy>,
    latency: Option<Slow>,
    pub(super) new: Arm,
    pub(super) old: Arm,
    calibration: Calibration,
    no_data: NoData,
    has_old: bool,
}

#[derive(Clone, Debug)]
struct AtMost {
    new: Absolute,
    old: Absolute,
}

#[derive(Clone, Debug)]
struct WorseBy {
    ratio: f64,
    floor: Absolute,
    comparison: Comparison,
}

#[derive(Clone, Debug)]
enum Comparison {
    Undecided,
    Split(TwoArm),
    Before(Absolute, Arm),
    NoBaseline,
}

#[derive(Clone, Debug)]
struct Slow {
    ratio: f64,
    cuts: Vec<f64>,
    test: Option<Latency>,
    seen: (Arm, Arm),
}

impl Metrics {
    pub(super) fn new(settings: &Settings) -> Self {
        let planned = settings.planned_intervals();
        let calibration = Calibration::split_half(&settings.history);
        let phi = calibration.phi();
        let share = |percent: Percent| percent.share();
        let errors = settings.verify.errors;
        let objective = errors.and_then(|errors| errors.at_most).map(share);
        let at_most = objective.map(|objective| AtMost {
            new: Absolute::new(objective, phi, planned),
            old: Absolute::new(objective, phi, planned),
        });
        let worse_by = errors.and_then(|errors| errors.worse_by).map(|ratio| WorseBy {
            ratio: ratio.get(),
            floor: Absolute::new(objective.unwrap_or(MATERIAL_SHARE), phi, planned),
            comparison: Comparison::Undecided,
        });
        let latency = settings.verify.latency.map(|latency| Slow {
            ratio: latency.worse_by.get(),
            cuts: Vec::new(),
            test: None,
            seen: (Arm::default(), Arm::default()),
        });
        Self {
            at_most,
            worse_by,
            latency,
            new: Arm::default(),
            old: Arm::default(),
            calibration,
            no_data: settings.verify.no_data,
            has_old: settings.old.is_some(),
        }
    }

    /// Chooses how the arms are compared, from what was read before the first interval that is judged.
    pub(super) fn begin(&mut self, reading: &Reading, planned: u64) {
        let Some(old) = &reading.old else { return };
        let split = old.weight.is_none_or(|weight| weight > 0.0);
        if let Some(worse_by) = &mut self.worse_by
            && matches!(worse_by.comparison, Comparison::Undecided)
        {
            worse_by.comparison = worse_by.choose(split, old, self.calibration, planned);
        }
        if let Some(AtMost { old: test, .. }) = &mut self.at_most
            && !split
            && let Some(before) = lifetime(old)
        {
            test.observe(before);
        }
        if let Some(latency) = &mut self.latency
            && latency.test.is_none()
        {
            latency.choose(split, old, self.calibration, planned);
        }
    }

    /// Takes one interval.
    pub(super) fn observe(&mut self, interval: &Interval<'_>) {
        let (Some(new), old) = (interval.new, interval.old) else { return };
        self.new += new.arm;
        let old_arm = old.map_or_else(Arm::default, |old| old.arm);
        self.old += old_arm;
        if let Some(test) = &mut self.at_most {
            test.new.observe(new.arm);
            test.old.observe(old_arm);
        }
        if let Some(test) = &mut self.worse_by {
            test.floor.observe(new.arm);
            match &mut test.comparison {
                Comparison::Split(test) => test.observe(new.arm, old_arm),
                Comparison::Before(test, _) => test.observe(new.arm),
                Comparison::Undecided | Comparison::NoBaseline => {}
            }
        }
        if let Some(test) = &mut self.latency {
            test.observe(new, old);
        }
    }

    /// What each metric says now. `problem` is why the new revision's counts cannot be trusted at this moment, and
    /// `late` whether missing data may be ignored already, where the policy says so.
    pub(super) fn verdicts(&self, problem: Option<NoDataReason>, late: bool) -> Vec<MetricVerdict> {
        let count = usize::from(self.at_most.is_some())
            + usize::from(self.worse_by.is_some() && self.has_old)
            + usize::from(self.latency.is_some() && self.has_old);
        let (threshold_fail, threshold_pass) = thresholds(count);
        let problem = problem.or((self.new.requests == 0).then_some(NoDataReason::NoRequests));
        let blank = |name: &str| MetricVerdict {
            name: name.to_owned(),
            arm_new: self.new,
            arm_old: self.has_old.then_some(self.old),
            evidence_fail: 1.0,
            evidence_pass: 1.0,
            phi: self.calibration.phi(),
            threshold_fail,
            threshold_pass,
            no_data: problem,
            standing: Standing::Critical,
            notes: Vec::new(),
        };
        let mut verdicts = Vec::new();
        if let Some(test) = &self.at_most {
            verdicts.push(test.verdict(blank("errors.at_most")));
        }
        if let Some(test) = &self.worse_by {
            verdicts.push(test.verdict(blank("errors.worse_by"), self.calibration, self.has_old, self.old));
        }
        if let Some(test) = &self.latency {
            verdicts.push(test.verdict(blank("latency.worse_by"), self.calibration, self.has_old));
        }
        for verdict in &mut verdicts {
            if verdict.no_data.is_some() && late && self.no_data == NoData::Ignore {
                verdict.standing = Standing::NotApplicable;
                verdict.notes.push("ignored without data, as the policy says".to_owned());
            }
        }
        verdicts
    }

    /// About how many more requests to the new revision would decide the slowest critical metric.
    pub(super) fn more_requests_needed(&self) -> Option<u64> {
        let by_rate = |log: f64, seen: u64| {
            #[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^52")]
            let rate = log / seen.max(1) as f64;
            more_requests_needed(log, rate)
        };
        let at_most = self
            .at_most
            .as_ref()
            .and_then(|test| more_requests_needed(test.new.log_pass(), test.new.gain_of_a_good_request()));
        let worse_by = self.worse_by.as_ref().filter(|_| self.has_old).and_then(|test| {
            let log = test.log_pass()?;
            let by_floor = more_requests_needed(log, test.floor.gain_of_a_good_request());
            match (by_floor, by_rate(log, self.new.requests)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (only, None) | (None, only) => only,
            }
        });
        let latency = self
            .latency
            .as_ref()
            .filter(|_| self.has_old)
            .and_then(|test| by_rate(test.test.as_ref()?.log_pass(), test.seen.0.requests));
        [at_most, worse_by, latency].into_iter().flatten().max()
    }
}

impl AtMost {
    fn verdict(&self, mut verdict: MetricVerdict) -> MetricVerdict {
        verdict.evidence_fail = evidence(self.new.log_fail());
        verdict.evidence_pass = evidence(self.new.log_pass());
        if self.old.log_fail() >= (1.0 / ALPHA).ln() {
            verdict.standing = Standing::BaselineUnhealthy;
            verdict.notes.push("the old revision itself is above the objective".to_owned());
        }
        verdict
    }
}

impl WorseBy {
    fn choose(
        &self,
        split: bool,
        old: &RevisionReading,
        calibration: Calibration,
        planned: u64,
    ) -> Comparison {
        if split {
            return Comparison::Split(TwoArm::new(self.ratio, calibration, planned));
        }
        match lifetime(old) {
            Some(before) if before.requests >= FEWEST_FOR_CUTS => {
                let share = self.ratio * (before.bad_count() + 1.0) / (before.count() + 1.0);
                let test = Absolute::new(share.max(MATERIAL_SHARE), calibration.phi(), planned);
                Comparison::Before(test, before)
            }
            Some(_) | None => Comparison::NoBaseline,
        }
    }

    /// The ratio's evidence, averaged with that of the share being immaterial: against "worse by so much, and
    /// material" both hold.
    fn log_pass(&self) -> Option<f64> {
        match &self.comparison {
            Comparison::Split(test) => Some(mean_of_two(test.log_pass(), self.floor.log_pass())),
            Comparison::Before(test, _) => Some(test.log_pass()),
            Comparison::Undecided | Comparison::NoBaseline => None,
        }
    }

    fn verdict(
        &self,
        mut verdict: MetricVerdict,
        calibration: Calibration,
        has_old: bool,
        old: Arm,
    ) -> MetricVerdict {
        if !has_old {
            return not_applicable(verdict);
        }
        verdict.evidence_pass = evidence(self.log_pass().unwrap_or(0.0));
        match &self.comparison {
            Comparison::Split(test) => {
                verdict.evidence_fail = evidence(test.log_fail());
                if verdict.no_data.is_none() && old.requests == 0 {
                    verdict.no_data = Some(NoDataReason::NoBaseline);
                }
                note_calibration(&mut verdict, calibration);
            }
            Comparison::Before(test, before) => {
                verdict.evidence_fail = evidence(test.log_fail());
                verdict.arm_old = Some(*before);
                verdict
                    .notes
                    .push("not randomised: compared with what the old revision did before".to_owned());
            }
            Comparison::Undecided | Comparison::NoBaseline => {
                verdict.no_data = verdict.no_data.or(Some(NoDataReason::NoBaseline));
            }
        }
        verdict
    }
}

impl Slow {
    fn choose(&mut self, split: bool, old: &RevisionReading, calibration: Calibration, planned: u64) {
        let Some(histogram) = with_infinite_bound(old) else { return };
        let Some(cuts) = cuts(&histogram) else { return };
        self.test = Some(if split {
            Latency::split(cuts.len(), self.ratio, calibration, planned)
        } else {
            let history: Vec<Arm> = cuts.iter().filter_map(|cut| slower(&histogram, *cut)).collect();
            Latency::before(&history, self.ratio, planned)
        });
        self.cuts = cuts;
    }

    fn observe(&mut self, new: &Served, old: Option<&Served>) {
        let Some(test) = &mut self.test else { return };
        let none = Vec::new();
        let old = old.map_or(&none, |old| &old.durations);
        let arms: Option<Vec<(Arm, Arm)>> = self
            .cuts
            .iter()
            .map(|cut| Some((slower(&new.durations, *cut)?, slower(old, *cut).unwrap_or_default())))
            .collect();
        let Some(arms) = arms else { return };
        if let Some((new, old)) = arms.last() {
            self.seen.0 += *new;
            self.seen.1 += *old;
        }
        test.observe(&arms);
    }

    fn verdict(&self, mut verdict: MetricVerdict, calibration: Calibration, has_old: bool) -> MetricVerdict {
        if !has_old {
            return not_applicable(verdict);
        }
        let Some(test) = &self.test else {
            verdict.no_data = verdict.no_data.or(Some(NoDataReason::NoBaseline));
            return verdict;
        };
        verdict.evidence_fail = evidence(test.log_fail());
        verdict.evidence_pass = evidence(test.log_pass());
        verdict.arm_new = self.seen.0;
        verdict.arm_old = Some(self.seen.1);
        if self.seen.0.requests == 0 {
            verdict.no_data = verdict.no_data.or(Some(NoDataReason::Absent));
        }
        let cuts: Vec<String> = self.cuts.iter().map(|cut| format!("{} ms", cut * 1000.0)).collect();
        verdict.notes.push(format!("slower than {}", cuts.join(", ")));
        match test {
            Latency::Split(_) => note_calibration(&mut verdict, calibration),
            Latency::Before(_) => {
                verdict
                    .notes
                    .push("not randomised: compared with what the old revision did before".to_owned());
            }
        }
        verdict
    }
}

fn not_applicable(mut verdict: MetricVerdict) -> MetricVerdict {
    verdict.standing = Standing::NotApplicable;
    verdict.no_data = Some(NoDataReason::NoBaseline);
    verdict.notes.push("nothing was live before".to_owned());
    verdict
}

fn note_calibration(verdict: &mut MetricVerdict, calibration: Calibration) {
    match calibration {
        Calibration::Measured(_) => {}
        Calibration::Unknown => {
            verdict
                .notes
                .push("uncalibrated: no history, so that a ratio of up to 1.5 counts as no worse".to_owned());
        }
    }
}

/// What a revision served since whoever counts began.
fn lifetime(reading: &RevisionReading) -> Option<Arm> {
    let (requests, bad) = (reading.requests.get().ok()?, reading.bad.get().ok()?);
    Some(Arm { requests: requests.max(bad), bad })
}
