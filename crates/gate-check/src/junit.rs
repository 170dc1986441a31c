//! The conditions as JUnit XML: a suite for the environment and a case for each condition, for CI systems that show tests.
//!
//! Valid by `junit-10.xsd` of Jenkins' xUnit plugin; GitLab, Azure and CircleCI read what they know of it.
//! Knows nothing of how a condition is judged. What would keep a release out is never a passed or a skipped case.

use std::fmt::Write as _;

use jiff::Timestamp;
use windlass_ci::sink;

use crate::condition::Judged;
use crate::show;
use crate::status::Status;

/// The name of the root, by which the reader of reports tells a gate's verdict from tests.
pub(crate) const ROOT: &str = "windlass gate-check";

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Passed,
    /// It lets the release on, and is no plain pass.
    Skipped,
    /// Judged no.
    Failure,
    /// Could not be judged, or not yet.
    Error,
}

impl Ending {
    const fn of(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Advisory | Status::Waived | Status::NotApplicable | Status::LeftToDeploy => Self::Skipped,
            Status::Failed | Status::Missing => Self::Failure,
            Status::Error | Status::Pending => Self::Error,
        }
    }

    const fn element(self) -> Option<&'static str> {
        match self {
            Self::Passed => None,
            Self::Skipped => Some("skipped"),
            Self::Failure => Some("failure"),
            Self::Error => Some("error"),
        }
    }
}

/// The document. Of no condition at all it is a suite without a case.
pub(crate) fn text(environment: &str, conditions: &[Judged], at: Timestamp) -> String {
    let count = |ending| {
        conditions.iter().filter(|judged| Ending::of(judged.result.status) == ending).count().to_string()
    };
    let totals = [
        ("tests", conditions.len().to_string()),
        ("failures", count(Ending::Failure)),
        ("errors", count(Ending::Error)),
    ];
    let suite = format!("gate of {environment}");
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    attribute(&mut text, "name", ROOT);
    for (name, value) in &totals {
        attribute(&mut text, name, value);
    }
    text.push_str(">\n  <testsuite");
    attribute(&mut text, "name", &suite);
    for (name, value) in &totals {
        attribute(&mut text, name, value);
    }
    attribute(&mut text, "skipped", &count(Ending::Skipped));
    attribute(&mut text, "timestamp", &at.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    text.push_str(">\n");
    for judged in conditions {
        case(&mut text, &suite, judged);
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn case(text: &mut String, suite: &str, judged: &Judged) {
    let result = &judged.result;
    text.push_str("    <testcase");
    attribute(text, "classname", suite);
    attribute(text, "name", &format!("{} {}", result.metric, result.bound));
    let Some(element) = Ending::of(result.status).element() else {
        text.push_str(">\n      <system-out>");
        text.push_str(&sink::xml(&seen(judged)));
        text.push_str("</system-out>\n    </testcase>\n");
        return;
    };
    write!(text, ">\n      <{element}").expect("writing to a string cannot fail");
    attribute(text, "type", result.status.word());
    attribute(text, "message", &message(judged));
    text.push('>');
    let mut lines = vec![seen(judged)];
    let place = show::place(result);
    lines.extend((!place.is_empty()).then(|| format!("where: {place}")));
    lines.extend(result.offenders.iter().map(|offender| format!("worst: {}", show::in_words(offender))));
    lines.extend((!judged.next.is_empty()).then(|| format!("next: {}", judged.next)));
    text.push_str(&lines.iter().map(|line| sink::xml(line)).collect::<Vec<_>>().join("\n"));
    write!(text, "</{element}>\n    </testcase>\n").expect("writing to a string cannot fail");
}

fn seen(judged: &Judged) -> String {
    let result = &judged.result;
    let observed = result.observed.as_deref().unwrap_or_else(|| result.status.word());
    format!("{observed}, required {}", result.bound)
}

/// Why, and what to do about it, in one line.
fn message(judged: &Judged) -> String {
    let why = judged.result.why.clone().unwrap_or_else(|| seen(judged));
    if judged.next.is_empty() { why } else { format!("{why}; next: {}", judged.next) }
}

fn attribute(text: &mut String, name: &str, value: &str) {
    write!(text, " {name}=\"{}\"", sink::xml(value)).expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::together;
    use windlass_domain::outcome::Outcome;

    #[test]
    fn a_case_is_red_exactly_where_its_condition_keeps_the_release_out() {
        for status in Status::ALL {
            let is_red = matches!(Ending::of(status), Ending::Failure | Ending::Error);
            assert_eq!(is_red, together([status]) != Outcome::Passed, "{status:?}");
        }
    }
}
