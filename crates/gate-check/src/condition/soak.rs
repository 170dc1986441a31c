//! `soak`: this digest has been live in another environment for so long.

use std::collections::BTreeSet;

use serde_json::Value;
use windlass_domain::digest::Digest;
use windlass_domain::policy::Span;
use windlass_evidence::statement::Predicate;
use windlass_evidence::verify::Verified;

use super::needs::{self, NotPassed};
use super::{Facts, Judged, no_statement};
use crate::status::Status;

pub(super) fn judge(facts: &Facts<'_>, need: &str, span: Span) -> Judged {
    let new = |status| Judged::new("soak", format!(">= {span} in {need}"), status);
    let deploy = match needs::passed(facts, need) {
        Ok(deploy) => deploy,
        Err(NotPassed::NoStatement(refused)) => {
            let next = format!("deploy this artifact to {need} first");
            return no_statement(new(Status::Missing), "deploy/v1", &refused, &next);
        }
        Err(NotPassed::Ended(deploy, outcome)) => {
            return new(Status::Failed)
                .observed("not live")
                .why(format!("its newest deploy to {need} ended as {outcome}"))
                .statement(facts.line(&deploy))
                .next(format!("deploy this artifact to {need} again"));
        }
        Err(NotPassed::RolledBack(rollback)) => {
            return new(Status::Failed)
                .observed("not live")
                .why(format!("it was rolled back in {need} at {}", rollback.made))
                .statement(facts.line(&rollback))
                .next("release a newer one");
        }
    };
    let replaced = replacement(facts, need, &deploy);
    let until = replaced.as_ref().map_or(facts.now, |other| other.made.min(facts.now));
    let live = until.duration_since(deploy.made);
    let live = Span::millis(u64::try_from(live.as_millis()).unwrap_or(0));
    let judged = if live >= span {
        new(Status::Passed)
    } else if let Some(other) = &replaced {
        new(Status::Failed)
            .why(format!("another release took its place in {need} at {}", other.made))
            .next(format!("deploy this artifact to {need} again and let it stay"))
    } else {
        match deploy.made.checked_add(span.get()) {
            Ok(ripe) => new(Status::Pending)
                .why(format!("it will have been live long enough at {ripe}"))
                .next(format!("run gate-check again after {ripe}")),
            Err(_) => new(Status::Error).why("the soak ends beyond the calendar"),
        }
    };
    // Below a second, the rest of the span is noise to a reader.
    let whole = Span::seconds(live.get().as_secs());
    judged.observed(format!("live for {whole}")).statement(facts.line(&deploy))
}

/// The first passed deploy of another digest in `environment` after `deploy`: from then on this one was not live.
fn replacement(facts: &Facts<'_>, environment: &str, deploy: &Verified) -> Option<Verified> {
    let after = deploys(facts, environment).into_iter().filter(|(digest, verified)| {
        *digest != facts.artifact
            && (verified.made, verified.line.0) > (deploy.made, deploy.line.0)
            && verified.statement.predicate.get("outcome").and_then(Value::as_str) == Some("passed")
    });
    after.map(|(_, verified)| verified).min_by_key(|verified| (verified.made, verified.line.0))
}

/// Every deploy to `environment` that counts, of whichever artifact and under whichever policy.
pub(super) fn deploys(facts: &Facts<'_>, environment: &str) -> Vec<(Digest, Verified)> {
    let artifacts: BTreeSet<Digest> = facts
        .store
        .lines
        .iter()
        .filter_map(|line| line.content.as_ref().ok())
        .filter(|(_, statement)| statement.predicate_type == Predicate::Deploy.uri())
        .flat_map(|(_, statement)| statement.subject.iter())
        .filter_map(|subject| format!("sha256:{}", subject.digest.get("sha256")?).parse().ok())
        .collect();
    let of = |artifact: Digest| {
        let mut demand = facts.demand(Predicate::Deploy, None);
        demand.environment = Some(environment);
        demand.artifact = artifact;
        demand.all(facts.store).0.into_iter().map(move |verified| (artifact, verified)).collect::<Vec<_>>()
    };
    artifacts.into_iter().flat_map(of).collect()
}
