//! `windlass history`: who moved what, when, why, and how it ended.

use std::fmt::Write as _;

use clap::Parser;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::fail::Result;
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_ci::sink;
use windlass_domain::digest::Digest;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{End, Intent, Phase, Rollout};
use windlass_target::driver::Driver;
use windlass_target::host::control::LEDGER;

use super::target;

/// Say who moved what into an environment, when, why, and how it ended: newest first.
#[derive(Debug, Parser)]
#[command(name = "history", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Show at most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// The own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The rollouts, newest first.
    rollouts: Vec<Line>,
    /// The ledger's file, or the target that keeps it.
    ledger: String,
}

/// One rollout.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Line {
    /// When it was opened.
    #[schemars(with = "String")]
    at: Timestamp,
    /// `deploy` or `rollback`.
    intent: String,
    /// The revision.
    revision: Sequence,
    /// Its artifact.
    artifact: Digest,
    /// Its commit.
    commit: Option<String>,
    /// When it ended; absent while it is open.
    #[schemars(with = "Option<String>")]
    ended: Option<Timestamp>,
    /// Who opened it.
    by: String,
    /// How it ended, or where it is.
    state: String,
    /// Why, where it was refused, stuck or asked for.
    why: Option<String>,
    /// How often another run had to go on with it.
    resumed: u32,
}

pub(super) fn tell(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let standing = target::block_on(target::look(session, &located, environment))?;
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.environment = Some(environment.name.clone());
    let rollouts = standing.look.history.rollouts.iter().rev().take(arguments.last);
    let ledger = ledger(&*standing.reached.driver);
    report.own = Own { rollouts: rollouts.map(line).collect(), ledger };
    report.text = text(&report.own);
    report.markdown = markdown(&environment.name, &report.own);
    Ok(report)
}

/// Where the ledger lies: a file where there is one on this machine, else the target that keeps it.
fn ledger(driver: &dyn Driver) -> String {
    let file = driver.folder().map(|folder| folder.join(LEDGER).display().to_string());
    file.unwrap_or_else(|| driver.place())
}

fn line(rollout: &Rollout) -> Line {
    let release = &rollout.plan.release;
    let (intent, asked) = match &rollout.plan.intent {
        Intent::Deploy => ("deploy", None),
        Intent::Rollback { reason, .. } => ("rollback", reason.clone()),
    };
    let ended = match &rollout.phase {
        Phase::Over(End::Reverted { why } | End::Stuck { why }) | Phase::Back { why, .. } => {
            Some(why.clone())
        }
        Phase::Over(End::Live) | Phase::Forward { .. } => None,
    };
    Line {
        at: rollout.opened,
        intent: intent.to_owned(),
        revision: release.sequence,
        artifact: release.artifact,
        commit: release.commit.clone(),
        ended: matches!(rollout.phase, Phase::Over(_)).then_some(rollout.progressed),
        by: rollout.by.clone(),
        state: rollout.word().to_owned(),
        why: ended.or(asked),
        resumed: rollout.resumed,
    }
}

fn text(own: &Own) -> String {
    let mut text = String::new();
    for line in &own.rollouts {
        let at = line.at.strftime("%Y-%m-%d %H:%M:%SZ");
        let artifact = line.artifact.short();
        let revision = line.revision.to_string();
        writeln!(
            text,
            "{at}  {:<8} {revision:<5} {artifact}  {:<9} {:<8} {}",
            line.intent,
            line.state,
            took(line),
            sink::line(&line.by)
        )
        .expect("writing to a string cannot fail");
        if let Some(why) = &line.why {
            writeln!(text, "                      {}", sink::line(why))
                .expect("writing to a string cannot fail");
        }
    }
    if own.rollouts.is_empty() {
        text.push_str("nothing was ever deployed there\n");
    }
    writeln!(text, "ledger: {}", sink::line(&own.ledger)).expect("writing to a string cannot fail");
    text
}

/// How long it took, in whole seconds: `12s`; empty while it is open.
fn took(line: &Line) -> String {
    let seconds = line.ended.and_then(|ended| u64::try_from(ended.duration_since(line.at).as_secs()).ok());
    seconds.map(|seconds| Span::seconds(seconds).to_string()).unwrap_or_default()
}

fn markdown(environment: &str, own: &Own) -> String {
    let mut text = format!(
        "## History of {environment}\n\n| when | what | revision | ended | took | by |\n|---|---|---|---|---|---|\n"
    );
    for line in &own.rollouts {
        let by = sink::markdown(&line.by);
        let (state, took) = (&line.state, took(line));
        writeln!(text, "| {} | {} | {} | {state} | {took} | {by} |", line.at, line.intent, line.revision)
            .expect("writing to a string cannot fail");
    }
    text
}
