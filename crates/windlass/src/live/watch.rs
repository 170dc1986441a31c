//! `windlass status --watch`: a rollout as it happens, and how it ended as the exit code.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;
use windlass_ci::args::Format;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_ci::{publish, sink, topics};
use windlass_domain::journal::Way;
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::Environment;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Doing, End, Phase, Rollout};
use windlass_target::driver::Look;

use super::LEFT;
use super::status::{self, Own};
use super::target::{self, Standing};

/// How often the target is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How long a target may be silent, or an open rollout without a run, before the watch ends. A lease lasts half of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// One change of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Change {
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// The revision that takes over.
    revision: Sequence,
    /// The state of the rollout now: `shifting`, `verifying`, `live`, …
    state: String,
    /// Which way the step belongs to.
    way: Option<Way>,
    /// The step that begins, or that has ended.
    step: Option<String>,
    /// How it ended; absent where it begins.
    result: Option<String>,
}

/// What has been told of a rollout.
#[derive(Debug, Default)]
struct Told {
    /// How many ended steps.
    ended: usize,
    /// How many runs that took over.
    resumed: u32,
    /// The state, and the step in it.
    state: Option<(&'static str, Option<String>)>,
}

impl Told {
    /// A rollout that is met half-way: what ended before is history's.
    fn from_now(rollout: &Rollout) -> Self {
        Self { ended: rollout.done.len(), resumed: rollout.resumed, state: None }
    }

    /// All that has changed since it was last told, in order. Nothing is missed between two looks: a step that began and
    /// ended meanwhile is told as one that has ended.
    fn changes(&mut self, rollout: &Rollout) -> Vec<Change> {
        let change = |at, way, step, result| Change {
            at,
            revision: rollout.plan.release.sequence,
            state: rollout.word().to_owned(),
            way,
            step,
            result,
        };
        let mut changes = Vec::new();
        for record in rollout.done.iter().skip(self.ended) {
            let result = match &record.result {
                Ok(note) if note.is_empty() => "done".to_owned(),
                Ok(note) => format!("done: {note}"),
                Err(why) => format!("failed: {why}"),
            };
            changes.push(change(record.at, Some(record.way), Some(record.step.to_string()), Some(result)));
        }
        if rollout.resumed > self.resumed {
            changes.push(change(rollout.progressed, None, None, Some("another run took over".to_owned())));
        }
        self.ended = rollout.done.len();
        self.resumed = rollout.resumed;
        let state = (rollout.word(), rollout.step().map(|step| step.to_string()));
        if self.state.as_ref() != Some(&state) {
            let (at, way, result) = match &rollout.phase {
                Phase::Forward { doing, .. } => (begun(rollout, *doing), Some(Way::Forward), None),
                Phase::Back { doing, why, .. } => {
                    let turns = self.state.as_ref().is_none_or(|(word, _)| *word != "reverting");
                    (begun(rollout, *doing), Some(Way::Back), turns.then(|| format!("turning back: {why}")))
                }
                Phase::Over(End::Live) => (rollout.progressed, None, None),
                Phase::Over(End::Reverted { why } | End::Stuck { why }) => {
                    (rollout.progressed, None, Some(why.clone()))
                }
            };
            changes.push(change(at, way, state.1.clone(), result));
            self.state = Some(state);
        }
        changes
    }
}

fn begun(rollout: &Rollout, doing: Doing) -> Timestamp {
    match doing {
        Doing::Idle => rollout.progressed,
        Doing::Started(since) => since,
    }
}

impl Change {
    /// For people: `12:00:03 r4 shifting: shift r4 50%, r3 50%`.
    fn text(&self) -> String {
        let at = self.at.strftime("%H:%M:%S");
        let mut text = format!("{at} {} {}", self.revision, self.state);
        for part in [&self.step, &self.result].into_iter().flatten() {
            text.push_str(": ");
            text.push_str(part);
        }
        format!("{}\n", sink::line(&text))
    }
}

/// How a rollout ended; `None` while it is open.
fn outcome(rollout: &Rollout) -> Option<(Outcome, String)> {
    let revision = rollout.plan.release.sequence;
    match &rollout.phase {
        Phase::Forward { .. } | Phase::Back { .. } => None,
        Phase::Over(End::Live) => Some((Outcome::Passed, format!("{revision} is live"))),
        Phase::Over(End::Reverted { why }) => {
            Some((Outcome::Failed, format!("{revision} was put back: {why}")))
        }
        Phase::Over(End::Stuck { why }) => Some((Outcome::Stuck, format!("{revision} is stuck: {why}"))),
    }
}

/// Follows the rollout that is open, or the next one, to its end.
pub(super) fn follow(
    session: &Session,
    located: &Located,
    environment: &Environment,
    next: bool,
) -> Result<Report<Own>> {
    target::block_on(async {
        let mut watch = Watch { session, name: &environment.name, followed: None, told: Told::default() };
        let (mut answered, mut driven) = (Instant::now(), Instant::now());
        loop {
            let now = Instant::now();
            match target::look(session, located, environment).await {
                Ok(standing) => {
                    answered = now;
                    if let Some(report) = watch.see(&standing, next)? {
                        return Ok(report);
                    }
                    let is_waited_for =
                        watch.followed.is_some_and(|at| at >= standing.look.history.rollouts.len());
                    if standing.look.seen.lease.is_some() || is_waited_for {
                        driven = now;
                    } else if now - driven > PATIENCE {
                        return Err(left(&environment.name));
                    }
                }
                Err(failure) if now - answered > PATIENCE => return Err(failure),
                Err(failure) => session.progress.now(&format!("{}: trying again", failure.chain())),
            }
            tokio::time::sleep(LOOK).await;
        }
    })
}

fn left(name: &str) -> Failure {
    let seconds = PATIENCE.as_secs();
    Failure::unknown(&LEFT, format!("the rollout of {name} is open, and no run has held it for {seconds} s"))
        .hint(format!("`deploy -e {name}` goes on with it, `rollback -e {name}` turns it back"))
}

struct Watch<'a> {
    session: &'a Session,
    name: &'a str,
    /// The index of the rollout that is followed.
    followed: Option<usize>,
    told: Told,
}

impl Watch<'_> {
    /// Tells what has changed; gives the report where there is nothing more to wait for.
    fn see(&mut self, standing: &Standing, next: bool) -> Result<Option<Report<Own>>> {
        let history = &standing.look.history;
        let count = history.rollouts.len();
        let index = match (self.followed, history.open()) {
            (Some(index), _) => index,
            (None, Some(open)) => {
                self.told = Told::from_now(open);
                count - 1
            }
            (None, None) if next => count,
            (None, None) => {
                let verdict = format!("nothing is under way in {}", self.name);
                return Ok(Some(self.report(standing, Outcome::Passed, &verdict)));
            }
        };
        self.followed = Some(index);
        let Some(rollout) = history.rollouts.get(index) else { return Ok(None) };
        for change in self.told.changes(rollout) {
            self.tell(standing, change)?;
        }
        if let Some((outcome, verdict)) = outcome(rollout) {
            return Ok(Some(self.report(standing, outcome, &verdict)));
        }
        if self.session.context.stderr_is_terminal {
            self.session.progress.now(&live(rollout, &standing.look));
        }
        Ok(None)
    }

    fn tell(&self, standing: &Standing, change: Change) -> Result<()> {
        match self.session.common.format {
            Format::Human => self.session.progress.print(&change.text()).map_err(|error| {
                Failure::unknown(&topics::REPORT_FILE, "cannot write standard output").because(error)
            }),
            Format::Json => {
                // How it ends is not known yet, and the document says so.
                let mut report = self.report(standing, Outcome::Unknown, "under way");
                report.own.change = Some(change);
                publish::stream(self.session, &report)
            }
        }
    }

    fn report(&self, standing: &Standing, outcome: Outcome, verdict: &str) -> Report<Own> {
        let mut report: Report<Own> = Report::new(outcome);
        report.is_stream = true;
        report.environment = Some(self.name.to_owned());
        report.own.environments = vec![status::line(self.name, standing)];
        if outcome != Outcome::Passed {
            report.reasons.push(Reason::new("rollout").why(verdict));
        }
        report.text = format!("{outcome}: {}\n", sink::line(verdict));
        report.text.extend(report.own.environments.iter().map(status::text));
        report.markdown = status::markdown(&report.own);
        report
    }
}

/// The line that is redrawn: what is being done, for how long, and what requests meet meanwhile.
fn live(rollout: &Rollout, look: &Look) -> String {
    let (Phase::Forward { doing, .. } | Phase::Back { doing, .. }) = &rollout.phase else {
        return rollout.word().to_owned();
    };
    let seconds = look.seen.now.duration_since(begun(rollout, *doing)).as_secs().max(0);
    let step = rollout.step().map(|step| step.to_string()).unwrap_or_default();
    let done = format!("{} of {}", rollout.done.len(), rollout.plan.steps.len());
    let mut text = format!(
        "{} {} for {seconds} s: {step} (step {done}) · {}",
        rollout.plan.release.sequence,
        rollout.word(),
        look.seen.weights
    );
    if let Some(tallies) = &look.tallies {
        for (revision, tally) in tallies.iter().filter(|(_, tally)| tally.wanted > 0) {
            text.push_str(&format!(" · {revision} {} requests, {} bad", tally.requests, tally.bad));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use windlass_domain::digest::Digest;
    use windlass_domain::journal::Event;
    use windlass_domain::policy::{Clocks, Span, Strategy};
    use windlass_domain::release::Release;
    use windlass_domain::rollout::{Intent, Plan, Standing, Takeover, WayBack, compile};

    use super::*;

    fn rollout() -> Rollout {
        let strategy = Strategy::BlueGreen { bake: Span::millis(0) };
        let plan = Plan {
            environment: "live".into(),
            intent: Intent::Deploy,
            release: Release::bare(Sequence(2), "shop", Digest::of(b"x")),
            way_back: WayBack::Anchor { revision: Sequence(1), instances: 1 },
            steps: compile(&strategy, &Takeover::bare(Sequence(2), Some((Sequence(1), 1)), 1)),
            strategy,
            clocks: Clocks::default(),
            hooks: Vec::new(),
            from: Standing::default(),
        };
        Rollout::open(plan, Timestamp::UNIX_EPOCH, "ana".into())
    }

    fn told(told: &mut Told, rollout: &Rollout) -> String {
        told.changes(rollout).iter().map(Change::text).collect()
    }

    #[test]
    fn every_change_is_told_once_however_many_fall_between_two_looks() {
        let (mut rollout, mut before) = (rollout(), Told::default());
        let take = |rollout: &mut Rollout, events: &[Event]| {
            events.iter().for_each(|event| rollout.take(event, Timestamp::UNIX_EPOCH).expect("follows"));
        };
        let way = Way::Forward;
        insta::assert_snapshot!(told(&mut before, &rollout), @"00:00:00 r2 planned: stage r2 ×1");
        take(&mut rollout, &[Event::Started { way, index: 0 }]);
        insta::assert_snapshot!(told(&mut before, &rollout), @"00:00:00 r2 staging: stage r2 ×1");
        assert_eq!(told(&mut before, &rollout), "", "nothing has changed");
        let note = String::new();
        take(
            &mut rollout,
            &[
                Event::Done { way, index: 0, note: "copied".into() },
                Event::Started { way, index: 1 },
                Event::Done { way, index: 1, note },
                Event::Resumed,
                Event::Started { way, index: 2 },
            ],
        );
        insta::assert_snapshot!(told(&mut before, &rollout), @r"
        00:00:00 r2 shifting: stage r2 ×1: done: copied
        00:00:00 r2 shifting: await-ready r2 ×1: done
        00:00:00 r2 shifting: another run took over
        00:00:00 r2 shifting: shift r2 100%
        ");
        take(
            &mut rollout,
            &[Event::Failed { way, index: 2, why: "no".into() }, Event::Reverting { why: "no".into() }],
        );
        insta::assert_snapshot!(told(&mut before, &rollout), @r"
        00:00:00 r2 reverting: shift r2 100%: failed: no
        00:00:00 r2 reverting: stage r1 ×1: turning back: no
        ");
        assert_eq!(outcome(&rollout), None);
        let mut late = Told::from_now(&rollout);
        assert_eq!(told(&mut late, &rollout).lines().count(), 1, "who comes late is told where it is");
    }
}
