//! JUnit XML, as its many writers write it. There is no binding schema; the pitfalls are those of their trackers.

use std::time::Duration;

use super::model::{MOST_OFFENDERS, Offender, Tests};
use super::xml::{Element, Item};
use super::{Trouble, seconds};

/// What a case came to, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Passed,
    Skipped,
    Flaky,
    Failed,
}

/// A case that is being read.
struct Case {
    ending: Ending,
    name: String,
    class: String,
    path: Option<String>,
    line: Option<u64>,
    time: Option<Duration>,
    message: String,
}

/// Reads a document from its root on.
#[derive(Default)]
pub(super) struct Junit {
    tests: Tests,
    case: Option<Case>,
    /// Failures and errors by the root's own word.
    stated: u64,
    suites: Vec<String>,
    depth: usize,
    /// Whether a failure's text is being read, for want of a message.
    wants_text: bool,
}

impl Junit {
    /// Whether a root element of this name is one of ours.
    pub(super) fn recognises(root: &str) -> bool {
        matches!(root, "testsuites" | "testsuite")
    }

    pub(super) fn item(&mut self, item: Item<'_>) -> Result<(), Trouble> {
        match item {
            Item::Begin(element) => self.begin(element),
            Item::Text(text) => {
                if self.wants_text
                    && let Some(case) = &mut self.case
                    && case.message.is_empty()
                {
                    text.trim_start().lines().next().unwrap_or_default().clone_into(&mut case.message);
                }
                Ok(())
            }
            Item::End(name) => {
                self.end(name);
                Ok(())
            }
        }
    }

    fn begin(&mut self, element: &Element<'_>) -> Result<(), Trouble> {
        self.depth += 1;
        if self.depth == 1 {
            self.stated = stated(element)?;
            self.tests.of_a_gate = element.attribute("name")?.as_deref() == Some(crate::junit::ROOT);
        }
        match (element.name(), &mut self.case) {
            ("testsuite", None) => self.suites.push(element.attribute("name")?.unwrap_or_default()),
            ("testcase", None) => self.case = Some(begin_case(element)?),
            ("testcase", Some(_)) => return Err(Trouble::malformed("a test case inside a test case")),
            ("failure" | "error" | "rerunFailure" | "rerunError", Some(case)) => {
                case.ending = Ending::Failed;
                note_message(case, element)?;
                self.wants_text = true;
            }
            ("flakyFailure" | "flakyError", Some(case)) => {
                case.ending = case.ending.max(Ending::Flaky);
                note_message(case, element)?;
            }
            ("skipped" | "disabled" | "ignored", Some(case)) => {
                case.ending = case.ending.max(Ending::Skipped)
            }
            ("failure" | "error", None) if !self.suites.is_empty() => {
                let suite = self.suites.last().map_or("", String::as_str);
                let message = element.attribute("message")?.unwrap_or_default();
                self.tests.failed += 1;
                offend(&mut self.tests.offenders, Offender::new(format!("suite {suite}"), &message));
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        match name {
            "testsuite" if self.case.is_none() => {
                self.suites.pop();
            }
            "failure" | "error" | "rerunFailure" | "rerunError" => self.wants_text = false,
            "testcase" => {
                if let Some(case) = self.case.take() {
                    self.count(case);
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, case: Case) {
        self.tests.total += 1;
        match case.time {
            Some(time) => self.tests.duration = self.tests.duration.saturating_add(time),
            None if case.ending == Ending::Skipped => {}
            None => self.tests.untimed += 1,
        }
        match case.ending {
            Ending::Passed => {}
            Ending::Skipped => self.tests.skipped += 1,
            Ending::Flaky => {
                self.tests.flaky += 1;
                offend(&mut self.tests.flaky_offenders, offender(case));
            }
            Ending::Failed => {
                self.tests.failed += 1;
                offend(&mut self.tests.offenders, offender(case));
            }
        }
    }

    pub(super) fn finish(mut self) -> Tests {
        // Totals are not believed, unless they accuse: a runner that wrote a failing case as a success says so there.
        if self.stated > 0 && self.tests.failed == 0 && self.tests.flaky == 0 {
            self.tests
                .doubts
                .push(format!("the report states {} failures, and none of its cases is one", self.stated));
        }
        self.tests
    }
}

fn stated(root: &Element<'_>) -> Result<u64, Trouble> {
    let mut sum = 0_u64;
    root.each_raw(|key, value| {
        if matches!(key, "failures" | "errors") {
            sum = sum.saturating_add(value.trim().parse().unwrap_or(0));
        }
    })?;
    Ok(sum)
}

fn begin_case(element: &Element<'_>) -> Result<Case, Trouble> {
    let mut case = Case {
        ending: Ending::Passed,
        name: String::new(),
        class: String::new(),
        path: None,
        line: None,
        time: None,
        message: String::new(),
    };
    element.each(|key, value| {
        match key {
            "name" => case.name = value()?,
            "classname" | "class" => case.class = value()?,
            "file" | "filepath" => case.path = Some(value()?),
            "line" | "lineno" => case.line = value()?.trim().parse().ok(),
            "time" => case.time = seconds::read(&value()?),
            "status" | "result" => {
                let ending = match value()?.to_ascii_lowercase().as_str() {
                    "failed" | "failure" | "fail" | "error" | "errored" | "broken" => Ending::Failed,
                    "notrun" | "skipped" | "disabled" | "ignored" | "suppressed" | "pending" => {
                        Ending::Skipped
                    }
                    _ => Ending::Passed,
                };
                case.ending = case.ending.max(ending);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(case)
}

fn note_message(case: &mut Case, element: &Element<'_>) -> Result<(), Trouble> {
    if case.message.is_empty() {
        case.message = element.attribute("message")?.unwrap_or_default();
    }
    Ok(())
}

fn offender(case: Case) -> Offender {
    let name = if case.class.is_empty() { case.name } else { format!("{}::{}", case.class, case.name) };
    Offender::new(name, &case.message).at(case.path, case.line)
}

fn offend(offenders: &mut Vec<Offender>, offender: Offender) {
    if offenders.len() < MOST_OFFENDERS {
        offenders.push(offender);
    }
}
