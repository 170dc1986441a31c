//! `tests.*`, from JUnit reports.

use windlass_domain::policy::{Condition, Quantity, Span};

use super::{Facts, Judged, number, unreadable};
use crate::report::Format;
use crate::report::model::Tests;
use crate::status::Status;

pub(super) fn judge(facts: &Facts<'_>, condition: &Condition) -> Judged {
    if let Some(judged) = unreadable(facts.reports, condition) {
        return judged;
    }
    let next = "run the tests before gate-check, and name their reports with --reports";
    let Some(tests) = &facts.reports.tests else {
        return Judged::of(condition, Status::Missing).why("no report of tests was found").next(next);
    };
    let evidence = facts.reports.evidence(&[Format::Junit]);
    if tests.total == 0 {
        return Judged::of(condition, Status::Missing)
            .observed("0 tests")
            .why("the reports hold no test: nothing was tried")
            .evidence(evidence)
            .next(next);
    }
    if !tests.tried() {
        return Judged::of(condition, Status::Missing)
            .observed(format!("{} tests, all skipped", tests.total))
            .why("every test was skipped: nothing was tried")
            .evidence(evidence)
            .next(next);
    }
    if let Some(doubt) = tests.doubts.first() {
        return Judged::of(condition, Status::Error)
            .why(doubt.clone())
            .evidence(evidence)
            .next("mend the test runner's report; its totals and its cases contradict each other");
    }
    bounded(tests, condition).evidence(evidence)
}

fn bounded(tests: &Tests, condition: &Condition) -> Judged {
    let count = |value, next: &str| Judged::bounded(condition, number(value)).next(next);
    match condition.metric.as_str() {
        "tests.total" => count(tests.total, "run all the tests; some may have been left out"),
        "tests.failed" => {
            count(tests.failed, "mend the failing tests").offenders(tests.offenders.iter().cloned())
        }
        "tests.skipped" => count(tests.skipped, "run the skipped tests, or take them away"),
        "tests.flaky" => {
            count(tests.flaky, "mend the flaky tests").offenders(tests.flaky_offenders.iter().cloned())
        }
        "tests.duration" if tests.untimed > 0 => Judged::of(condition, Status::Error)
            .why(format!("{} of {} tests do not say how long they took", tests.untimed, tests.total))
            .next("let the test runner write a time for each test"),
        "tests.duration" => {
            let millis = u64::try_from(tests.duration.as_millis()).unwrap_or(u64::MAX);
            Judged::bounded(condition, Quantity::Span(Span::millis(millis))).next("make the tests faster")
        }
        other => Judged::of(condition, Status::Error).why(format!("no metric of tests is called {other:?}")),
    }
}
