//! `approval`: enough of the right people agreed, by signed statement. Whom only a forge knows, `deploy` asks about.

use serde_json::Value;
use windlass_domain::approval::{People, Tally, Vote, tally};
use windlass_domain::policy::Approval;
use windlass_evidence::statement::Predicate;

use super::{Facts, Judged};
use crate::status::Status;

pub(super) fn judge(facts: &Facts<'_>, rule: &Approval) -> Judged {
    let people = if rule.count == 1 { "1 approval".to_owned() } else { format!("{} approvals", rule.count) };
    let bound = format!("{people} from {}", rule.from.join(", "));
    let new = |status| Judged::new("approval", bound.clone(), status);
    let mut demand = facts.demand(Predicate::Approval, Some(&facts.environment.name));
    // An approval that nobody signed is nobody's, whatever else the environment accepts.
    demand.unsigned = false;
    demand.max_age = Some(rule.max_age);
    let (statements, refused) = demand.all(facts.store);
    let votes: Vec<Vote> = statements
        .iter()
        .flat_map(|verified| {
            verified.signers.iter().map(|key| Vote {
                key: key.clone(),
                owner: facts.policy.keys.get(key).and_then(|key| key.owner.clone()),
                made: verified.made,
                agrees: verified
                    .statement
                    .predicate
                    .get("approved")
                    .is_none_or(|word| *word == Value::Bool(true)),
            })
        })
        .collect();
    let next = format!("run `windlass approve -e {}` with a key of those who may", facts.environment.name);
    let mut judged = match tally(rule, &votes, &People::default(), facts.author.as_deref(), facts.now) {
        Tally::Enough(by) => new(Status::Passed).observed(format!("approved by {}", by.join(", "))),
        Tally::Unasked { by, people } => {
            new(Status::LeftToDeploy).observed(format!("{} that count by keys", by.len())).why(format!(
                "{} must be asked of the forge: deploy does, on GitHub in a job with `permissions: {{ actions: read, contents: \
                 read, pull-requests: read }}`, and lets nothing in without",
                people.join(", ")
            ))
        }
        Tally::Unclear { why } => new(Status::Error).why(why).next(next),
        Tally::Waiting { by, excluded } => {
            let reasons = excluded
                .iter()
                .map(|(key, why)| format!("{key}: {why}"))
                .chain(refused.iter().map(|(line, why)| format!("line {line}: {why}")))
                .take(5)
                .collect::<Vec<_>>()
                .join("; ");
            let why = if reasons.is_empty() { "nobody has approved yet".to_owned() } else { reasons };
            new(Status::Pending).observed(format!("{} that count", by.len())).why(why).next(next)
        }
    };
    for verified in &statements {
        judged = judged.statement(facts.line(verified));
    }
    judged
}
