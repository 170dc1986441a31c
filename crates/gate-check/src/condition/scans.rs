//! `vulnerabilities.*` and `secrets`, from the statements of `security-scan` about this artifact.

use serde_json::Value;
use windlass_domain::policy::{Condition, Span};
use windlass_evidence::statement::Predicate;
use windlass_evidence::verify::Verified;

use super::{Facts, Judged, no_statement, number};
use crate::report::model::Offender;
use crate::status::Status;

/// How old a scan may be: what was unknown a week ago may be known now.
const MAX_AGE: Span = Span::minutes(7 * 24 * 60);
const NEXT: &str = "run security-scan on this artifact, with a key that may sign scans";

/// The newest scan of a sort that counts. Scans hold in every environment and under every policy.
fn newest(
    facts: &Facts<'_>,
    predicate: Predicate,
) -> Result<Verified, Vec<(usize, windlass_evidence::verify::Refusal)>> {
    let mut demand = facts.demand(predicate, None);
    demand.max_age = Some(MAX_AGE);
    demand.newest(facts.store)
}

pub(super) fn vulnerabilities(facts: &Facts<'_>, condition: &Condition) -> Judged {
    let scan = match newest(facts, Predicate::Vulnerabilities) {
        Ok(scan) => scan,
        Err(refused) => {
            return no_statement(Judged::of(condition, Status::Missing), "vulns/v0.2", &refused, NEXT);
        }
    };
    let error =
        |why: String| Judged::of(condition, Status::Error).why(why).statement(facts.line(&scan)).next(NEXT);
    // A later scan that could not look at the dependencies takes the earlier one's word away.
    if let Ok(later) = newest(facts, Predicate::Scan)
        && later.made >= scan.made
        && later.statement.predicate.pointer("/kinds/dependencies/complete") == Some(&Value::Bool(false))
    {
        return error(format!("the later scan on line {} could not look at every dependency", later.line.0));
    }
    let wanted = condition.metric.trim_start_matches("vulnerabilities.");
    let Some(results) = scan.statement.predicate.pointer("/scanner/result").and_then(Value::as_array) else {
        return error("the scan's statement holds no list of results".into());
    };
    let (mut count, mut offenders) = (0, Vec::new());
    for result in results {
        let id = result.get("id").and_then(Value::as_str).unwrap_or("unnamed");
        match severity(result) {
            Some(severity) if severity == wanted => {
                count += 1;
                offenders.push(Offender::new(id, severity));
            }
            Some(_) => {}
            None => return error(format!("{id:?} has no severity that is known here")),
        }
    }
    Judged::bounded(condition, number(count))
        .statement(facts.line(&scan))
        .offenders(offenders)
        .next("update what is vulnerable; security-scan names the versions that are not")
}

/// The severity by Windlass's own method; of a foreign scanner, any score that is one of the four words. The worst counts.
fn severity(result: &Value) -> Option<&'static str> {
    let scores: Vec<String> = result
        .get("severity")?
        .as_array()?
        .iter()
        .filter_map(|entry| Some(entry.get("score")?.as_str()?.to_ascii_lowercase()))
        .collect();
    ["critical", "high", "medium", "low"].into_iter().find(|word| scores.iter().any(|score| score == word))
}

pub(super) fn secrets(facts: &Facts<'_>, condition: &Condition) -> Judged {
    let (scans, refused) = {
        let mut demand = facts.demand(Predicate::Scan, None);
        demand.max_age = Some(MAX_AGE);
        demand.all(facts.store)
    };
    // A scan of something else says nothing of secrets: the newest that looked for them counts.
    let newest =
        scans.iter().find_map(|scan| Some((scan, scan.statement.predicate.pointer("/kinds/secrets")?)));
    let Some((scan, kind)) = newest else {
        return no_statement(Judged::of(condition, Status::Missing), "scan/v1 about secrets", &refused, NEXT);
    };
    let judged = match (kind.get("complete"), kind.get("findings").and_then(Value::as_u64)) {
        (Some(Value::Bool(true)), Some(count)) => Judged::bounded(condition, number(count)),
        (Some(Value::Bool(true)), None) => {
            Judged::of(condition, Status::Error).why("the scan's statement does not say how many it found")
        }
        (_, _) => Judged::of(condition, Status::Error).why("the scan could not look at everything"),
    };
    judged
        .statement(facts.line(scan))
        .next("take the secrets out and revoke them; security-scan names their places")
}
