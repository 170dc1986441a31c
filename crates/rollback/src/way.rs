//! The whole way of one rollback: fence, what is open turned back, plan, drive, hold, report.

use std::path::PathBuf;

use async_trait::async_trait;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_ci::topics as common;
use windlass_domain::announcement::Direction;
use windlass_domain::journal::{Event, History};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Environment;
use windlass_domain::release::Release;
use windlass_domain::rollout::{Intent, Plan};
use windlass_moving::Failures;
use windlass_moving::announce::Announcer;
use windlass_target::document::{Own, Receipt};
use windlass_target::drive::{self, Driven, News};
use windlass_target::driver::{DriverError, Look, Seen, Tallies};
use windlass_target::fenced::Fenced;
use windlass_target::hook::Hooks;
use windlass_target::judge::{Call, Judge, Judged, Question};
use windlass_target::reach::Reached;
use windlass_target::stop;

use crate::args::Arguments;
use crate::plan::Course;
use crate::{plan, report, topics};

/// Under which topics a target's refusals and faults are told.
static FAILURES: Failures = Failures {
    driver: &topics::DRIVER,
    target: &topics::TARGET,
    fence: &topics::FENCE,
    judged: &topics::STUCK,
};

fn unreached(error: DriverError) -> Failure {
    FAILURES.of(error)
}

/// Goes back.
pub(crate) async fn go(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let reached = windlass_moving::find(session, &located, environment, &FAILURES)?;
    let announcer = Announcer::new(session, &located, environment, Direction::Back);
    let run = Run { session, arguments, located: &located, environment, reached, announcer };
    if session.common.plan {
        return run.only_plan().await;
    }
    let result = run.go_back().await;
    run.announcer.ended(result).await
}

struct Run<'a> {
    session: &'a Session,
    arguments: &'a Arguments,
    located: &'a Located,
    environment: &'a Environment,
    reached: Reached,
    announcer: Announcer,
}

/// A rollback asks nobody: readiness decides. Its hooks are run.
struct Nobody {
    hooks: Hooks,
}

#[async_trait]
impl Judge for Nobody {
    async fn judge(&self, question: Question<'_>) -> Judged {
        // Only the forward way of a deploy is verified, and that is turned back before it asks.
        Judged::Unknown { why: format!("a rollback does not judge {}", question.plan.release.sequence) }
    }

    async fn hook(&self, call: Call<'_>) -> Judged {
        self.hooks.run(call).await
    }
}

impl Run<'_> {
    async fn only_plan(&self) -> Result<Report<Own>> {
        let look = self.reached.driver.look().await.map_err(unreached)?;
        Ok(match self.course(&look.history, &look.seen, look.is_awake)? {
            Course::AlreadyLive => report::already_live(self.environment, &look.history),
            Course::Go(plan) => report::plan(&plan, &look.history),
        })
    }

    fn course(&self, history: &History, seen: &Seen, is_awake: bool) -> Result<Course> {
        plan::course(self.environment, history, seen, is_awake, self.arguments)
    }

    async fn go_back(&self) -> Result<Report<Own>> {
        let stop = stop::on_signals()
            .map_err(|error| Failure::unknown(&common::BUG, "cannot listen for signals").because(error))?;
        // Looked at before it is woken, as --plan does: a plan that was approved then must be found again.
        let asleep = self.reached.driver.look().await.map_err(unreached)?;
        let mut fenced = windlass_moving::hold(self.session, &self.reached, &FAILURES).await?;
        let result = self.under(&mut fenced, &asleep, stop).await;
        // However it ended, the fence is given back; where that fails, it ends by itself.
        let _ = fenced.leave().await;
        result
    }

    /// What is done while the fence is held.
    async fn under(
        &self,
        fenced: &mut Fenced,
        before_waking: &Look,
        stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<Report<Own>> {
        let (driver, progress) = (&self.reached.driver, &self.session.progress);
        let before = driver.tallies().await.map_err(unreached)?;
        let tell = |news: News| {
            self.announcer.hear(&news);
            windlass_moving::say(progress, &news);
        };
        let nobody = Nobody { hooks: windlass_moving::hooks(self.session, self.located) };

        let mut regretted = fenced.history.live_release().cloned();
        let mut recovered = None;
        let open = fenced.history.open().map(|open| (open.plan.clone(), open.is_committed(), open.word()));
        let driven = match open {
            // An open deploy is turned back; that is the rollback, unless another place was named.
            Some((plan, committed, word)) => {
                self.approved(&plan)?;
                let release = plan.release.sequence;
                recovered = Some(format!("a rollout of {release} that an earlier run left {word}"));
                let going_back = matches!(plan.intent, Intent::Rollback { .. });
                let reason = self.arguments.reason.as_deref().unwrap_or(Intent::ASKED);
                let abort = (!going_back && !committed).then(|| reason.to_owned());
                let turned = abort.is_some();
                if turned {
                    // Before it is turned back: a run that dies in it leaves the hold too.
                    self.hold(fenced).await?;
                }
                let driven =
                    drive::resume(fenced, &nobody, stop.clone(), abort, &tell).await.map_err(unreached)?;
                if turned {
                    regretted = Some(plan.release);
                }
                let there = match driven.outcome {
                    Outcome::Failed if turned => self.is_there(&fenced.history),
                    Outcome::Passed if going_back => self.is_there(&fenced.history),
                    _ => false,
                };
                match driven.outcome {
                    Outcome::Passed | Outcome::Failed if there => {
                        Some(Driven { outcome: Outcome::Passed, why: None })
                    }
                    Outcome::Passed | Outcome::Failed => {
                        regretted = fenced.history.live_release().cloned();
                        self.start(fenced, &nobody, before_waking, stop, &tell).await?
                    }
                    _ => Some(driven),
                }
            }
            None => self.start(fenced, &nobody, before_waking, stop, &tell).await?,
        };
        let Some(driven) = driven else {
            let mut report = report::already_live(self.environment, &fenced.history);
            windlass_moving::attest_live(self.session, self.located, &report, &fenced.history, "rollback")?;
            report.own.hold = fenced.history.held(fenced.now()).map(|hold| hold.reason.clone());
            report.own.recovered = recovered;
            return Ok(report);
        };
        if driven.outcome == Outcome::Passed {
            self.hold(fenced).await?;
        }
        self.conclude(fenced, before, &driven, regretted, recovered, nobody.hooks.kept()).await
    }

    /// Goes the whole way; `None` where there is none to go.
    async fn start(
        &self,
        fenced: &mut Fenced,
        nobody: &Nobody,
        before_waking: &Look,
        stop: tokio::sync::watch::Receiver<bool>,
        tell: &(dyn Fn(News) + Send + Sync),
    ) -> Result<Option<Driven>> {
        let seen = fenced.driver.observe().await.map_err(unreached)?;
        let Course::Go(mut plan) = self.course(&fenced.history, &seen, true)? else { return Ok(None) };
        plan.from = before_waking.standing_under(&fenced.history, &seen);
        self.approved(&plan)?;
        drive::start(fenced, *plan, nobody, stop, tell).await.map(Some).map_err(unreached)
    }

    fn approved(&self, plan: &Plan) -> Result<()> {
        let digest = plan.digest();
        match self.arguments.approved {
            Some(approved) if approved != digest => Err(Failure::refused(
                &topics::APPROVED,
                format!("the plan is {digest} now, made from {}, and {approved} was approved", plan.from),
            )
            .hint(format!("see it with `rollback -e {} --plan`, and approve that", self.environment.name))),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether what is live now is where this rollback was to go.
    fn is_there(&self, history: &History) -> bool {
        use crate::args::To;
        match (self.arguments.to, history.live_release()) {
            (None, _) => true,
            (Some(To::Sequence(sequence)), Some(live)) => live.sequence == sequence,
            (Some(To::Digest(digest)), Some(live)) => live.artifact == digest,
            (Some(_), None) => false,
        }
    }

    /// Holds the environment, so that the next push does not undo this; where it is on this hold already, nothing is written.
    async fn hold(&self, fenced: &mut Fenced) -> Result<()> {
        let live = fenced.history.live().map(|commit| commit.revision);
        let reason = Intent::held_because(live, self.arguments.reason.as_deref());
        if self.arguments.no_hold
            || fenced.history.held(fenced.now()).is_some_and(|hold| hold.reason == reason)
        {
            return Ok(());
        }
        fenced.record(vec![Event::Hold { reason, until: None }]).await.map_err(unreached)
    }

    /// The secrets of a release that are not what it was released with. Values do not come back with a release, since
    /// nobody keeps old ones; that it runs with others than it knew is worth saying, and no reason to stay.
    async fn changed_secrets(&self, live: Option<&Release>) -> Vec<String> {
        let Some(live) = live else { return Vec::new() };
        // Who cannot tell has told of it already: an instance without its secret does not start.
        let now = self.reached.driver.secrets(&live.parameters).await.unwrap_or_default();
        let changed = now.into_iter().filter(|now| {
            live.secrets.iter().any(|then| then.name == now.name && then.version != now.version)
        });
        changed.map(|secret| secret.name).collect()
    }

    async fn conclude(
        &self,
        fenced: &Fenced,
        before: Option<Tallies>,
        driven: &Driven,
        regretted: Option<Release>,
        recovered: Option<String>,
        hooks: Option<PathBuf>,
    ) -> Result<Report<Own>> {
        let rollout = fenced.history.rollouts.last().cloned();
        let hold = fenced.history.held(fenced.now()).map(|hold| hold.reason.clone());
        let live = fenced.history.live_release().cloned();
        let after = self.reached.driver.tallies().await.ok().flatten();
        let Some(rollout) = rollout else {
            return Err(Failure::unknown(&topics::OPEN, "the ledger says nothing of the rollback"));
        };
        let secrets = self.changed_secrets(live.as_ref()).await;
        let mut own = Own::of_rollout(&rollout);
        // Where it cannot be looked at any more, the report says why it ended, and nothing of where.
        let hosts = self.reached.driver.look().await.map(|look| look.hosts).unwrap_or_default();
        own.receipt =
            before.zip(after).map(|(before, after)| Receipt::between(&before, &after, &rollout).on(&hosts));
        own.hold = hold;
        own.recovered = recovered;
        let ended = report::Ended { driven, own, live, regretted, secrets, hooks };
        report::rollback(self.session, self.located, self.environment, ended)
    }
}
