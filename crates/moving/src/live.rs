//! Evidence for a release that is live already, whichever tool found it so.

use serde_json::json;
use windlass_ci::fail::Result;
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_domain::journal::History;
use windlass_evidence::statement::{Predicate, Statement};
use windlass_target::document::Own;

/// The statement that a release is live, of the time that the ledger says: for whoever lost the one of the run that went
/// there. `intent` is the tool's, `deploy` or `rollback`.
///
/// # Errors
/// When the evidence cannot be signed or written.
pub fn attest_live(
    session: &Session,
    located: &Located,
    report: &Report<Own>,
    history: &History,
    intent: &str,
) -> Result<()> {
    let Some(live) = &report.own.release else { return Ok(()) };
    let body = json!({
        "at": history.live().map_or(session.context.started, |commit| commit.at),
        "environment": report.environment,
        "policy": located.policy.digest,
        "outcome": report.outcome,
        "intent": intent,
        "revision": live.sequence,
    });
    session.attest(&Statement::about(live.artifact, live.commit.as_deref(), Predicate::Deploy, body))
}
