//! The judge: observations in, a verdict out. Pure, so that a recording gives the same verdict again, bit by bit.

use windlass_domain::outcome::Reason;
use windlass_domain::policy::{NoData, OnInconclusive};
use windlass_domain::verdict::{MetricVerdict, NoDataReason, Standing, Verdict, combine};

use super::counters::{Counters, Served};
use super::instances::Instances;
use super::metrics::{Interval, Metrics};
use super::probes::ProbeRecord;
use super::settings::Settings;
use super::{Judgement, Tick};
use crate::record::{Ending, Observation, Recording, Scrape};
use crate::source::reading::Reading;

/// A reading older than this proves nothing of the present, in milliseconds.
const STALE_MS: u64 = 5_000;

/// A watch under way.
#[derive(Clone, Debug)]
pub struct State {
    settings: Settings,
    probes: Vec<ProbeRecord>,
    instances: Instances,
    metrics: Metrics,
    new: Counters,
    old: Counters,
    warm: Warm,
    hard: Vec<Reason>,
    deadline_ms: u64,
    extended: bool,
    at_ms: u64,
    last_read_ms: Option<u64>,
    problem: Option<NoDataReason>,
    source_error: Option<String>,
    resets: u64,
    verdict: Option<Verdict>,
}

/// How far the warm-up has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warm {
    /// Not over: so many requests to the new revision so far.
    Up { requests: u64 },
    /// Over.
    Over,
}

impl State {
    /// Nothing observed yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            probes: settings.verify.probes.iter().map(ProbeRecord::new).collect(),
            instances: Instances::new(settings.new, settings.verify.restarts),
            metrics: Metrics::new(settings),
            new: Counters::default(),
            old: Counters::default(),
            warm: Warm::Up { requests: 0 },
            hard: Vec::new(),
            deadline_ms: settings.deadline_ms(),
            extended: false,
            at_ms: 0,
            last_read_ms: None,
            problem: None,
            source_error: None,
            resets: 0,
            verdict: None,
            settings: settings.clone(),
        }
    }

    /// Takes one observation; the verdict, once there is one. After that nothing changes it.
    pub fn observe(&mut self, observation: &Observation) -> Option<Verdict> {
        if self.verdict.is_some() {
            return self.verdict;
        }
        self.at_ms = observation.at_ms;
        for one in &observation.tries {
            if let Some(reason) = self.probes.get_mut(one.probe).and_then(|probe| probe.observe(&one.answer))
            {
                self.hard.push(reason);
            }
        }
        match &observation.scrape {
            Scrape::None => {}
            Scrape::Failed(why) => self.source_error = Some(why.clone()),
            Scrape::Read(reading) => self.read(reading),
        }
        self.verdict = self.decide();
        self.verdict
    }

    fn read(&mut self, reading: &Reading) {
        self.last_read_ms = Some(self.at_ms);
        self.source_error = None;
        let new = self.new.advance(&reading.new);
        let old = reading.old.as_ref().and_then(|old| self.old.advance(old));
        let reset = [&new, &old].into_iter().any(|served| matches!(served, Some(Err(NoDataReason::Reset))));
        self.resets += u64::from(reset);
        self.problem = match (&new, reading.new.requests.get().and(reading.new.bad.get())) {
            (Some(Err(reason)), _) => Some(*reason),
            (None, Err(reason)) => Some(reason),
            (Some(Ok(_)) | None, _) => None,
        };
        let new = new.and_then(Result::ok);
        let old = old.and_then(Result::ok);
        let reasons = self.instances.observe(self.at_ms, reading, new.as_ref(), old.as_ref());
        self.hard.extend(reasons);
        // The interval that ends the warm-up still belongs to it.
        let judged = self.warm == Warm::Over;
        self.warm_up(new.as_ref());
        if judged {
            self.metrics.observe(&Interval { new: new.as_ref(), old: old.as_ref() });
        }
        if self.warm == Warm::Over {
            self.metrics.begin(reading, self.settings.planned_intervals());
        }
    }

    fn warm_up(&mut self, new: Option<&Served>) {
        let Warm::Up { requests } = self.warm else { return };
        let requests = requests + new.map_or(0, |served| served.arm.requests);
        let demanded = self.settings.verify.warm_up;
        let over = self.at_ms >= u64::from(demanded.time) && requests >= demanded.requests;
        self.warm = if over { Warm::Over } else { Warm::Up { requests } };
    }

    fn decide(&mut self) -> Option<Verdict> {
        if !self.hard.is_empty() {
            return Some(Verdict::Failed);
        }
        let metrics = self.metrics();
        let counted = combine(&metrics);
        if counted == Verdict::Failed {
            return Some(Verdict::Failed);
        }
        if self.at_ms >= u64::from(self.settings.bake) && self.passes(&metrics, counted) {
            return Some(Verdict::Passed);
        }
        if self.at_ms < self.deadline_ms {
            return None;
        }
        self.at_deadline(&metrics)
    }

    /// Everything that is demanded was seen, and something was.
    fn passes(&self, metrics: &[MetricVerdict], counted: Verdict) -> bool {
        let critical = metrics.iter().any(|metric| metric.standing != Standing::NotApplicable);
        let metrics_hold = !critical || counted == Verdict::Passed;
        let probes_hold = self.probes.iter().all(ProbeRecord::passes);
        let readings_hold = !self.settings.measured || (self.fresh() && self.instances.ready());
        let warm = metrics.is_empty() || self.warm == Warm::Over;
        let something = critical || !self.probes.is_empty() || self.settings.measured;
        metrics_hold && probes_hold && readings_hold && warm && something
    }

    fn at_deadline(&mut self, metrics: &[MetricVerdict]) -> Option<Verdict> {
        let never_good: Vec<Reason> = self.probes.iter().filter_map(ProbeRecord::never_good).collect();
        if !never_good.is_empty() {
            self.hard.extend(never_good);
            return Some(Verdict::Failed);
        }
        let silent =
            metrics.iter().any(|metric| metric.standing == Standing::Critical && metric.no_data.is_some());
        if silent && self.settings.verify.no_data == NoData::Fail {
            return Some(Verdict::Failed);
        }
        if self.settings.verify.on_inconclusive == OnInconclusive::Extend && !self.extended {
            self.extended = true;
            self.deadline_ms = self.deadline_ms.saturating_mul(2);
            return None;
        }
        Some(Verdict::Inconclusive)
    }

    fn fresh(&self) -> bool {
        self.last_read_ms.is_some_and(|read| self.at_ms.saturating_sub(read) <= STALE_MS)
    }

    fn metrics(&self) -> Vec<MetricVerdict> {
        let problem = match (self.last_read_ms, &self.source_error) {
            _ if !self.settings.measured => Some(NoDataReason::Absent),
            (None, _) => Some(NoDataReason::SourceError),
            (Some(_), Some(_)) if !self.fresh() => Some(NoDataReason::SourceError),
            (Some(_), _) if !self.fresh() => Some(NoDataReason::Stale),
            (Some(_), _) => self.problem,
        };
        self.metrics.verdicts(problem, self.at_ms >= u64::from(self.settings.bake))
    }

    /// Why the service could not be asked at all, where that is so.
    fn unreachable(&self) -> Option<String> {
        let source = match (&self.source_error, self.fresh()) {
            (Some(why), false) => Some(why.clone()),
            (Some(_) | None, _) => None,
        };
        source.or_else(|| self.probes.iter().find_map(ProbeRecord::never_asked).map(str::to_owned))
    }

    /// How it stands now.
    #[must_use]
    pub fn tick(&self) -> Tick {
        Tick {
            elapsed_ms: self.at_ms,
            deadline_ms: self.deadline_ms,
            warming_up: self.warm != Warm::Over && self.settings.measured,
            requests_new: self.metrics.new.requests,
            bad_new: self.metrics.new.bad,
            requests_old: self.metrics.old.requests,
            bad_old: self.metrics.old.bad,
            metrics: self.metrics(),
            more_requests_needed: self.metrics.more_requests_needed(),
        }
    }

    /// The judgement, when the watch has ended in this way.
    #[must_use]
    pub fn judgement(&self, ending: Ending, recording: Recording) -> Judgement {
        let verdict = self.verdict.unwrap_or(Verdict::Inconclusive);
        let metrics = self.metrics();
        let more = if verdict == Verdict::Inconclusive { self.metrics.more_requests_needed() } else { None };
        Judgement {
            verdict,
            ending,
            reasons: self.reasons(verdict, ending, &metrics, more),
            hard: self.hard.clone(),
            unreachable: if verdict == Verdict::Inconclusive { self.unreachable() } else { None },
            more_requests_needed: more,
            requests_new: self.metrics.new.requests,
            bad_new: self.metrics.new.bad,
            requests_old: self.metrics.old.requests,
            bad_old: self.metrics.old.bad,
            elapsed_ms: self.at_ms,
            metrics,
            recording,
        }
    }

    fn reasons(
        &self,
        verdict: Verdict,
        ending: Ending,
        metrics: &[MetricVerdict],
        more: Option<u64>,
    ) -> Vec<Reason> {
        let mut reasons = self.hard.clone();
        match ending {
            Ending::Cancelled => reasons.push(Reason::new("cancelled").why("the run was told to stop")),
            Ending::Offline => reasons
                .push(Reason::new("offline").why("judging needs the network, and --offline forbids it")),
            Ending::Judged => {}
        }
        for metric in metrics {
            reasons.extend(super::words::metric(metric, verdict, more));
        }
        if self.resets > 0 {
            reasons.push(
                Reason::new("counters")
                    .observed(format!("{} resets", self.resets))
                    .why("a counter went backwards; the intervals in which it did were left out"),
            );
        }
        match verdict {
            Verdict::Passed => reasons
                .extend(self.probes.iter().map(|probe| Reason::new("probes").observed(probe.summary()))),
            Verdict::Failed => {}
            Verdict::Inconclusive => {
                if let Some(why) = self.unreachable() {
                    reasons.push(Reason::new("unreachable").observed(why).why("it could not be asked"));
                }
                reasons.extend(self.probes.iter().filter_map(ProbeRecord::lacking));
                if self.settings.measured && self.fresh() && !self.instances.ready() {
                    reasons.push(
                        Reason::new("ready")
                            .observed("no ready instance was seen")
                            .required("every instance ready"),
                    );
                }
                if !self.settings.measured && self.probes.is_empty() {
                    reasons.push(
                        Reason::new("verify")
                            .why("there is nothing to judge by: no probe and no source of counts"),
                    );
                }
            }
        }
        reasons
    }
}
