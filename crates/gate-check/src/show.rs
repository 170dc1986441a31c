//! A verdict for people: the terminal, the summary, and the places to mark.

use std::fmt::Write as _;

use windlass_ci::report::{Annotation, Level};
use windlass_ci::sink;
use windlass_domain::outcome::{Outcome, Reason};

use crate::condition::Judged;
use crate::own::{ConditionResult, ReportResult};
use crate::report::model::Offender;
use crate::status::Status;

const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

const fn color(status: Status) -> &'static str {
    match status {
        Status::Passed | Status::Waived => "\x1b[32m",
        Status::NotApplicable | Status::LeftToDeploy => "\x1b[2m",
        Status::Advisory | Status::Pending => "\x1b[33m",
        Status::Failed | Status::Missing | Status::Error => "\x1b[31m",
    }
}

/// The verdict as it stands on standard output.
pub(crate) fn human(environment: &str, outcome: Outcome, conditions: &[Judged], notes: &[String]) -> String {
    let mut text = format!("{BOLD}gate of {}: {outcome}{PLAIN}\n", sink::line(environment));
    let width = conditions.iter().map(|judged| judged.result.metric.len()).max().unwrap_or(0);
    for judged in conditions {
        let result = &judged.result;
        let paint = color(result.status);
        let observed = result.observed.as_deref().unwrap_or_else(|| result.status.word());
        line(
            &mut text,
            format_args!(
                "  {paint}{}{PLAIN} {:width$}  {}  (required {})",
                result.status.mark(),
                sink::line(&result.metric),
                sink::line(observed),
                sink::line(&result.bound),
            ),
        );
        if !lets_on(result.status) {
            against(&mut text, judged);
        }
    }
    for note in notes {
        line(&mut text, format_args!("  {}", sink::line(note)));
    }
    text
}

fn against(text: &mut String, judged: &Judged) {
    let result = &judged.result;
    let mut say = |label: &str, value: &str| {
        if !value.is_empty() {
            line(text, format_args!("      {label}: {}", sink::line(value)));
        }
    };
    say("why", result.why.as_deref().unwrap_or_default());
    say("where", &place(result));
    for offender in result.offenders.iter().take(5) {
        say("worst", &in_words(offender));
    }
    say("next", &judged.next);
}

/// An offender: its name, where it is unless the name says so, and what was said of it. Comes from outside.
pub(crate) fn in_words(offender: &Offender) -> String {
    let at = match (&offender.path, offender.line) {
        (Some(path), Some(number)) if offender.name != format!("{path}:{number}") => {
            format!(" ({path}:{number})")
        }
        (Some(path), None) if *path != offender.name => format!(" ({path})"),
        (Some(_), _) | (None, _) => String::new(),
    };
    let colon = if offender.message.is_empty() { "" } else { ": " };
    format!("{}{at}{colon}{}", offender.name, offender.message)
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
    text.push('\n');
}

const fn lets_on(status: Status) -> bool {
    matches!(status, Status::Passed | Status::Waived | Status::NotApplicable | Status::LeftToDeploy)
}

pub(crate) fn place(result: &ConditionResult) -> String {
    result
        .evidence
        .as_ref()
        .map_or_else(String::new, |evidence| format!("{} {}", evidence.file, evidence.digest))
}

/// The verdict as Markdown: the word first, then a table.
pub(crate) fn markdown(
    environment: &str,
    outcome: Outcome,
    conditions: &[Judged],
    notes: &[String],
) -> String {
    let mut text = format!("## Gate of {}: {outcome}\n", sink::markdown(environment));
    if !conditions.is_empty() {
        text.push_str("\n| | condition | observed | required | |\n|---|---|---|---|---|\n");
    }
    for judged in conditions {
        let result = &judged.result;
        let cells = [
            result.status.mark(),
            &result.metric,
            result.observed.as_deref().unwrap_or_else(|| result.status.word()),
            &result.bound,
            result.why.as_deref().unwrap_or_default(),
        ]
        .map(sink::prose);
        line(&mut text, format_args!("| {} |", cells.join(" | ")));
    }
    for judged in conditions.iter().filter(|judged| !judged.result.offenders.is_empty()) {
        line(&mut text, format_args!("\n**{}**\n", sink::markdown(&judged.result.metric)));
        for offender in &judged.result.offenders {
            let message = sink::markdown(&offender.message);
            line(&mut text, format_args!("- {} {message}", sink::markdown(&offender.name)));
        }
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        line(&mut text, format_args!("- {}", sink::prose(note)));
    }
    text
}

/// One reason for each condition that does not let the release on.
pub(crate) fn reasons(conditions: &[Judged]) -> Vec<Reason> {
    conditions
        .iter()
        .filter(|judged| !lets_on(judged.result.status))
        .map(|judged| {
            let result = &judged.result;
            let word = result.status.word();
            Reason::new(&result.metric)
                .observed(result.observed.clone().unwrap_or_else(|| word.to_owned()))
                .required(&result.bound)
                .place(place(result))
                .why(result.why.clone().unwrap_or_else(|| format!("the condition is {word}")))
                .next(&judged.next)
        })
        .collect()
}

/// The worst offenders, for the CI system to mark.
pub(crate) fn annotations(conditions: &[Judged]) -> Vec<Annotation> {
    let mut all = Vec::new();
    for judged in conditions {
        let result = &judged.result;
        let level = match result.status {
            Status::Passed | Status::Waived | Status::NotApplicable | Status::LeftToDeploy => continue,
            Status::Advisory => Level::Warning,
            Status::Pending => Level::Notice,
            Status::Failed | Status::Missing | Status::Error => Level::Error,
        };
        let observed = result.observed.as_deref().unwrap_or_else(|| result.status.word());
        let why = result.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        all.push(Annotation {
            level,
            title: result.metric.clone(),
            message: format!("{observed}, required {}{why}", result.bound),
            path: None,
            line: None,
        });
        all.extend(result.offenders.iter().filter(|offender| offender.path.is_some()).map(|offender| {
            Annotation {
                level,
                title: result.metric.clone(),
                message: format!("{} {}", offender.name, offender.message).trim_end().to_owned(),
                path: offender.path.clone(),
                line: offender.line,
            }
        }));
    }
    all
}

/// What is understood of reports, for people.
pub(crate) fn reports(files: &[ReportResult]) -> String {
    let mut text = String::new();
    for file in files {
        let form = file.format.map_or("?", crate::report::Format::name);
        line(&mut text, format_args!("{}: {form}", sink::line(&file.file)));
        if let Some(trouble) = &file.trouble {
            line(&mut text, format_args!("  ? {}", sink::line(trouble)));
        }
        if let Some(digest) = file.digest {
            line(&mut text, format_args!("  {digest}"));
        }
        if let Some(tests) = &file.tests {
            let time = windlass_domain::policy::Span::millis(tests.duration_ms);
            line(
                &mut text,
                format_args!(
                    "  {} tests: {} failed, {} skipped, {} flaky; {time}, {} without a time",
                    tests.total, tests.failed, tests.skipped, tests.flaky, tests.untimed
                ),
            );
        }
        if let Some(coverage) = &file.coverage {
            line(
                &mut text,
                format_args!(
                    "  {} files: {} of {} lines, {} of {} branches, {} of {} functions",
                    coverage.files,
                    coverage.lines.hit,
                    coverage.lines.found,
                    coverage.branches.hit,
                    coverage.branches.found,
                    coverage.functions.hit,
                    coverage.functions.found
                ),
            );
        }
        if let Some(findings) = &file.findings {
            line(
                &mut text,
                format_args!(
                    "  {} errors, {} warnings, {} notes, {} suppressed",
                    findings.error, findings.warning, findings.note, findings.suppressed
                ),
            );
        }
        for offender in &file.offenders {
            line(
                &mut text,
                format_args!("  - {} {}", sink::line(&offender.name), sink::line(&offender.message)),
            );
        }
    }
    text
}
