//! Judging the new revision while it takes over: the policy's checks, measured through the agent.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use windlass_ci::file::write_whole;
use windlass_ci::progress::Progress;
use windlass_ci::session::Session;
use windlass_domain::outcome::Reason;
use windlass_domain::policy::{Environment, NoData, OnInconclusive, Span, Verify, WarmUp};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Rollout, Weights};
use windlass_domain::verdict::Verdict;
use windlass_signal::judge::{CancelSignal, Ending, Judgement, Source, Tick, Watch, watch};
use windlass_target::driver::{Driver, Metrics};
use windlass_target::hook::Hooks;
use windlass_target::judge::{Call, Judge, Judged, Question};
use windlass_target::proof::Borders;

/// Judges by the policy's checks.
pub(crate) struct Health {
    verify: Verify,
    driver: Arc<dyn Driver>,
    offline: bool,
    progress: Progress,
    recordings: PathBuf,
    judged: AtomicUsize,
    hooks: Hooks,
    borders: Mutex<Borders>,
}

impl Health {
    pub(crate) fn new(
        session: &Session,
        environment: &Environment,
        hooks: Hooks,
        driver: Arc<dyn Driver>,
    ) -> Self {
        Self {
            verify: environment.verify.clone().unwrap_or_else(readiness_alone),
            driver,
            offline: session.common.offline,
            progress: session.progress.clone(),
            recordings: session.report_dir().join("deploy-recordings"),
            judged: AtomicUsize::new(0),
            hooks,
            borders: Mutex::default(),
        }
    }

    /// The folder of the recordings, where anything was judged.
    pub(crate) fn recordings(&self) -> Option<PathBuf> {
        (self.judged.load(Ordering::Relaxed) > 0).then(|| self.recordings.clone())
    }

    /// The folder of what hooks said, where any has run.
    pub(crate) fn hooks(&self) -> Option<PathBuf> {
        self.hooks.kept()
    }

    /// What the target had counted at the borders of a way back that was walked.
    pub(crate) fn borders(&self) -> MutexGuard<'_, Borders> {
        self.borders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing could be measured, with what the target itself has to say: it knows which of its hosts is gone.
    async fn with_its_cause(&self, why: String) -> String {
        match self.driver.observe().await {
            Ok(_) => why,
            Err(error) => format!("{why}; {error}"),
        }
    }

    fn keep(&self, revision: Sequence, weight: u16, judgement: &Judgement) {
        let number = self.judged.fetch_add(1, Ordering::Relaxed);
        let path =
            self.recordings.join(format!("{revision}-{number}-at-{}.jsonl", f64::from(weight) / 100.0));
        // A recording that cannot be kept does not change the verdict; it is missed where it is looked for.
        if let Err(error) = write_whole(&path, judgement.recording.to_json_lines().as_bytes()) {
            self.progress.say(&format!("cannot keep the recording at {}: {error}", path.display()));
        }
    }
}

/// Without `verify`, a bake still watches that instances stay ready and do not restart.
pub(crate) fn readiness_alone() -> Verify {
    Verify {
        probes: Vec::new(),
        errors: None,
        latency: None,
        restarts: 0,
        within: Span::minutes(10),
        warm_up: WarmUp { time: Span::millis(0), requests: 0 },
        on_inconclusive: OnInconclusive::Hold,
        no_data: NoData::Inconclusive,
    }
}

/// What can be judged at this weight: without a traffic split there is no old arm to compare with.
fn at_weight(verify: &Verify, split: bool) -> Verify {
    let mut verify = verify.clone();
    if !split {
        verify.latency = None;
        if let Some(errors) = &mut verify.errors {
            errors.worse_by = None;
        }
        verify.errors = verify.errors.filter(|errors| errors.at_most.is_some());
    }
    verify
}

/// Where the counts come from. Where the target counts nothing, probes alone can judge.
fn source(driver: &dyn Driver) -> Source {
    match driver.metrics() {
        Some(Metrics::UnixSocket(socket)) => Source::UnixSocket(socket),
        Some(Metrics::Several(sockets)) => Source::UnixSockets(sockets),
        None => Source::None,
    }
}

#[async_trait]
impl Judge for Health {
    async fn judge(&self, question: Question<'_>) -> Judged {
        let split = question.weight < Weights::WHOLE && question.plan.anchor().is_some();
        let new = question.revision;
        let base_url = match self.driver.observe().await {
            Ok(seen) => seen.url,
            Err(error) => return Judged::Unknown { why: format!("cannot judge {new}: {error}") },
        };
        let asked = Watch {
            verify: at_weight(&self.verify, split),
            new,
            old: if split { question.plan.anchor() } else { None },
            base_url,
            source: source(&*self.driver),
            bake: question.bake,
            offline: self.offline,
            history: Vec::new(),
        };
        let progress = self.progress.clone();
        let mut tell = move |tick: &Tick| progress.now(&standing(new, tick));
        let cancel = CancelSignal::from(question.stop.clone());
        let judgement = watch(&asked, &cancel, &mut tell).await;
        self.keep(new, question.weight, &judgement);
        match verdict(&judgement, self.verify.on_inconclusive, split) {
            Judged::Unknown { why } => Judged::Unknown { why: self.with_its_cause(why).await },
            judged => judged,
        }
    }

    async fn hook(&self, call: Call<'_>) -> Judged {
        self.hooks.run(call).await
    }

    async fn reached(&self, rollout: &Rollout) {
        if Borders::is_at(rollout)
            && let Ok(Some(tallies)) = self.driver.tallies().await
        {
            self.borders().keep(rollout, tallies);
        }
    }
}

fn standing(new: Sequence, tick: &Tick) -> String {
    let seconds = tick.elapsed_ms / 1000;
    format!(
        "verify {new} for {seconds} s: {} requests, {} bad; the old {}, {} bad",
        tick.requests_new, tick.bad_new, tick.requests_old, tick.bad_old
    )
}

fn verdict(judgement: &Judgement, on_inconclusive: OnInconclusive, split: bool) -> Judged {
    let seen = summary(judgement, split);
    match (judgement.ending, judgement.verdict) {
        (Ending::Cancelled, _) => Judged::Stopped,
        (Ending::Offline, _) => {
            Judged::Unknown { why: "cannot judge without the network (--offline)".into() }
        }
        (Ending::Judged, Verdict::Passed) => Judged::Passed { note: seen },
        (Ending::Judged, Verdict::Failed) => {
            Judged::Failed { why: format!("{} ({seen})", why(&judgement.reasons)) }
        }
        (Ending::Judged, Verdict::Inconclusive) => {
            if let Some(unreachable) = &judgement.unreachable {
                return Judged::Unknown { why: unreachable.clone() };
            }
            let why = format!("no verdict in time: {} ({seen})", why(&judgement.reasons));
            match on_inconclusive {
                OnInconclusive::Hold | OnInconclusive::Extend => Judged::Held { why },
                OnInconclusive::Fail => Judged::Failed { why },
                OnInconclusive::Pass => {
                    Judged::Passed { note: format!("let through, but nothing was proved: {why}") }
                }
            }
        }
    }
}

fn summary(judgement: &Judgement, split: bool) -> String {
    let mut text = format!("{} requests, {} bad", judgement.requests_new, judgement.bad_new);
    if split {
        text.push_str(&format!("; the old {}, {} bad", judgement.requests_old, judgement.bad_old));
    } else if judgement.requests_new > 0 {
        text.push_str("; not randomised, since everything goes to it");
    }
    text.push_str(&format!("; after {} ms", judgement.elapsed_ms));
    text
}

fn why(reasons: &[Reason]) -> String {
    let told = reasons.iter().map(|reason| {
        let parts = [&reason.what, &reason.observed, &reason.why];
        parts.iter().filter(|part| !part.is_empty()).map(|part| part.as_str()).collect::<Vec<_>>().join(": ")
    });
    let told = told.collect::<Vec<_>>().join("; ");
    if told.is_empty() { "no reason was given".to_owned() } else { told }
}
