//! `windlass hold` and `windlass unhold`: nothing may be deployed, or may again.

use clap::Parser;
use jiff::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_ci::{sink, topics};
use windlass_domain::journal::Event;
use windlass_domain::outcome::Outcome;

use super::target;

/// Hold an environment: nothing may be deployed there until `windlass unhold`, or until a time.
#[derive(Debug, Parser)]
#[command(name = "hold", version)]
pub(crate) struct Hold {
    #[command(flatten)]
    common: Common,
    /// Say why, to whoever is held
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// End the hold by itself after this time: 30m, 4h, 2d
    #[arg(long = "for", value_name = "SPAN", value_parser = |text: &str| text.parse::<Span>().map_err(|error| error.to_string()))]
    span: Option<Span>,
}

/// End the hold of an environment.
#[derive(Debug, Parser)]
#[command(name = "unhold", version)]
pub(crate) struct Unhold {
    #[command(flatten)]
    common: Common,
    /// Say why, in the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl ToolArgs for Hold {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl ToolArgs for Unhold {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// The own part of the document.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The reason of the hold that is in force now.
    hold: Option<String>,
    /// When it ends by itself.
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
}

pub(super) fn hold(session: &Session, arguments: &Hold) -> Result<Report<Own>> {
    let until = match arguments.span {
        None => None,
        Some(span) => Some(end(session.context.started, span)?),
    };
    let event = Event::Hold { reason: arguments.reason.clone(), until };
    let own = Own { hold: Some(arguments.reason.clone()), until };
    let when = until.map_or_else(|| "until `windlass unhold`".to_owned(), |until| format!("until {until}"));
    write(session, event, own, &format!("is on hold {when}"))
}

/// Days count 24 hours here: a hold is a length of time, not a calendar.
fn end(now: Timestamp, span: Span) -> Result<Timestamp> {
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    length
        .ok()
        .filter(|length| length.is_positive())
        .and_then(|length| now.checked_add(length).ok())
        .ok_or_else(|| {
            Failure::invalid(&topics::USAGE, format!("not a length of time to hold for: {span}"))
                .hint("give one such as 30m, 4h or 2d")
        })
}

pub(super) fn unhold(session: &Session, arguments: &Unhold) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let standing = target::block_on(target::look(session, &located, environment))?;
    if standing.look.history.hold.is_none() {
        let mut report: Report<Own> = Report::new(Outcome::Passed);
        report.environment = Some(environment.name.clone());
        report.text = format!("passed: {} is not on hold\n", environment.name);
        return Ok(report);
    }
    let event = Event::Unhold { reason: arguments.reason.clone() };
    write(session, event, Own::default(), "is no longer on hold")
}

fn write(session: &Session, event: Event, own: Own, now: &str) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    target::block_on(target::record(session, &located, environment, event))?;
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.environment = Some(environment.name.clone());
    report.text = format!("passed: {} {now}\n", environment.name);
    report.markdown = format!("## {} {}\n", sink::markdown(&environment.name), sink::markdown(now));
    report.own = own;
    Ok(report)
}
