//! Deployment records on the forge: a listener that begins one when a rollout begins and marks how it stands.
//!
//! Where the CI system writes a record for the job itself, it is left to it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use windlass_ci::session::{Located, Session};
use windlass_domain::announcement::{Announcement, Direction, Moment};
use windlass_domain::policy::Environment;
use windlass_forge::{Fault, Forge, Kind, Mark, Opened, Patience, Record, Standing};

use crate::announce::{Listener, Unheard};
use crate::fork::fork;

/// Shorter than a listener may take: what the forge did not take is then told with its reason.
const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(6),
    limit: Duration::from_secs(6),
    pause: Duration::from_millis(500),
};

/// The records of a run, where its policy wants them, there is a forge, and a token for it.
pub(crate) fn listeners(
    session: &Session,
    located: &Located,
    environment: &Environment,
) -> Vec<Arc<dyn Listener>> {
    if !environment.forge.records || !crate::forge::is_there(session, located) {
        return Vec::new();
    }
    let listener: Arc<dyn Listener> = match crate::forge::forge(session, &located.folder, PATIENCE) {
        Ok(forge) => {
            let (url, fork) = (environment.forge.url.clone(), fork(&session.context));
            Arc::new(Records { forge, url, fork, opened: Mutex::default() })
        }
        Err(fault) => Arc::new(NoForge { fault }),
    };
    vec![listener]
}

/// A forge that cannot be asked, though it is meant to be.
struct NoForge {
    fault: Fault,
}

#[async_trait]
impl Listener for NoForge {
    fn name(&self) -> String {
        "deployment records".to_owned()
    }

    async fn tell(&self, _: &Announcement) -> Result<(), Unheard> {
        Err(unheard(&self.fault))
    }
}

/// The records of one run.
struct Records {
    forge: Box<dyn Forge>,
    url: Option<String>,
    /// The fork whose pull request this run is of: its token only reads.
    fork: Option<String>,
    /// The record, once it is begun; held while one moment is told, so that they come in order.
    opened: Mutex<Option<Opened>>,
}

impl Records {
    /// A fault of the forge; where a fork's token may not write, that is as it should be.
    fn unheard(&self, fault: &Fault) -> Unheard {
        match (&self.fork, fault) {
            (Some(fork), Fault::Denied { status: 403 | 404, .. }) => Unheard::expected(format!(
                "this run is of a pull request from {fork}, whose token only reads: no record was written, and this summary stands for it"
            )),
            (Some(_) | None, fault) => unheard(fault),
        }
    }
}

fn unheard(fault: &Fault) -> Unheard {
    Unheard::new(fault.to_string()).next(fault.hint())
}

#[async_trait]
impl Listener for Records {
    fn name(&self) -> String {
        match self.forge.place().kind {
            Kind::Github => "GitHub deployments".to_owned(),
            Kind::Gitlab => "GitLab deployments".to_owned(),
        }
    }

    async fn tell(&self, said: &Announcement) -> Result<(), Unheard> {
        let Some(standing) = standing(said.moment, said.direction) else { return Ok(()) };
        let mut opened = self.opened.lock().await;
        if opened.is_none() {
            let commit = said.commit.clone().ok_or_else(|| {
                Unheard::new("the commit of the release is not known, and a record is of one")
                    .next("run it in a repository")
            })?;
            let record = Record {
                environment: said.environment.clone(),
                commit,
                task: task(said.direction),
                description: said.what.clone(),
            };
            *opened = Some(self.forge.open(&record).await.map_err(|fault| self.unheard(&fault))?);
        }
        let Some(Opened::Ours(id)) = opened.as_ref() else { return Ok(()) };
        let mark = Mark {
            standing,
            description: said.what.clone(),
            environment: said.environment.clone(),
            url: self.url.clone(),
        };
        self.forge.mark(id, &mark).await.map_err(|fault| self.unheard(&fault))
    }
}

const fn task(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "deploy",
        Direction::Back => "rollback",
    }
}

/// How a record stands at a moment; nothing where nothing was begun that a record could be of.
const fn standing(moment: Moment, direction: Direction) -> Option<Standing> {
    match (moment, direction) {
        (Moment::Waiting, _) => None,
        (Moment::Started, _) => Some(Standing::Running),
        (Moment::Live, _) | (Moment::RolledBack, Direction::Back) => Some(Standing::Live),
        (Moment::RolledBack, Direction::Forward) | (Moment::Failed, _) => Some(Standing::Failed),
        (Moment::Held, _) => Some(Standing::Waiting),
        (Moment::Stuck | Moment::Open, _) => Some(Standing::Broken),
    }
}
