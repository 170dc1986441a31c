//! Telling others of a rollout's moments: whoever wants to hear is a [`Listener`].
//!
//! A listener that cannot be told never changes what a run does nor its exit code, and always shows: in the report, in
//! its text and summary, and as a warning of the CI system.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time::timeout;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_domain::announcement::{Announcement, Direction, Moment};
use windlass_domain::digest::Digest;
use windlass_domain::journal::Event;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Environment;
use windlass_domain::rollout::Plan;
use windlass_target::document::Own;
use windlass_target::drive::News;

pub use crate::unheard::Unheard;
use crate::unheard::{self, Untold};

/// How long one listener may take to be told one moment.
const PATIENCE: Duration = Duration::from_secs(15);

/// The same where the run leaves a rollout open: it was told to stop, and CI systems kill ten seconds after they ask.
const HASTE: Duration = Duration::from_secs(2);

/// Somebody, or something, who is told.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Its name in messages: `slack`, `GitHub deployments`. Never a secret.
    fn name(&self) -> String;

    /// Tells it one moment; of one run, they come in order. A moment that it does not care for is told in no time.
    ///
    /// # Errors
    /// Why it could not be told, and what to do.
    async fn tell(&self, said: &Announcement) -> Result<(), Unheard>;
}

/// Makes the listeners of one kind for a run, or says why they cannot be.
type Register = fn(&Session, &Located, &Environment) -> Vec<Arc<dyn Listener>>;

/// Every kind of listener.
const KINDS: &[Register] = &[crate::records::listeners, crate::receivers::receivers];

/// Tells the moments of one run to all its listeners.
pub struct Announcer {
    listeners: Vec<Arc<dyn Listener>>,
    /// What all its announcements say.
    common: Announcement,
    telling: Mutex<Telling>,
}

#[derive(Default)]
struct Telling {
    /// Those who are being told of the beginning, while the rollout goes on.
    beginning: JoinSet<Option<Untold>>,
    plan: Option<Plan>,
}

impl Announcer {
    /// For one run of a tool.
    #[must_use]
    pub fn new(
        session: &Session,
        located: &Located,
        environment: &Environment,
        direction: Direction,
    ) -> Self {
        let listeners = KINDS.iter().flat_map(|register| register(session, located, environment)).collect();
        Self::over(listeners, about(session, located, &environment.name, direction))
    }

    /// Says of which artifact and commit, where that is known before there is a plan.
    #[must_use]
    pub fn of(mut self, artifact: Digest, commit: Option<&str>) -> Self {
        self.common.artifact = Some(artifact);
        self.common.commit = commit.map(str::to_owned).or(self.common.commit);
        self
    }

    fn over(listeners: Vec<Arc<dyn Listener>>, common: Announcement) -> Self {
        Self { listeners, common, telling: Mutex::default() }
    }

    /// Hears what the rollout says of itself; its beginning is told while it goes on.
    pub fn hear(&self, news: &News) {
        let News::Recorded(Event::Opened { plan }) = news else { return };
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let release = plan.release.sequence;
        let what = match self.common.direction {
            Direction::Forward => format!("{release} begins to enter {}", plan.environment),
            Direction::Back => format!("{} begins to go back to {release}", plan.environment),
        };
        let said = Announcement { moment: Moment::Started, what, at: crate::now(), ..self.of_plan(plan) };
        let said = Arc::new(said);
        for listener in &self.listeners {
            telling.beginning.spawn(tell(Arc::clone(listener), Arc::clone(&said), PATIENCE));
        }
        telling.plan = Some((**plan).clone());
    }

    fn of_plan(&self, plan: &Plan) -> Announcement {
        Announcement {
            artifact: Some(plan.release.artifact),
            commit: plan.release.commit.clone(),
            release: Some(plan.release.clone()),
            before: plan.anchor(),
            plan: Some(plan.digest()),
            ..self.common.clone()
        }
    }

    /// Tells how the run ended, and adds to its result whom it could not tell.
    ///
    /// # Errors
    /// The result's own.
    pub async fn ended(&self, result: Result<Report<Own>>) -> Result<Report<Own>> {
        let (mut beginning, plan) = {
            let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut telling.beginning), telling.plan.take())
        };
        let Some(said) = self.at_the_end(&result, plan.as_ref()) else { return result };
        let within = if said.moment == Moment::Open { HASTE } else { PATIENCE };
        let mut untold = Vec::new();
        let all_told = async {
            while let Some(told) = beginning.join_next().await {
                untold.extend(told.unwrap_or_default());
            }
        };
        if timeout(within, all_told).await.is_err() {
            beginning.abort_all();
        }
        let said = Arc::new(said);
        let mut ending = JoinSet::new();
        for listener in &self.listeners {
            ending.spawn(tell(Arc::clone(listener), Arc::clone(&said), within));
        }
        while let Some(told) = ending.join_next().await {
            untold.extend(told.unwrap_or_default());
        }
        unheard::shown(result, untold)
    }

    /// What is told of a result; nothing where nothing was moved and nobody is waited for.
    fn at_the_end(&self, result: &Result<Report<Own>>, plan: Option<&Plan>) -> Option<Announcement> {
        let common = plan.map_or_else(|| self.common.clone(), |plan| self.of_plan(plan));
        let (environment, direction) = (&self.common.environment, self.common.direction);
        let at = crate::now();
        match result {
            // Nothing was done, or it was done by a run before, which told it.
            Ok(report) if report.own.steps.is_empty() => None,
            Ok(report) => {
                let moment = Moment::at_the_end(direction, report.outcome)?;
                let revision =
                    report.own.revision.map_or_else(|| "nothing".to_owned(), |revision| revision.to_string());
                let told = report.reasons.iter().find(|reason| !reason.why.is_empty());
                Some(Announcement {
                    moment,
                    what: sentence(moment, direction, &revision, environment),
                    why: told.map(|reason| reason.why.clone()),
                    next: next(moment, environment),
                    artifact: report.own.release.as_ref().map(|release| release.artifact).or(common.artifact),
                    commit: report
                        .own
                        .release
                        .as_ref()
                        .map_or(common.commit.clone(), |one| one.commit.clone()),
                    release: report.own.release.clone().or(common.release.clone()),
                    before: report.own.anchor.or(common.before),
                    plan: report.own.plan.or(common.plan),
                    at,
                    ..common
                })
            }
            Err(failure) => {
                let moment = match (failure.outcome, plan) {
                    (Outcome::Held, None) => Moment::Waiting,
                    (_, None) => return None,
                    (outcome, Some(_)) => Moment::at_the_end(direction, outcome).unwrap_or(Moment::Open),
                };
                let next = failure.hints.first().cloned().or_else(|| next(moment, environment));
                Some(Announcement {
                    moment,
                    what: failure.message.clone(),
                    why: cause(failure),
                    next,
                    at,
                    ..common
                })
            }
        }
    }
}

/// What every announcement of a run says: who runs it, where, and of which commit.
#[must_use]
pub fn about(session: &Session, located: &Located, environment: &str, direction: Direction) -> Announcement {
    Announcement {
        moment: Moment::Started,
        direction,
        app: located.policy.app.clone(),
        environment: environment.to_owned(),
        what: String::new(),
        why: None,
        next: None,
        artifact: None,
        commit: session.host.commit(),
        release: None,
        before: None,
        plan: None,
        by: session.host.who(),
        run: session.host.run(),
        at: session.context.started,
    }
}

async fn tell(listener: Arc<dyn Listener>, said: Arc<Announcement>, within: Duration) -> Option<Untold> {
    let why = match timeout(within, listener.tell(&said)).await {
        Ok(Ok(())) => return None,
        Ok(Err(why)) => why,
        Err(_) => Unheard::new(format!("no answer within {} s", within.as_secs())),
    };
    Some(Untold { name: listener.name(), moments: vec![said.moment], why })
}

fn sentence(moment: Moment, direction: Direction, revision: &str, environment: &str) -> String {
    match (moment, direction) {
        (Moment::Live, _) => format!("{revision} is live in {environment}"),
        (Moment::RolledBack, Direction::Forward) => {
            format!("{revision} was refused, and {environment} was put back as it was")
        }
        (Moment::RolledBack, Direction::Back) => format!("{revision} is live in {environment} again"),
        (Moment::Failed, _) => format!("{environment} did not go back: {revision} is still live"),
        (Moment::Held, _) => format!("the rollout of {revision} in {environment} waits for someone"),
        (Moment::Stuck, _) => format!("{environment} could not be put right: a human is needed"),
        (Moment::Open, _) => format!("the run ended, and the rollout of {revision} in {environment} is open"),
        (Moment::Started, _) => format!("{revision} begins to enter {environment}"),
        (Moment::Waiting, _) => format!("{environment} waits for someone"),
    }
}

fn next(moment: Moment, environment: &str) -> Option<String> {
    match moment {
        Moment::Live => Some(format!("rollback -e {environment}")),
        Moment::RolledBack | Moment::Failed => Some(format!("windlass history -e {environment}")),
        Moment::Held | Moment::Stuck | Moment::Open => Some(format!("windlass status -e {environment}")),
        Moment::Started | Moment::Waiting => None,
    }
}

fn cause(failure: &Failure) -> Option<String> {
    let chain = failure.chain();
    chain.strip_prefix(&failure.message)?.strip_prefix(": ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_ci::topics;

    /// Remembers what it was told; where it shall fail, it says why.
    struct Ear {
        heard: Mutex<Vec<Announcement>>,
        fails: Option<&'static str>,
        hangs: bool,
    }

    impl Ear {
        fn new(fails: Option<&'static str>, hangs: bool) -> Arc<Self> {
            Arc::new(Self { heard: Mutex::default(), fails, hangs })
        }

        fn moments(&self) -> Vec<Moment> {
            self.heard.lock().unwrap().iter().map(|said| said.moment).collect()
        }
    }

    #[async_trait]
    impl Listener for Ear {
        fn name(&self) -> String {
            "ear".to_owned()
        }

        async fn tell(&self, said: &Announcement) -> Result<(), Unheard> {
            self.heard.lock().unwrap().push(said.clone());
            if self.hangs {
                std::future::pending::<()>().await;
            }
            self.fails.map_or(Ok(()), |why| Err(Unheard::new(why)))
        }
    }

    fn announcer(ear: &Arc<Ear>, direction: Direction) -> Announcer {
        let common = Announcement {
            moment: Moment::Started,
            direction,
            app: "shop".to_owned(),
            environment: "staging".to_owned(),
            what: String::new(),
            why: None,
            next: None,
            artifact: None,
            commit: None,
            release: None,
            before: None,
            plan: None,
            by: "ada".to_owned(),
            run: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        Announcer::over(vec![Arc::clone(ear) as Arc<dyn Listener>], common)
    }

    /// A report of a run that did something.
    fn moved(outcome: Outcome) -> Result<Report<Own>> {
        let mut report: Report<Own> = Report::new(outcome);
        report.own.steps.push(windlass_target::document::StepLine {
            step: "stage r2".to_owned(),
            way: windlass_domain::journal::Way::Forward,
            at: None,
            result: None,
        });
        Ok(report)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn each_end_is_told_as_its_moment() {
        for (direction, outcome, moment) in [
            (Direction::Forward, Outcome::Passed, Moment::Live),
            (Direction::Forward, Outcome::Failed, Moment::RolledBack),
            (Direction::Forward, Outcome::Stuck, Moment::Stuck),
            (Direction::Back, Outcome::Passed, Moment::RolledBack),
            (Direction::Back, Outcome::Failed, Moment::Failed),
        ] {
            let ear = Ear::new(None, false);
            run(announcer(&ear, direction).ended(moved(outcome))).unwrap();
            assert_eq!(ear.moments(), [moment]);
        }
    }

    #[test]
    fn who_waits_for_an_approval_is_told_and_who_was_refused_is_not() {
        let ear = Ear::new(None, false);
        let held = Failure::held(&topics::USAGE, "staging waits for approval");
        let ended = run(announcer(&ear, Direction::Forward).ended(Err(held)));
        assert_eq!(ended.unwrap_err().outcome, Outcome::Held);
        assert_eq!(ear.moments(), [Moment::Waiting]);

        let ear = Ear::new(None, false);
        let refused = Failure::refused(&topics::USAGE, "superseded");
        let _ = run(announcer(&ear, Direction::Forward).ended(Err(refused)));
        assert_eq!(ear.moments(), []);
    }

    #[test]
    fn a_run_that_did_nothing_tells_nothing() {
        let ear = Ear::new(None, false);
        run(announcer(&ear, Direction::Forward).ended(Ok(Report::new(Outcome::Passed)))).unwrap();
        assert_eq!(ear.moments(), []);
    }

    #[test]
    fn who_cannot_be_told_shows_everywhere_and_changes_no_outcome() {
        let ear = Ear::new(Some("connection refused\n::error::x"), false);
        let report = run(announcer(&ear, Direction::Forward).ended(moved(Outcome::Passed))).unwrap();
        assert_eq!(report.outcome, Outcome::Passed);
        assert!(report.text.contains("ear was not told `live`: connection refused"), "{}", report.text);
        assert!(!report.text.contains("\n::error"), "{}", report.text);
        assert!(report.markdown.contains("ear was not told"), "{}", report.markdown);
        assert_eq!(report.annotations.len(), 1);
        assert_eq!(report.reasons.len(), 1);
    }

    #[test]
    fn who_never_answers_is_given_up() {
        let ear = Ear::new(None, true);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let announcer = announcer(&ear, Direction::Forward);
        let ended = runtime.block_on(announcer.ended(moved(Outcome::Unknown)));
        assert!(ended.unwrap().text.contains("no answer within 2 s"));
    }
}
