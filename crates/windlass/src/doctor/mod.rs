//! `windlass doctor`: whether this machine, this repository and its forge are fit for a release; one line a check, with
//! what mends it. Looks, and changes nothing.

mod agent;
mod branch;
mod clock;
mod environments;
mod facts;
mod keys;
mod policy;
mod queue;
mod runner;
mod token;
mod versions;

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::context::Context;
use windlass_ci::fail::Result;
use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::session::Session;
use windlass_ci::{sink, tool};
use windlass_domain::outcome::{Outcome, Reason};

use self::facts::Facts;

/// Say whether this machine, this repository and its forge are fit for a release, with what mends what is not
///
/// One line a check. Exit 1 when something is wrong, 3 when something could not be judged and nothing is wrong.
#[derive(Debug, Parser)]
#[command(name = "doctor", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    /// As it should be.
    Good,
    /// Wrong: a release would fail, or would be less safe than it looks.
    Wrong,
    /// Could not be judged.
    Unknown,
    /// There is nothing to judge here.
    NotApplicable,
}

impl Health {
    const fn mark(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Wrong => "✗",
            Self::Unknown => "?",
            Self::NotApplicable => "–",
        }
    }
}

/// One line: what was looked at, how it is, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Line {
    /// The check's name.
    pub check: String,
    /// How it is.
    pub health: Health,
    /// What was seen, in a sentence.
    pub says: String,
    /// What mends it: a command, a line of YAML, or a click.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Line {
    fn of(health: Health, says: impl Into<String>, fix: Option<String>) -> Self {
        Self { check: String::new(), health, says: says.into(), fix }
    }

    fn good(says: impl Into<String>) -> Self {
        Self::of(Health::Good, says, None)
    }

    fn nothing(says: impl Into<String>) -> Self {
        Self::of(Health::NotApplicable, says, None)
    }

    fn wrong(says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Health::Wrong, says, Some(fix.into()))
    }

    fn unknown(says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::of(Health::Unknown, says, Some(fix.into()))
    }

    /// What a forge did not tell.
    fn untold(fault: &windlass_forge::Fault) -> Self {
        Self::unknown(fault.to_string(), fault.hint())
    }
}

/// The lines of a check, when they are there.
type Lines<'a> = Pin<Box<dyn Future<Output = Vec<Line>> + 'a>>;

/// A check: one file each.
struct Check {
    name: &'static str,
    judge: for<'a> fn(&'a Facts<'a>) -> Lines<'a>,
}

macro_rules! checks {
    ($($module:ident),* $(,)?) => {
        /// Every check, in the order in which they are told.
        const CHECKS: &[Check] = &[$(Check { name: stringify!($module), judge: |facts| Box::pin($module::judge(facts)) }),*];
    };
}

checks!(versions, policy, keys, token, environments, branch, queue, runner, clock, agent);

/// What `doctor` adds to the document of every tool.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// Each check's lines, in order.
    pub checks: Vec<Line>,
}

pub(crate) fn run(context: Context) -> ExitCode {
    tool::run("doctor", context, |session: &Session, _: &Arguments| examine(session))
}

fn examine(session: &Session) -> Result<Report<Own>> {
    let lines = windlass_moving::runtime()?.block_on(async {
        let facts = Facts::gather(session).await;
        let mut lines = Vec::new();
        for check in CHECKS {
            session.progress.now(&format!("looking at {}", check.name));
            let mut found = (check.judge)(&facts).await;
            found.iter_mut().for_each(|line| line.check = check.name.to_owned());
            lines.extend(found);
        }
        lines
    });
    Ok(report(lines))
}

/// Wrong before unknown before good.
fn outcome(lines: &[Line]) -> Outcome {
    let has = |health| lines.iter().any(|line| line.health == health);
    if has(Health::Wrong) {
        Outcome::Failed
    } else if has(Health::Unknown) || !has(Health::Good) {
        Outcome::Unknown
    } else {
        Outcome::Passed
    }
}

fn report(lines: Vec<Line>) -> Report<Own> {
    let mut report: Report<Own> = Report::new(outcome(&lines));
    let count = |health| lines.iter().filter(|line| line.health == health).count();
    let verdict = match report.outcome {
        Outcome::Passed => "everything that was looked at is fit".to_owned(),
        Outcome::Failed => format!("{} wrong, {} not judged", count(Health::Wrong), count(Health::Unknown)),
        _ => format!("nothing is wrong, and {} could not be judged", count(Health::Unknown)),
    };
    report.markdown = format!(
        "## Doctor: {}\n\n{}\n\n| | check | | fix |\n|---|---|---|---|\n",
        report.outcome,
        sink::markdown(&verdict)
    );
    for line in &lines {
        let (mark, check) = (line.health.mark(), &line.check);
        let fix = line.fix.as_deref().unwrap_or_default();
        write!(report.text, "{mark} {check}: {}", sink::line(&line.says)).expect(STRING);
        if !fix.is_empty() {
            write!(report.text, "\n    fix: {}", sink::line(fix)).expect(STRING);
        }
        report.text.push('\n');
        let (says, cell) = (sink::markdown(&line.says), sink::markdown(fix));
        writeln!(report.markdown, "| {mark} | {check} | {says} | {cell} |").expect(STRING);
        let level = match line.health {
            Health::Good | Health::NotApplicable => continue,
            Health::Wrong => Level::Error,
            Health::Unknown => Level::Warning,
        };
        report.reasons.push(Reason::new(check.clone()).why(line.says.clone()).next(fix));
        let (title, message) = (format!("windlass doctor: {check}"), format!("{}; {fix}", line.says));
        report.annotations.push(Annotation { level, title, message, path: None, line: None });
    }
    writeln!(report.text, "{verdict}").expect(STRING);
    report.own.checks = lines;
    report
}

const STRING: &str = "writing to a string cannot fail";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_goes_before_unknown_and_nothing_seen_is_no_pass() {
        use Health::{Good, NotApplicable, Unknown, Wrong};
        let cases: [(&[Health], Outcome); 6] = [
            (&[], Outcome::Unknown),
            (&[NotApplicable], Outcome::Unknown),
            (&[Good, NotApplicable], Outcome::Passed),
            (&[Good, Unknown], Outcome::Unknown),
            (&[Unknown, Wrong, Good], Outcome::Failed),
            (&[Wrong], Outcome::Failed),
        ];
        for (healths, expected) in cases {
            let lines: Vec<Line> = healths.iter().map(|health| Line::of(*health, "", None)).collect();
            assert_eq!(outcome(&lines), expected, "{healths:?}");
        }
    }

    #[test]
    fn what_a_check_says_cannot_be_a_command_of_a_ci_system() {
        let line = Line::wrong("bad\n::error::x", "##[add-path]/evil");
        let report = report(vec![line]);
        assert!(!report.text.contains("\n::") && !report.text.contains("##["), "{}", report.text);
    }
}
