//! Reaching an environment to look at it, or to write one event into its ledger.

use windlass_ci::fail::Result;
use windlass_ci::session::{Located, Session};
use windlass_domain::journal::Event;
use windlass_domain::policy::Environment;
use windlass_moving::Failures;
use windlass_target::driver::Look;
use windlass_target::reach::Reached;

use super::{DRIVER, FENCE, TARGET};

/// Under which topics a target's refusals and faults are told.
pub(super) static FAILURES: Failures =
    Failures { driver: &DRIVER, target: &TARGET, fence: &FENCE, judged: &TARGET };

/// Runs something asynchronous to its end.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    windlass_moving::runtime()?.block_on(work)
}

/// An environment as it stands.
pub(super) struct Standing {
    pub(super) reached: Reached,
    pub(super) look: Look,
}

/// Looks, and wakes nothing.
pub(super) async fn look(
    session: &Session,
    located: &Located,
    environment: &Environment,
) -> Result<Standing> {
    let reached = windlass_moving::find(session, located, environment, &FAILURES)?;
    let look = reached.driver.look().await.map_err(|error| FAILURES.of(error))?;
    Ok(Standing { reached, look })
}

/// Writes one event into the ledger, under the fence.
pub(super) async fn record(
    session: &Session,
    located: &Located,
    environment: &Environment,
    event: Event,
) -> Result<()> {
    let reached = windlass_moving::find(session, located, environment, &FAILURES)?;
    let mut fenced = windlass_moving::hold(session, &reached, &FAILURES).await?;
    let written = fenced.record(vec![event]).await.map_err(|error| FAILURES.of(error));
    let _ = fenced.leave().await;
    written
}
