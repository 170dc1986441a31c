//! The whole way of one run: admission, fence, recovery of what was open, preflight, plan, drive, report.

use std::sync::Arc;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Artifact, Located, Session};
use windlass_ci::topics as common;
use windlass_domain::announcement::Direction;
use windlass_domain::digest::Digest;
use windlass_domain::order::Order;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Environment;
use windlass_domain::rollout::Plan;
use windlass_moving::Failures;
use windlass_moving::announce::Announcer;
use windlass_target::document::{Own, Receipt};
use windlass_target::drive::{self, Driven, News};
use windlass_target::driver::{DriverError, Look, Seen, Tallies};
use windlass_target::fenced::Fenced;
use windlass_target::proof::Proof;
use windlass_target::reach::Reached;
use windlass_target::stop;

use crate::admission::{Admission, Asked};
use crate::args::Arguments;
use crate::health::Health;
use crate::plan::Candidate;
use crate::{git, plan, report, topics};

/// Under which topics a target's refusals and faults are told.
static FAILURES: Failures = Failures {
    driver: &topics::DRIVER,
    target: &topics::TARGET,
    fence: &topics::FENCE,
    judged: &topics::REVERTED,
};

fn unreached(error: DriverError) -> Failure {
    FAILURES.of(error)
}

/// Before anything is touched, a no can only be one about a secret.
fn no_secret(error: DriverError) -> Failure {
    Failures { judged: &topics::SECRET, ..FAILURES }.of(error)
}

/// Takes the release the whole way.
pub(crate) async fn go(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let reached = windlass_moving::find(session, &located, environment, &FAILURES)?;
    let artifact = session.artifact(Some(&located))?;
    let commit = session.host.commit().or_else(|| git::head(&located.folder));
    let people = windlass_moving::people(session, &located, environment, commit.as_deref()).await;
    let asked = Asked::new(session, &located, environment, &artifact, commit.as_deref(), people)?;
    let announcer = Announcer::new(session, &located, environment, Direction::Forward)
        .of(artifact.digest, commit.as_deref());
    let run =
        Run { session, arguments, located: &located, environment, artifact: &artifact, reached, announcer };
    if session.common.plan {
        return run.only_plan(&asked, commit.clone()).await;
    }
    // A release that is not admitted moves nothing, not even what an earlier run left open: that has its own evidence.
    let result = match asked.admit() {
        Ok(admission) => run.move_it(&asked, &admission, commit.clone()).await,
        Err(failure) => Err(failure),
    };
    run.announcer.ended(result).await
}

struct Run<'a> {
    session: &'a Session,
    arguments: &'a Arguments,
    located: &'a Located,
    environment: &'a Environment,
    artifact: &'a Artifact,
    reached: Reached,
    announcer: Announcer,
}

impl Run<'_> {
    fn candidate(&self, commit: Option<String>) -> Result<Candidate<'_>> {
        Candidate::new(self.located, self.environment, &self.reached, self.artifact, commit)
    }

    /// `--plan`: looks, and changes nothing; not even an agent is started.
    async fn only_plan(&self, asked: &Asked<'_>, commit: Option<String>) -> Result<Report<Own>> {
        let candidate = self.candidate(commit)?.knowing().await.map_err(no_secret)?;
        let look = self.reached.driver.look().await.map_err(unreached)?;
        let plan = candidate.plan(&look.history, &look.seen, self.arguments.no_way_back)?;
        let refused = match asked.admit() {
            Ok(admission) => asked
                .proved(look.history.live_release())
                .and_then(|()| self.crosses_knowingly(&plan, &admission))
                .err(),
            Err(failure) => Some(failure),
        };
        Ok(report::plan(self.session, self.environment, &plan, &look.history, refused))
    }

    async fn move_it(
        &self,
        asked: &Asked<'_>,
        admission: &Admission,
        commit: Option<String>,
    ) -> Result<Report<Own>> {
        let stop = stop::on_signals()
            .map_err(|error| Failure::unknown(&common::BUG, "cannot listen for signals").because(error))?;
        let candidate = self.candidate(commit)?;
        // Looked at before it is woken, as --plan does: a plan that was approved then must be found again.
        let asleep = self.reached.driver.look().await.map_err(unreached)?;
        let mut fenced = windlass_moving::hold(self.session, &self.reached, &FAILURES).await?;
        let result = match candidate.knowing().await.map_err(no_secret) {
            Ok(candidate) => self.under(&mut fenced, &candidate, asked, admission, &asleep, stop).await,
            Err(failure) => Err(failure),
        };
        // However it ended, the fence is given back; where that fails, it ends by itself.
        let _ = fenced.leave().await;
        let mut report = result?;
        report.outputs.extend(self.url().await.map(|url| ("url".to_owned(), url)));
        Ok(report)
    }

    /// Where the environment is served, as far as its target knows.
    async fn url(&self) -> Option<String> {
        self.reached.driver.look().await.ok().and_then(|look| look.seen.url)
    }

    /// What is done while the fence is held.
    async fn under(
        &self,
        fenced: &mut Fenced,
        candidate: &Candidate<'_>,
        asked: &Asked<'_>,
        admission: &Admission,
        before_waking: &Look,
        stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<Report<Own>> {
        let (driver, progress) = (&self.reached.driver, &self.session.progress);
        driver.supply(fenced.history.next_sequence(), candidate.package());
        let before = driver.tallies().await.map_err(unreached)?;
        let hooks = windlass_moving::hooks(self.session, self.located);
        let health = Health::new(self.session, self.environment, hooks, Arc::clone(driver));
        let tell = |news: News| {
            self.announcer.hear(&news);
            windlass_moving::say(progress, &news);
        };

        let mut recovered = None;
        let mut driven = None;
        if let Some(open) = fenced.history.open() {
            self.open_is_approved(&open.plan)?;
            let same = candidate.is(&open.plan.release);
            let release = open.plan.release.sequence;
            if same {
                driver.supply(release, candidate.package());
            }
            recovered = Some(format!("a rollout of {release} that an earlier run left {}", open.word()));
            let abort = (!same)
                .then(|| format!("another release, {}, is to be deployed instead", self.artifact.digest));
            let ended =
                drive::resume(fenced, &health, stop.clone(), abort, &tell).await.map_err(unreached)?;
            if same || ended.outcome == Outcome::Stuck || ended.outcome == Outcome::Unknown {
                driven = Some(ended);
            }
        }
        let driven = match driven {
            Some(driven) => driven,
            None => match self.preflight(candidate, fenced, asked, admission, before_waking).await? {
                Preflight::AlreadyLive => {
                    let mut report = report::already_live(
                        self.session,
                        self.located,
                        self.environment,
                        &fenced.history,
                        self.artifact.digest,
                    )?;
                    report.own.recovered = recovered;
                    return Ok(report);
                }
                Preflight::Go(plan) => {
                    health.borders().begin(before.clone());
                    drive::start(fenced, *plan, &health, stop, &tell).await.map_err(unreached)?
                }
            },
        };
        self.conclude(fenced, before, driven, admission, recovered, &health).await
    }

    /// Everything that may refuse, before anything is touched.
    async fn preflight(
        &self,
        candidate: &Candidate<'_>,
        fenced: &Fenced,
        asked: &Asked<'_>,
        admission: &Admission,
        before_waking: &Look,
    ) -> Result<Preflight> {
        let history = &fenced.history;
        if let Some(hold) = history.held(fenced.now()) {
            let until = hold
                .until
                .map_or_else(|| "until someone ends it".to_owned(), |until| format!("until {until}"));
            return Err(Failure::held(
                &topics::HOLD,
                format!("{} is on hold {until}, set by {}: {}", self.environment.name, hold.by, hold.reason),
            )
            .hint(format!("end it with `windlass unhold -e {}`", self.environment.name)));
        }
        let seen = fenced.driver.observe().await.map_err(unreached)?;
        if is_live(candidate, fenced, &seen) {
            return Ok(Preflight::AlreadyLive);
        }
        asked.proved(history.live_release())?;
        let live = history.live_release().and_then(|release| release.commit.as_deref());
        match git::relation(&self.located.folder, live, candidate.commit.as_deref()).order() {
            Order::Follows => {}
            Order::Superseded { why } => {
                return Err(Failure::refused(&topics::ORDER, format!("superseded: {why}"))
                    .hint(format!("live is {}", live.unwrap_or("unknown"))));
            }
            Order::Unclear { why } => {
                return Err(Failure::unknown(
                    &topics::ORDER_UNKNOWN,
                    format!("cannot judge the order of commits: {why}"),
                ));
            }
        }
        let mut plan = candidate.plan(history, &seen, self.arguments.no_way_back)?;
        plan.from = before_waking.standing_under(history, &seen);
        self.approved(&plan, admission)?;
        self.crosses_knowingly(&plan, admission)?;
        Ok(Preflight::Go(Box::new(plan)))
    }

    /// What an earlier run left open is gone on with or turned back only under the plan that was named, if one was.
    fn open_is_approved(&self, open: &Plan) -> Result<()> {
        let digest = open.digest();
        match self.arguments.approved {
            Some(approved) if approved != digest => Err(Failure::refused(
                &topics::APPROVED,
                format!(
                    "a rollout of {} is open, by the plan {digest}, and {approved} was approved",
                    open.release.sequence
                ),
            )
            .hint("end it first, without --approved, or by `rollback`; then look at the plan again")),
            Some(_) | None => Ok(()),
        }
    }

    /// A migration that closes the way back is run only where someone has said so of it: by --no-way-back, or by an
    /// approval of exactly this plan, which says it too.
    fn crosses_knowingly(&self, plan: &Plan, admission: &Admission) -> Result<()> {
        let Some(crossing) = plan::crossing(plan) else { return Ok(()) };
        if self.arguments.no_way_back || admission.plans.contains(&plan.digest()) {
            return Ok(());
        }
        let name = &self.environment.name;
        Err(Failure::refused(&topics::WAY_BACK, format!("{crossing}: the release's migration is not reversible"))
            .hint(format!(
                "accept that with --no-way-back, or by an approval of exactly this plan: `windlass approve -e {name} --plan {}`",
                plan.digest()
            )))
    }

    fn approved(&self, plan: &Plan, admission: &Admission) -> Result<()> {
        let digest = plan.digest();
        let named: Vec<Digest> =
            self.arguments.approved.into_iter().chain(admission.plans.iter().copied()).collect();
        match named.iter().find(|named| **named != digest) {
            None => Ok(()),
            Some(other) => Err(Failure::refused(
                &topics::APPROVED,
                format!(
                    "the plan is {digest} now, made from {}, and {other} was approved: the release, the policy or the \
                     target changed since",
                    plan.from
                ),
            )
            .hint(format!("see it with `deploy -e {} --plan`, and approve that", self.environment.name))),
        }
    }

    async fn conclude(
        &self,
        fenced: &Fenced,
        before: Option<Tallies>,
        driven: Driven,
        admission: &Admission,
        recovered: Option<String>,
        health: &Health,
    ) -> Result<Report<Own>> {
        let rollout = fenced.history.rollouts.last().cloned();
        let hold = fenced.history.held(fenced.now()).map(|hold| hold.reason.clone());
        let after = self.reached.driver.tallies().await.ok().flatten();
        let Some(rollout) = rollout else {
            return Err(Failure::unknown(&topics::OPEN, "the ledger says nothing of the rollout"));
        };
        let mut own = Own::of_rollout(&rollout);
        // Where it cannot be looked at any more, the report says why it ended, and nothing of where.
        let hosts = self.reached.driver.look().await.map(|look| look.hosts).unwrap_or_default();
        own.receipt =
            before.zip(after).map(|(before, after)| Receipt::between(&before, &after, &rollout).on(&hosts));
        own.proof = Proof::of(&rollout, &fenced.history, &health.borders());
        own.hold = hold;
        own.recovered = recovered;
        let (recordings, hooks) = (health.recordings(), health.hooks());
        let ended = report::Ended { driven: &driven, own, admission, recordings, hooks };
        report::rollout(self.session, self.located, self.environment, ended)
    }
}

enum Preflight {
    AlreadyLive,
    Go(Box<Plan>),
}

fn is_live(candidate: &Candidate<'_>, fenced: &Fenced, seen: &Seen) -> bool {
    let live = fenced.history.live_release();
    live.is_some_and(|live| candidate.is(live) && seen.serves_only(live.sequence))
}
