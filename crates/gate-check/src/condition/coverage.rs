//! `coverage.lines`, `.branches`, `.functions` and `.lowest_file`, from lcov and Cobertura reports.

use windlass_domain::policy::{Condition, Percent, Quantity};

use super::{Facts, Judged, unreadable};
use crate::report::Format;
use crate::report::model::{Coverage, Offender, Share};
use crate::status::Status;

/// The forms of coverage.
pub(super) const FORMATS: [Format; 2] = [Format::Lcov, Format::Cobertura];
/// What to do without a report.
pub(super) const NO_REPORT: &str = "measure coverage before gate-check, and name its reports with --reports";

pub(super) fn judge(facts: &Facts<'_>, condition: &Condition) -> Judged {
    if let Some(judged) = unreadable(facts.reports, condition) {
        return judged;
    }
    let Some(coverage) = &facts.reports.coverage else {
        return Judged::of(condition, Status::Missing).why("no report of coverage was found").next(NO_REPORT);
    };
    let lowest = coverage.lowest();
    let (what, share) = match condition.metric.as_str() {
        "coverage.lines" => ("lines", coverage.lines()),
        "coverage.branches" => ("branches", coverage.branches()),
        "coverage.functions" => ("functions", coverage.functions()),
        "coverage.lowest_file" => ("lines", lowest.first().map(|(_, share)| *share).unwrap_or_default()),
        other => {
            let why = format!("no metric of coverage is called {other:?}");
            return Judged::of(condition, Status::Error).why(why);
        }
    };
    let next = match condition.metric.as_str() {
        "coverage.branches" | "coverage.functions" => {
            "test more; does the coverage tool record these at all?"
        }
        _ => "test the files that are named",
    };
    of_share(condition, share, what)
        .evidence(facts.reports.evidence(&FORMATS))
        .offenders(worst(coverage))
        .next(next)
}

/// Holds a share against the bound. Of nothing there is no share: that is missing, never 100 %.
pub(super) fn of_share(condition: &Condition, share: Share, what: &str) -> Judged {
    match share.percent().and_then(Percent::new) {
        Some(percent) => Judged::bounded(condition, Quantity::Percent(percent))
            .observed(format!("{percent} ({} of {} {what})", share.hit, share.found)),
        None => Judged::of(condition, Status::Missing)
            .observed(format!("0 of 0 {what}"))
            .why(format!("the reports name no {what}: nothing was measured")),
    }
}

fn worst(coverage: &Coverage) -> Vec<Offender> {
    let lowest = coverage.lowest();
    lowest
        .into_iter()
        .take_while(|(_, share)| share.hit < share.found)
        .take(5)
        .map(|(name, share)| {
            Offender::new(name, &format!("{} of {} lines", share.hit, share.found))
                .at(Some(name.to_owned()), None)
        })
        .collect()
}
