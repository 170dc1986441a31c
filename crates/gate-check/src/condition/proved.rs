//! `rollback.proved`: the way back from this artifact to the one that is live in the environment was walked somewhere, on
//! purpose, and held.
//!
//! What is live is known for certain to the target's ledger alone, by which `deploy` judges this again. Here it is what
//! `--live` says, else the newest deploy to the environment in the evidence.

use serde_json::Value;
use windlass_domain::digest::Digest;
use windlass_domain::policy::Condition;
use windlass_evidence::statement::Predicate;

use super::soak::deploys;
use super::{Facts, Judged, no_statement, number};
use crate::args::Live;
use crate::status::Status;

pub(super) fn judge(facts: &Facts<'_>, condition: &Condition) -> Judged {
    let name = &facts.environment.name;
    let live = match facts.live {
        Some(Live::Nothing) => {
            return Judged::of(condition, Status::NotApplicable).why(format!(
                "nothing is live in {name} to go back to, by --live; deploy asks the ledger again"
            ));
        }
        Some(Live::Artifact(live)) => live,
        None => match newest(facts) {
            Some(live) => live,
            None => {
                return Judged::of(condition, Status::Missing)
                    .why(format!("the evidence does not say what is live in {name}"))
                    .next(format!(
                        "say it with --live DIGEST, as `windlass status -e {name}` shows it, or --live none for a first release"
                    ));
            }
        },
    };
    if live == facts.artifact {
        return Judged::of(condition, Status::NotApplicable).why(format!("it is live in {name} already"));
    }
    let (walked, refused) = facts.demand(Predicate::Proof, None).all(facts.store);
    let is_pair = |body: &Value| body.get("from").and_then(Value::as_str) == Some(live.to_string().as_str());
    let next = format!("deploy {live}, then this artifact, in an environment with `prove_rollback: true`");
    let Some(proof) = walked.iter().find(|one| is_pair(&one.statement.predicate)) else {
        let judged = Judged::of(condition, Status::Missing);
        if walked.is_empty() {
            return no_statement(judged, "rollback-proof/v1", &refused, &next);
        }
        return judged.why(format!("the way back was walked to other artifacts, not to {live}")).next(next);
    };
    let held = proof.statement.predicate.get("outcome").and_then(Value::as_str) == Some("passed");
    let judged = Judged::bounded(condition, number(u64::from(held))).statement(facts.line(proof));
    if held {
        judged
    } else {
        judged
            .why(format!("the way back to {live} was walked at {} and did not hold", proof.made))
            .next("find out why in the report of that deploy, and release a newer one")
    }
}

/// The artifact of the newest passed deploy to the environment.
fn newest(facts: &Facts<'_>) -> Option<Digest> {
    let passed = |(digest, deploy): (Digest, windlass_evidence::verify::Verified)| {
        let outcome = deploy.statement.predicate.get("outcome").and_then(Value::as_str);
        (outcome == Some("passed")).then_some(((deploy.made, deploy.line.0), digest))
    };
    deploys(facts, &facts.environment.name).into_iter().filter_map(passed).max().map(|(_, digest)| digest)
}
