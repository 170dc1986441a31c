//! The drive loop: asks `domain` what follows, journals it, makes it happen, and tells what came of it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use windlass_domain::journal::{Event, Way};
use windlass_domain::outcome::Outcome;
use windlass_domain::rollout::{Decision, End, Finished, Observation, Phase, Plan, Rollout, Step, next};

use crate::driver::DriverError;
use crate::fenced::Fenced;
use crate::judge::{Call, Judge, Judged, Question};

/// How long a step that is under way, and the way back, may still take after the run was told to stop. CI systems kill
/// ten seconds after they ask.
const GRACE: Duration = Duration::from_secs(4);

/// How long a command whose time is over may take to be stopped.
const STOPPING: Duration = Duration::from_secs(7);

/// What a run tells while it drives.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A step begins.
    Begins {
        /// The way it belongs to.
        way: Way,
        /// The step.
        step: Step,
    },
    /// An event is in the journal.
    Recorded(Event),
}

impl std::fmt::Display for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begins { step, .. } => write!(f, "{step} …"),
            Self::Recorded(event) => match event {
                Event::Opened { plan } => write!(f, "plan {} opened", plan.digest().short()),
                Event::Resumed => f.write_str("an earlier run left a rollout open: going on with it"),
                Event::Started { .. } => f.write_str("begun"),
                Event::Done { note, .. } => f.write_str(if note.is_empty() { "done" } else { note }),
                Event::Failed { why, .. } => write!(f, "failed: {}", without_log(why)),
                Event::Reverting { why } => write!(f, "turning back: {}", without_log(why)),
                Event::Committed { revision } => write!(f, "{revision} is live"),
                Event::Closed => f.write_str("the rollout is over"),
                Event::Reverted { .. } => f.write_str("the environment is as it was before"),
                Event::Stuck { why } => write!(f, "stuck: {why}"),
                Event::Hold { reason, .. } => write!(f, "on hold: {reason}"),
                Event::Unhold { .. } => f.write_str("no longer on hold"),
            },
        }
    }
}

/// How driving ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driven {
    /// The outcome of this run's rollout.
    pub outcome: Outcome,
    /// Why, where it is not simply live.
    pub why: Option<String>,
}

/// Opens a rollout for a plan, then drives it.
///
/// # Errors
/// As [`resume`].
pub async fn start(
    fenced: &mut Fenced,
    plan: Plan,
    judge: &dyn Judge,
    stop: watch::Receiver<bool>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<Driven, DriverError> {
    let event = Event::Opened { plan: Box::new(plan) };
    fenced.record(vec![event.clone()]).await?;
    tell(News::Recorded(event));
    run(fenced, judge, stop, None, tell).await
}

/// Goes on with the rollout that is open: forward, or back when `abort` says why.
///
/// # Errors
/// When the fence was lost or the target cannot be reached: the rollout stays open for a later run.
pub async fn resume(
    fenced: &mut Fenced,
    judge: &dyn Judge,
    stop: watch::Receiver<bool>,
    abort: Option<String>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<Driven, DriverError> {
    fenced.record(vec![Event::Resumed]).await?;
    tell(News::Recorded(Event::Resumed));
    run(fenced, judge, stop, abort, tell).await
}

async fn run(
    fenced: &mut Fenced,
    judge: &dyn Judge,
    stop: watch::Receiver<bool>,
    abort: Option<String>,
    tell: &(dyn Fn(News) + Send + Sync),
) -> Result<Driven, DriverError> {
    let mut stop = Stop { asked: stop, since: None };
    let mut seen = Observation { finished: None, cancelled: false, abort };
    loop {
        let Some(rollout) = fenced.history.rollouts.last() else {
            return Ok(Driven { outcome: Outcome::Passed, why: None });
        };
        // On the way back users may still get what is being taken out, so that the grace is used to its end.
        seen.cancelled = match rollout.phase {
            Phase::Back { .. } => stop.is_over(),
            Phase::Forward { .. } | Phase::Over(_) => stop.is_asked(),
        };
        match next(rollout, &seen, fenced.now()) {
            Decision::Record(events) => {
                seen.finished = None;
                fenced.record(events.clone()).await?;
                let is_done = events.iter().any(|event| matches!(event, Event::Done { .. }));
                announce(fenced, events, tell);
                if let (true, Some(rollout)) = (is_done, fenced.history.rollouts.last()) {
                    judge.reached(rollout).await;
                }
            }
            Decision::Run { step, until, clock } => {
                match effect(fenced, &step, (until, &clock), judge, &mut stop).await? {
                    Effect::Finished(finished) => seen.finished = Some(finished),
                    Effect::Stopped => {}
                    Effect::Unknown(why) => return Ok(Driven { outcome: Outcome::Unknown, why: Some(why) }),
                }
            }
            Decision::Wait(until) => {
                let pause = span_between(fenced.now(), until);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.asked() => {}
                }
            }
            Decision::Leave { outcome, why } => return Ok(Driven { outcome, why: Some(why) }),
            Decision::Finish(outcome) => return Ok(Driven { outcome, why: why_of(rollout) }),
        }
    }
}

/// Being told to stop, and how long ago that was.
struct Stop {
    asked: watch::Receiver<bool>,
    since: Option<Instant>,
}

impl Stop {
    fn is_asked(&mut self) -> bool {
        let asked = *self.asked.borrow();
        if asked {
            self.since.get_or_insert_with(Instant::now);
        }
        asked
    }

    fn is_over(&mut self) -> bool {
        self.is_asked() && self.since.is_some_and(|since| since.elapsed() >= GRACE)
    }

    /// Waits until the run is told to stop.
    async fn asked(&mut self) {
        // An error means that nobody can stop this run any more.
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.since.get_or_insert_with(Instant::now);
    }

    /// Waits until it has been told to for as long as it may still take.
    async fn over(&mut self) {
        self.asked().await;
        let since = self.since.unwrap_or_else(Instant::now);
        tokio::time::sleep_until(since + GRACE).await;
    }
}

fn announce(fenced: &Fenced, events: Vec<Event>, tell: &(dyn Fn(News) + Send + Sync)) {
    for event in events {
        if let Event::Started { way, .. } = event
            && let Some(step) = fenced.history.rollouts.last().and_then(Rollout::step)
        {
            tell(News::Begins { way, step });
        }
        tell(News::Recorded(event));
    }
}

fn why_of(rollout: &Rollout) -> Option<String> {
    match &rollout.phase {
        Phase::Over(End::Reverted { why } | End::Stuck { why }) => Some(why.clone()),
        Phase::Over(End::Live) | Phase::Forward { .. } | Phase::Back { .. } => None,
    }
}

enum Effect {
    Finished(Finished),
    Stopped,
    Unknown(String),
}

impl From<Judged> for Effect {
    fn from(judged: Judged) -> Self {
        match judged {
            Judged::Passed { note } => Self::Finished(Finished::Done { note }),
            Judged::Failed { why } => Self::Finished(Finished::Failed { why }),
            Judged::Held { why } => Self::Finished(Finished::Held { why }),
            Judged::Unknown { why } => Self::Unknown(why),
            Judged::Stopped => Self::Stopped,
        }
    }
}

async fn effect(
    fenced: &Fenced,
    step: &Step,
    (until, clock): (Timestamp, &str),
    judge: &dyn Judge,
    stop: &mut Stop,
) -> Result<Effect, DriverError> {
    let mut lost = fenced.lost.clone();
    let mut time = span_between(fenced.now(), until);
    if matches!(step, Step::Hook { .. } | Step::Migrate { .. }) {
        // A command is stopped by whoever runs it, which takes a moment.
        time += STOPPING;
    }
    tokio::select! {
        refused = lost.wait_for(Option::is_some) => {
            let refusal = refused.ok().and_then(|refusal| refusal.clone());
            Err(refusal.map_or_else(renewal_ended, DriverError::Fence))
        }
        effect = tokio::time::timeout(time, bring_about(fenced, step, until, judge, stop)) => {
            effect.unwrap_or_else(|_| Ok(Effect::Finished(Finished::Failed {
                why: format!("`{step}` did not end within {clock}"),
            })))
        }
    }
}

async fn bring_about(
    fenced: &Fenced,
    step: &Step,
    until: Timestamp,
    judge: &dyn Judge,
    stop: &mut Stop,
) -> Result<Effect, DriverError> {
    if let Step::Verify { revision, weight, bake } = step {
        let plan = &fenced.history.rollouts.last().expect("a step is of a rollout").plan;
        let revision = revision.unwrap_or(plan.release.sequence);
        let question =
            Question { plan, revision, weight: *weight, bake: *bake, until, stop: stop.asked.clone() };
        return Ok(judge.judge(question).await.into());
    }
    if let Step::Hook { name, run, env, .. } = step {
        let url = fenced.driver.observe().await?.url.unwrap_or_default();
        let rollout = fenced.history.rollouts.last().expect("a step is of a rollout");
        let (way, index) = match rollout.phase {
            Phase::Back { index, .. } => (Way::Back, index),
            Phase::Forward { index, .. } => (Way::Forward, index),
            Phase::Over(_) => (Way::Forward, rollout.plan.steps.len()),
        };
        let limit = span_between(fenced.now(), until);
        let plan = &rollout.plan;
        let call = Call { plan, way, index, name, run, env, url, limit, stop: stop.asked.clone() };
        return Ok(judge.hook(call).await.into());
    }
    let applied = fenced.driver.apply(&fenced.lease, step);
    tokio::select! {
        result = applied => match result {
            Ok(note) => Ok(Effect::Finished(Finished::Done { note })),
            Err(DriverError::Judged { why, log }) => Ok(Effect::Finished(Finished::Failed { why: with_log(why, &log) })),
            Err(error @ (DriverError::Fence(_) | DriverError::Head(_) | DriverError::Unreachable { .. })) => Err(error),
        },
        // The step is journalled as begun; whoever comes next runs it again.
        () = stop.over() => Ok(Effect::Stopped),
    }
}

/// What stands between the reason and the release's log.
const LOG: &str = "; the last lines of its log: ";

fn with_log(why: String, log: &[String]) -> String {
    if log.is_empty() { why } else { format!("{why}{LOG}{}", log.join(" | ")) }
}

/// The reason alone: the report at the end has the log, and once is enough.
fn without_log(why: &str) -> &str {
    why.split(LOG).next().unwrap_or(why)
}

fn renewal_ended() -> DriverError {
    DriverError::Unreachable {
        attempt: "the lease is no longer renewed".to_owned(),
        source: "the task that renews it has ended".into(),
    }
}

fn span_between(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
}
