//! Conditions: one file a family, and the registry that finds the family of a metric.

mod approval;
mod coverage;
mod findings;
mod freeze;
mod needs;
mod new_lines;
mod paths;
mod proved;
mod scans;
mod soak;
mod test_cases;

use jiff::Timestamp;
use windlass_domain::digest::Digest;
use windlass_domain::policy::{
    Condition, Environment, EvidenceDemand, Gates, PROVED, Policy, Quantity, Span,
};
use windlass_evidence::statement::Predicate;
use windlass_evidence::store::Store;
use windlass_evidence::verify::{Demand, Refusal, TrustedKey, Verified};

use crate::args::Live;
use crate::collect::Reports;
use crate::git::Changes;
use crate::own::{ConditionResult, Evidence};
use crate::report::model::Offender;
use crate::status::Status;

/// All that a condition may be judged by.
pub(crate) struct Facts<'a> {
    pub(crate) reports: &'a Reports,
    pub(crate) store: &'a Store,
    pub(crate) evidence_name: String,
    pub(crate) keys: &'a [TrustedKey],
    pub(crate) policy: &'a Policy,
    pub(crate) environment: &'a Environment,
    pub(crate) artifact: Digest,
    pub(crate) now: Timestamp,
    /// The e-mail address of the commit's author, where git says it.
    pub(crate) author: Option<String>,
    /// What is live in the environment, where the run was told.
    pub(crate) live: Option<Live>,
    /// What changed since the base; an error says why that is not known.
    pub(crate) changes: Result<Changes, String>,
}

impl<'a> Facts<'a> {
    /// What a statement must be to count here.
    pub(crate) fn demand(&self, predicate: Predicate, environment: Option<&'a str>) -> Demand<'a> {
        Demand {
            predicate,
            artifact: self.artifact,
            environment,
            policy: environment.is_some().then_some(self.policy.digest),
            max_age: None,
            unsigned: self.environment.evidence == EvidenceDemand::Unsigned,
            keys: self.keys,
            now: self.now,
        }
    }

    /// A verified statement, as evidence.
    pub(crate) fn line(&self, verified: &Verified) -> Evidence {
        Evidence { file: format!("{}:{}", self.evidence_name, verified.line.0), digest: verified.line.1 }
    }
}

/// How a condition was judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) result: ConditionResult,
    /// What to do about it.
    pub(crate) next: String,
    /// The statements it was judged by.
    pub(crate) inputs: Vec<Evidence>,
}

impl Judged {
    fn new(metric: impl Into<String>, bound: impl Into<String>, status: Status) -> Self {
        Self {
            result: ConditionResult {
                metric: metric.into(),
                bound: bound.into(),
                observed: None,
                status,
                why: None,
                evidence: None,
                offenders: Vec::new(),
            },
            next: String::new(),
            inputs: Vec::new(),
        }
    }

    fn of(condition: &Condition, status: Status) -> Self {
        Self::new(&condition.metric, condition.bound.to_string(), status)
    }

    /// Holds `quantity` against the bound.
    fn bounded(condition: &Condition, quantity: Quantity) -> Self {
        let judged = match condition.bound.holds(quantity) {
            Some(true) => Self::of(condition, Status::Passed),
            Some(false) if condition.advisory => Self::of(condition, Status::Advisory),
            Some(false) => Self::of(condition, Status::Failed),
            None => Self::of(condition, Status::Error).why(format!(
                "a {} cannot be held against {}",
                quantity.unit(),
                condition.bound
            )),
        };
        judged.observed(quantity.to_string())
    }

    fn observed(mut self, text: impl Into<String>) -> Self {
        self.result.observed = Some(text.into());
        self
    }

    fn why(mut self, text: impl Into<String>) -> Self {
        self.result.why = Some(text.into());
        self
    }

    fn next(mut self, text: impl Into<String>) -> Self {
        self.next = text.into();
        self
    }

    fn evidence(mut self, evidence: Option<Evidence>) -> Self {
        self.result.evidence = evidence;
        self
    }

    fn statement(mut self, evidence: Evidence) -> Self {
        self.inputs.push(evidence.clone());
        self.result.evidence = Some(evidence);
        self
    }

    /// Names what stands against it, where something does.
    fn offenders(mut self, offenders: impl IntoIterator<Item = Offender>) -> Self {
        match self.result.status {
            Status::Passed | Status::Waived | Status::NotApplicable | Status::LeftToDeploy => {}
            Status::Failed | Status::Advisory | Status::Missing | Status::Error | Status::Pending => {
                self.result.offenders = offenders.into_iter().take(MOST_SHOWN).collect();
            }
        }
        self
    }
}

/// How many offenders of one condition are shown.
const MOST_SHOWN: usize = 10;

/// What judges a condition of one family.
type Judge = fn(&Facts<'_>, &Condition) -> Judged;

/// The registry: every metric of the policy's table and the family that judges it.
pub(crate) const REGISTRY: &[(&str, Judge)] = &[
    ("tests.total", test_cases::judge),
    ("tests.failed", test_cases::judge),
    ("tests.skipped", test_cases::judge),
    ("tests.flaky", test_cases::judge),
    ("tests.duration", test_cases::judge),
    ("coverage.lines", coverage::judge),
    ("coverage.branches", coverage::judge),
    ("coverage.functions", coverage::judge),
    ("coverage.new_lines", new_lines::judge),
    ("coverage.lowest_file", coverage::judge),
    ("vulnerabilities.critical", scans::vulnerabilities),
    ("vulnerabilities.high", scans::vulnerabilities),
    ("vulnerabilities.medium", scans::vulnerabilities),
    ("vulnerabilities.low", scans::vulnerabilities),
    ("secrets", scans::secrets),
    ("findings.error", findings::judge),
    ("findings.warning", findings::judge),
    (PROVED, proved::judge),
];

/// Judges everything that the environment demands, in the order of the policy.
pub(crate) fn judge(facts: &Facts<'_>) -> Vec<Judged> {
    let environment = facts.environment;
    let mut all = Vec::new();
    for need in &environment.needs {
        all.push(needs::judge(facts, need));
    }
    if let Some(span) = environment.soak {
        all.extend(soaks(facts, span));
    }
    match &environment.gates {
        Gates::None => {}
        Gates::Conditions(conditions) => {
            all.extend(conditions.iter().map(|condition| judge_one(facts, condition)));
        }
    }
    if let Some(rule) = &environment.approval {
        all.push(approval::judge(facts, rule));
    }
    if !environment.freeze.is_empty() {
        all.push(freeze::judge(facts));
    }
    all
}

fn soaks(facts: &Facts<'_>, span: Span) -> Vec<Judged> {
    if facts.environment.needs.is_empty() {
        let nowhere = Judged::new("soak", format!(">= {span}"), Status::Error)
            .why("the environment needs no other, so that there is nowhere to have been live");
        return vec![nowhere.next("name an environment under needs, or take soak away")];
    }
    facts.environment.needs.iter().map(|need| soak::judge(facts, need, span)).collect()
}

fn judge_one(facts: &Facts<'_>, condition: &Condition) -> Judged {
    match REGISTRY.iter().find(|(metric, _)| *metric == condition.metric) {
        Some((_, judge)) => judge(facts, condition),
        None => Judged::of(condition, Status::Error)
            .why("no such metric")
            .next("run `windlass explain` for the list of metrics"),
    }
}

/// A condition on reports when some report could not be read: what is missing may be what stands against it.
fn unreadable(reports: &Reports, condition: &Condition) -> Option<Judged> {
    let first = reports.problems.first()?;
    let more = reports.problems.len() - 1;
    let why = if more == 0 { first.clone() } else { format!("{first}, and {more} more") };
    Some(
        Judged::of(condition, Status::Error)
            .why(why)
            .next("make the job write its reports whole, or narrow --reports to those that count"),
    )
}

/// A condition that no statement counts for, with the reason of each that does not.
fn no_statement(judged: Judged, name: &str, refused: &[(usize, Refusal)], next: &str) -> Judged {
    let candidates: Vec<String> = refused.iter().map(|(line, why)| format!("line {line}: {why}")).collect();
    let why = match candidates.as_slice() {
        [] => format!("no {name} statement in the evidence"),
        several => {
            let shown = several.iter().rev().take(3).rev().cloned().collect::<Vec<_>>().join("; ");
            format!("no {name} statement counts: {shown}")
        }
    };
    judged.why(why).next(next)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(count: u64) -> Quantity {
    Quantity::Number(count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_domain::policy::METRICS;

    #[test]
    fn registry_and_the_policys_table_have_the_same_metrics() {
        let registered: Vec<&str> = REGISTRY.iter().map(|(metric, _)| *metric).collect();
        let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(registered, known);
    }
}
