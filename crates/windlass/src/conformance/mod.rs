//! `windlass conformance`: the suite that our own drivers pass, against anybody's.

mod bench;

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_ci::{sink, tool};
use windlass_domain::outcome::{Outcome, Reason};
use windlass_target::conformance::{self, CHECKS, Check, Extent, Finding, Held};

use self::bench::Command;

/// Prove that a driver keeps every promise that a deploy relies on: fence, journal, steps, and that it converges after
/// a kill at any moment.
///
/// Each check is made on environments of its own, whose names begin with `conformance`; what they leave behind is the
/// driver's to keep, so point it at a scratch place. The exit code is 0 when every promise is kept, 1 when one is broken.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The kind of driver
    #[arg(long, value_enum, value_name = "KIND")]
    driver: Driver,
    /// Kill so many rollouts, spread evenly over all mutations of every strategy
    #[arg(long, value_name = "N", default_value_t = 24)]
    kills: usize,
    /// Make only the checks whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The command, as `target.command` has it; the verb is added
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Which drivers can be tried from here.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Driver {
    /// Any platform, by a command that speaks JSON.
    Exec,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

windlass_domain::topics! {
    [pub(crate), pub(crate) static TOPICS]
    COMMAND = "conformance.command":
        "The driver's command could not be run, or does not say what it can do, so nothing could be proved.",
        "Run it by hand with `capabilities` as its last argument; docs/exec-driver.md says what it must answer.";
    BROKEN = "conformance.broken":
        "The driver does not keep a promise that a deploy relies on: a run that is killed or overtaken could leave its environment in between.",
        "Each reason names the promise and what was seen; docs/exec-driver.md says what a driver must keep.";
}

/// The own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The driver's command.
    command: Vec<String>,
    /// Whether it says that it can split requests by weight.
    weights: bool,
    /// How many rollouts were to be killed.
    kills: usize,
    /// Every check, in order.
    checks: Vec<Line>,
}

/// One check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Line {
    /// Its name.
    name: String,
    /// What it holds the driver to.
    promise: String,
    /// How it came out.
    result: Word,
    /// What was seen, where the promise is broken, or why it was not asked.
    why: Option<String>,
    /// How long it took, in milliseconds.
    took_ms: u64,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// The promise is kept.
    Kept,
    /// It is not.
    Broken,
    /// It was not asked.
    Skipped,
}

impl Word {
    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "BROKEN",
            Self::Skipped => "skipped",
        }
    }
}

impl From<&Finding> for Line {
    fn from(finding: &Finding) -> Self {
        let (result, why) = match &finding.held {
            Held::Kept => (Word::Kept, None),
            Held::Broken(why) => (Word::Broken, Some(why.clone())),
            Held::Skipped(why) => (Word::Skipped, Some(why.clone())),
        };
        Self {
            name: finding.name.to_owned(),
            promise: finding.promise.to_owned(),
            result,
            why,
            took_ms: u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

pub(crate) fn run(context: Context) -> ExitCode {
    tool::run("conformance", context, prove)
}

fn prove(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let Driver::Exec = arguments.driver;
    let known = |only: &String| CHECKS.iter().any(|check| check.name.contains(only.as_str()));
    if let Some(only) = arguments.only.as_ref().filter(|only| !known(only)) {
        let names = CHECKS.iter().map(|check| check.name).collect::<Vec<_>>().join(", ");
        let failure = Failure::invalid(&windlass_ci::topics::USAGE, format!("no check is called {only:?}"));
        return Err(failure.hint(format!("there are: {names}")));
    }
    windlass_moving::runtime()?.block_on(try_command(session, arguments))
}

async fn try_command(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let bench = Command::new(session, &arguments.command)?;
    let told = bench.told().await.map_err(|error| {
        let failure = Failure::unknown(&COMMAND, "cannot try the driver's command");
        failure.because(error).hint("its last argument is the verb; nothing else is added")
    })?;
    let bench = bench.with_weights(told.weights);
    let progress = session.progress.clone();
    let begins = |check: &Check| progress.now(&format!("{}: {}", check.name, check.promise));
    let tells = |finding: &Finding| {
        if let Held::Broken(why) = &finding.held {
            progress.say(&format!("broken: {}: {why}", finding.name));
        }
    };
    let extent = Extent { kills: arguments.kills, only: arguments.only.as_deref() };
    let findings = conformance::run(&bench, extent, &begins, &tells).await;
    let own = Own {
        command: arguments.command.clone(),
        weights: told.weights,
        kills: arguments.kills,
        checks: findings.iter().map(Line::from).collect(),
    };
    Ok(report(own))
}

fn report(own: Own) -> Report<Own> {
    let count = |word| own.checks.iter().filter(|line| line.result == word).count();
    let (kept, broken, skipped) = (count(Word::Kept), count(Word::Broken), count(Word::Skipped));
    let outcome = if broken == 0 { Outcome::Passed } else { Outcome::Failed };
    let mut report = Report::new(outcome);
    let verdict = format!("{kept} promises kept, {broken} broken, {skipped} not asked");
    report.text = own.checks.iter().map(text).collect();
    report.text.push_str(&format!("{outcome}: {verdict}\n"));
    report.markdown = format!("## {outcome}\n\n{verdict}\n\n| check | result | seen |\n|---|---|---|\n");
    for line in &own.checks {
        let why = line.why.as_deref().map(sink::markdown).unwrap_or_default();
        writeln!(report.markdown, "| {} | {} | {why} |", line.name, line.result.word())
            .expect("writing to a string cannot fail");
    }
    for line in own.checks.iter().filter(|line| line.result == Word::Broken) {
        report.reasons.push(
            Reason::new(line.name.clone())
                .required(line.promise.clone())
                .why(line.why.clone().unwrap_or_default())
                .next("windlass explain conformance.broken".to_owned()),
        );
    }
    report.own = own;
    report
}

fn text(line: &Line) -> String {
    let told =
        format!("{:<8} {:<20} {} ({} ms)\n", line.result.word(), line.name, line.promise, line.took_ms);
    match &line.why {
        None => told,
        Some(why) => format!("{told}         {}\n", sink::line(why)),
    }
}
