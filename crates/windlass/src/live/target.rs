//! Reaching an environment to look at it, or to write one event into its ledger.

use std::path::PathBuf;
use std::sync::Arc;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::session::{Located, Session};
use windlass_ci::topics;
use windlass_domain::journal::{Event, History};
use windlass_domain::policy::Environment;
use windlass_target::driver::DriverError;
use windlass_target::fenced::{self, Fenced};
use windlass_target::host::{self, control::AgentState};
use windlass_target::reach::{ReachedHost, reach};

use super::{FENCE, TARGET};

/// An environment as it stands.
pub(super) struct Standing {
    pub(super) history: History,
    /// What the agent says; absent where none runs.
    pub(super) agent: Option<AgentState>,
    pub(super) root: PathBuf,
}

/// Runs something asynchronous to its end.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown(&topics::BUG, "cannot start the async runtime").because(error))?
        .block_on(work)
}

/// Looks, and starts nothing.
pub(super) async fn look(
    session: &Session,
    located: &Located,
    environment: &Environment,
) -> Result<Standing> {
    let reached = find(session, located, environment)?;
    let root = reached.root.clone();
    match reached.driver.state().await {
        Ok(agent) => {
            let history = fenced::history(&reached.driver).await.map_err(failed)?;
            Ok(Standing { history, agent: Some(agent), root })
        }
        Err(_) => {
            let (history, _) = host::asleep(&root).map_err(failed)?;
            Ok(Standing { history, agent: None, root })
        }
    }
}

/// Writes one event into the ledger, under the fence.
pub(super) async fn record(
    session: &Session,
    located: &Located,
    environment: &Environment,
    event: Event,
) -> Result<()> {
    let reached = find(session, located, environment)?;
    host::ensure(reached.driver.client(), &reached.root, &reached.agent)
        .await
        .map_err(|error| Failure::unknown(&TARGET, "there is no agent for the target").because(error))?;
    let who = format!("{}, {}, pid {}", session.host.who(), session.tool, std::process::id());
    let owner = fenced::owner(who).map_err(failed)?;
    let mut fenced = Fenced::claim(Arc::new(reached.driver), owner, Arc::new(now)).await.map_err(failed)?;
    let written = fenced.record(vec![event]).await.map_err(failed);
    let _ = fenced.leave().await;
    written
}

fn find(session: &Session, located: &Located, environment: &Environment) -> Result<ReachedHost> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("windlass"));
    reach(&located.policy.app, environment, &located.folder, &session.context.vars, &program)
        .map_err(|error| Failure::invalid(&TARGET, "cannot reach the target").because(error))
}

fn failed(error: DriverError) -> Failure {
    match error {
        DriverError::Fence(refusal) => {
            Failure::refused(&FENCE, format!("another run holds the environment: {refusal}"))
        }
        DriverError::Head(head) => Failure::refused(
            &FENCE,
            format!("another run has written the ledger: its head is entry {}", head.number),
        ),
        DriverError::Judged { why, .. } => Failure::unknown(&TARGET, why),
        DriverError::Unreachable { attempt, source } => {
            let mut failure = Failure::unknown(&TARGET, attempt);
            failure.source = Some(source);
            failure
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of the lease is read here, and only here")]
pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
