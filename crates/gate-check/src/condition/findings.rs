//! `findings.*`, from SARIF reports.

use windlass_domain::policy::Condition;

use super::{Facts, Judged, number, unreadable};
use crate::report::Format;
use crate::status::Status;

pub(super) fn judge(facts: &Facts<'_>, condition: &Condition) -> Judged {
    if let Some(judged) = unreadable(facts.reports, condition) {
        return judged;
    }
    let Some(findings) = &facts.reports.findings else {
        return Judged::of(condition, Status::Missing)
            .why("no SARIF report was found")
            .next("run the analysis before gate-check, and name its reports with --reports");
    };
    let (count, offenders) = match condition.metric.as_str() {
        "findings.error" => (findings.errors, &findings.error_offenders),
        "findings.warning" => (findings.warnings, &findings.warning_offenders),
        other => {
            let why = format!("no metric of findings is called {other:?}");
            return Judged::of(condition, Status::Error).why(why);
        }
    };
    Judged::bounded(condition, number(count))
        .evidence(facts.reports.evidence(&[Format::Sarif]))
        .offenders(offenders.iter().cloned())
        .next("mend what was found, or suppress it in the tool with a reason")
}
