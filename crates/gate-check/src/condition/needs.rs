//! `needs`: this digest was deployed in another environment, passed there, and was not taken back.

use serde_json::Value;
use windlass_evidence::statement::Predicate;
use windlass_evidence::verify::{Refusal, Verified};

use super::{Facts, Judged, no_statement};
use crate::status::Status;

/// Why a digest has not passed in an environment.
pub(super) enum NotPassed {
    /// No deploy's statement counts.
    NoStatement(Vec<(usize, Refusal)>),
    /// The newest deploy ended otherwise.
    Ended(Box<Verified>, String),
    /// It was rolled back afterwards.
    RolledBack(Box<Verified>),
}

/// The newest deploy of this digest in `environment`, where it passed and was not rolled back since.
pub(super) fn passed(facts: &Facts<'_>, environment: &str) -> Result<Verified, NotPassed> {
    let deploy = facts
        .demand(Predicate::Deploy, Some(environment))
        .newest(facts.store)
        .map_err(NotPassed::NoStatement)?;
    let outcome = deploy.statement.predicate.get("outcome").and_then(Value::as_str).unwrap_or("nothing");
    if outcome != "passed" {
        let outcome = outcome.to_owned();
        return Err(NotPassed::Ended(Box::new(deploy), outcome));
    }
    // What takes a release back counts under whichever policy it was made.
    let mut demand = facts.demand(Predicate::Rollback, Some(environment));
    demand.policy = None;
    match demand.newest(facts.store) {
        Ok(rollback) if (rollback.made, rollback.line.0) > (deploy.made, deploy.line.0) => {
            Err(NotPassed::RolledBack(Box::new(rollback)))
        }
        Ok(_) | Err(_) => Ok(deploy),
    }
}

pub(super) fn judge(facts: &Facts<'_>, need: &str) -> Judged {
    let new = |status| Judged::new("needs", format!("passed in {need}"), status);
    let next = format!("deploy this artifact to {need} first");
    match passed(facts, need) {
        Ok(deploy) => new(Status::Passed)
            .observed(format!("deployed there at {}", deploy.made))
            .statement(facts.line(&deploy)),
        Err(NotPassed::NoStatement(refused)) => {
            no_statement(new(Status::Missing), "deploy/v1", &refused, &next)
        }
        Err(NotPassed::Ended(deploy, outcome)) => new(Status::Failed)
            .observed(outcome)
            .why(format!("its newest deploy to {need}, at {}, did not pass", deploy.made))
            .statement(facts.line(&deploy))
            .next(next),
        Err(NotPassed::RolledBack(rollback)) => new(Status::Failed)
            .observed("rolled back")
            .why(format!("it was rolled back in {need} at {}", rollback.made))
            .statement(facts.line(&rollback))
            .next(format!("find out why it was rolled back in {need}; release a newer one")),
    }
}
