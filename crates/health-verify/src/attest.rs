//! The statement that a verdict leaves: `health/v1`, about the artifact that was live.

use serde_json::json;
use windlass_ci::fail::Result;
use windlass_ci::session::Session;
use windlass_domain::outcome::Outcome;
use windlass_evidence::statement::{Predicate, Statement};
use windlass_signal::judge::{Ending, Judgement};

use crate::plan::Plan;

/// Appends the statement where a revision of a known artifact was judged; says so.
///
/// # Errors
/// When the evidence cannot be written.
pub(crate) fn append(
    session: &Session,
    plan: &Plan,
    judgement: &Judgement,
    outcome: Outcome,
) -> Result<Option<String>> {
    let (Some(artifact), Some(policy), Some(revision), Some(environment)) =
        (plan.artifact, plan.policy, plan.revision, &plan.environment)
    else {
        return Ok(None);
    };
    // What could not be judged says nothing, and must not revoke what was.
    if judgement.ending != Ending::Judged || outcome == Outcome::Unknown {
        return Ok(None);
    }
    if session.common.plan {
        return Ok(Some("--plan: nothing was added to the evidence".to_owned()));
    }
    let body = json!({
        "at": session.context.started.to_string(),
        "environment": environment,
        "policy": policy,
        "outcome": outcome,
        "verdict": judgement.verdict,
        "revision": revision.to_string(),
        "hard": judgement.hard,
        "metrics": judgement.metrics,
        "watchedMs": judgement.elapsed_ms,
    });
    session.attest(&Statement::about(artifact, None, Predicate::Health, body))?;
    let signed = if session.signer()?.is_some() { "signed" } else { "unsigned: no --signing-key" };
    Ok(Some(format!("1 statement added to {} ({signed})", session.evidence_path().display())))
}
