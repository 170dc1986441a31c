//! The whole way of one rollback: fence, what is open turned back, plan, drive, hold, report.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_ci::topics as common;
use windlass_domain::journal::{Event, History};
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Environment;
use windlass_domain::release::Release;
use windlass_domain::rollout::Intent;
use windlass_target::document::{Own, Receipt};
use windlass_target::drive::{self, Driven, News};
use windlass_target::driver::{Driver as _, DriverError};
use windlass_target::fenced::{self, Fenced};
use windlass_target::host::{self, control::AgentState};
use windlass_target::judge::{Judge, Judged, Question};
use windlass_target::reach::{ReachedHost, reach};
use windlass_target::stop;

use crate::args::Arguments;
use crate::{plan, report, topics};

/// The runtime of the tool: one thread is plenty.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown(&common::BUG, "cannot start the async runtime").because(error))
}

/// Goes back.
pub(crate) async fn go(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(session.tool));
    let vars = &session.context.vars;
    let reached = reach(&located.policy.app, environment, &located.folder, vars, &program)
        .map_err(|error| Failure::invalid(&topics::DRIVER, "cannot reach the target").because(error))?;
    let run = Run { session, arguments, located: &located, environment, reached };
    if session.common.plan { run.only_plan().await } else { run.go_back().await }
}

struct Run<'a> {
    session: &'a Session,
    arguments: &'a Arguments,
    located: &'a Located,
    environment: &'a Environment,
    reached: ReachedHost,
}

/// A rollback asks nobody: readiness decides.
struct Nobody;

#[async_trait]
impl Judge for Nobody {
    async fn judge(&self, question: Question<'_>) -> Judged {
        // Only the forward way of a deploy is verified, and that is turned back before it asks.
        Judged::Unknown { why: format!("a rollback does not judge {}", question.plan.release.sequence) }
    }
}

impl Run<'_> {
    async fn only_plan(&self) -> Result<Report<Own>> {
        let (history, seen) = match self.reached.driver.observe().await {
            Ok(seen) => (fenced::history(&self.reached.driver).await.map_err(unreached)?, seen),
            Err(_) => host::asleep(&self.reached.root).map_err(unreached)?,
        };
        let plan = plan::plan(self.environment, &history, &seen, self.arguments)?;
        Ok(report::plan(&plan))
    }

    async fn go_back(&self) -> Result<Report<Own>> {
        let progress = &self.session.progress;
        let stop = stop::on_signals()
            .map_err(|error| Failure::unknown(&common::BUG, "cannot listen for signals").because(error))?;
        progress.now("looking for the agent");
        let driver = &self.reached.driver;
        host::ensure(driver.client(), &self.reached.root, &self.reached.agent).await.map_err(|error| {
            Failure::unknown(&topics::TARGET, "there is no agent for the target").because(error)
        })?;
        let who = format!("{}, rollback, pid {}", self.session.host.who(), std::process::id());
        let owner = fenced::owner(who).map_err(unreached)?;
        let mut fenced =
            Fenced::claim(Arc::new(driver.clone()), owner, Arc::new(now)).await.map_err(unreached)?;
        let result = self.under(&mut fenced, stop).await;
        // However it ended, the fence is given back; where that fails, it ends by itself.
        let _ = fenced.leave().await;
        result
    }

    /// What is done while the fence is held.
    async fn under(
        &self,
        fenced: &mut Fenced,
        stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<Report<Own>> {
        let (driver, progress) = (&self.reached.driver, &self.session.progress);
        let before = driver.state().await.map_err(unreached)?;
        let tell = |news: News| report::say(progress, &news);
        let reason = self.arguments.reason.clone().unwrap_or_else(|| "a rollback was asked for".to_owned());

        let mut regretted = fenced.history.live_release().cloned();
        let mut recovered = None;
        let open = fenced.history.open().map(|open| (open.plan.clone(), open.is_committed(), open.word()));
        let driven = match open {
            // An open deploy is turned back; that is the rollback, unless another place was named.
            Some((plan, committed, word)) => {
                let release = plan.release.sequence;
                recovered = Some(format!("a rollout of {release} that an earlier run left {word}"));
                let going_back = matches!(plan.intent, Intent::Rollback { .. });
                let abort = (!going_back && !committed).then(|| reason.clone());
                let turned = abort.is_some();
                let driven =
                    drive::resume(fenced, &Nobody, stop.clone(), abort, &tell).await.map_err(unreached)?;
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
                        Driven { outcome: Outcome::Passed, why: None }
                    }
                    Outcome::Passed | Outcome::Failed => {
                        regretted = fenced.history.live_release().cloned();
                        self.start(fenced, stop, &tell).await?
                    }
                    _ => driven,
                }
            }
            None => self.start(fenced, stop, &tell).await?,
        };
        self.hold(fenced, &driven, &reason).await?;
        self.conclude(fenced, &before, &driven, regretted, recovered).await
    }

    async fn start(
        &self,
        fenced: &mut Fenced,
        stop: tokio::sync::watch::Receiver<bool>,
        tell: &(dyn Fn(News) + Send + Sync),
    ) -> Result<Driven> {
        let seen = fenced.driver.observe().await.map_err(unreached)?;
        let plan = plan::plan(self.environment, &fenced.history, &seen, self.arguments)?;
        drive::start(fenced, plan, &Nobody, stop, tell).await.map_err(unreached)
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

    /// Holds the environment, so that the next push does not undo this.
    async fn hold(&self, fenced: &mut Fenced, driven: &Driven, reason: &str) -> Result<()> {
        if driven.outcome != Outcome::Passed || self.arguments.no_hold {
            return Ok(());
        }
        let live =
            fenced.history.live().map_or_else(|| "nothing".to_owned(), |commit| commit.revision.to_string());
        let reason = format!("rolled back to {live}: {reason}");
        fenced.record(vec![Event::Hold { reason, until: None }]).await.map_err(unreached)
    }

    async fn conclude(
        &self,
        fenced: &Fenced,
        before: &AgentState,
        driven: &Driven,
        regretted: Option<Release>,
        recovered: Option<String>,
    ) -> Result<Report<Own>> {
        let rollout = fenced.history.rollouts.last().cloned();
        let hold = fenced.history.held(fenced.now()).map(|hold| hold.reason.clone());
        let live = fenced.history.live_release().cloned();
        let after = self.reached.driver.state().await.ok();
        let Some(rollout) = rollout else {
            return Err(Failure::unknown(&topics::OPEN, "the ledger says nothing of the rollback"));
        };
        let mut own = Own::of_rollout(&rollout);
        own.receipt = after.map(|after| Receipt::between(before, &after, &rollout));
        own.hold = hold;
        own.recovered = recovered;
        let ended = report::Ended { driven, own, live, regretted };
        report::rollback(self.session, self.located, self.environment, ended)
    }
}

fn unreached(error: DriverError) -> Failure {
    match error {
        DriverError::Fence(refusal) => {
            Failure::refused(&topics::FENCE, format!("another run holds the environment: {refusal}"))
        }
        DriverError::Head(head) => Failure::refused(
            &topics::FENCE,
            format!("another run has written the ledger: its head is entry {}", head.number),
        ),
        DriverError::Judged { why, .. } => Failure::new(Outcome::Failed, &topics::STUCK, why),
        DriverError::Unreachable { attempt, source } => {
            let mut failure = Failure::unknown(&topics::TARGET, attempt);
            failure.source = Some(source);
            failure.hint("what is open stays open: the next run goes on from the ledger")
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the drive loop's clock is read here, and only here")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
