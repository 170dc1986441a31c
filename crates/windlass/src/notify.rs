//! `windlass notify`: a test to every receiver of the policy, so that the first real message is not the first try.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::JoinSet;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::{Located, Session};
use windlass_ci::{sink, tool, topics};
use windlass_domain::announcement::{Announcement, Direction, Moment};
use windlass_domain::outcome::{Outcome, Reason};
use windlass_moving::announce::about;
use windlass_notify::{Bounds, Teller, tellers};

windlass_domain::topics! {
    [pub(self), pub(crate) static TOPICS]
    /// Nobody to tell, or no network to tell by.
    NOBODY = "notify.nobody": "`windlass notify` has nobody to tell: `notify` in windlass.yml is absent, or no receiver hears of the environment.",
        "Add a receiver under `notify`, such as `slack: SLACK_URL`; docs/notifications.md shows each.";
    /// A receiver that did not take its message.
    UNTOLD = "notify.untold": "A receiver under `notify` did not take its message: its variable is not set, it cannot be reached, or it refused. The release is not touched by that.",
        "Put right what the reason names, and try it: `windlass notify`.";
    /// A test without a network.
    OFFLINE = "notify.offline": "A notification needs the network, and --offline forbids it.",
        "Run it without --offline.";
}

/// Send a test to every receiver under `notify` in windlass.yml, and say which failed (exit 3)
#[derive(Debug, Parser)]
#[command(name = "notify", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// What `notify` adds to the document of every tool.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// Each receiver, in the order of the policy.
    pub receivers: Vec<Told>,
}

/// One receiver.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Told {
    /// Its kind, and the variable or the addresses that it is known by.
    pub name: String,
    /// Whether it took the test; with --plan nobody is told.
    pub told: bool,
    /// Why it did not.
    pub why: Option<String>,
}

pub(crate) fn run(context: Context) -> ExitCode {
    tool::run("notify", context, tell)
}

fn tell(session: &Session, _: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    // A test is about one environment; receivers that hear of others only are told all the same, unless one was named.
    let named = session.common.environment.is_some();
    let environment = if named {
        session.environment(&located.policy)?.name.clone()
    } else {
        located.policy.environments.first().map(|one| one.name.clone()).unwrap_or_default()
    };
    let notify: Vec<_> =
        located.policy.notify.iter().filter(|one| !named || one.is_about(&environment)).cloned().collect();
    if notify.is_empty() {
        return Err(Failure::invalid(&NOBODY, "windlass.yml names nobody to tell")
            .hint("add for example `notify: [{ slack: SLACK_URL }]`"));
    }
    if session.common.offline {
        return Err(Failure::unknown(&OFFLINE, "cannot tell anybody: --offline forbids the network"));
    }
    let tellers = tellers(&notify, &located.folder, &session.context.vars, Bounds::default());
    let receivers = if session.common.plan {
        let told = |teller: &Teller| Told { name: teller.name(), told: false, why: None };
        tellers.iter().map(told).collect()
    } else {
        let said = Arc::new(test(session, &located, &environment));
        windlass_moving::runtime()?.block_on(all(tellers, &said))?
    };
    Ok(report(session, &environment, receivers))
}

/// Tells all at once.
async fn all(tellers: Vec<Teller>, said: &Arc<Announcement>) -> Result<Vec<Told>> {
    let mut telling = JoinSet::new();
    for (index, teller) in tellers.into_iter().enumerate() {
        let said = Arc::clone(said);
        telling.spawn(async move {
            let why = teller.tell(&said).await.err();
            (index, Told { name: teller.name(), told: why.is_none(), why })
        });
    }
    let mut told = Vec::new();
    while let Some(one) = telling.join_next().await {
        told.push(
            one.map_err(|error| Failure::unknown(&topics::BUG, "cannot tell a receiver").because(error))?,
        );
    }
    told.sort_by_key(|(index, _)| *index);
    Ok(told.into_iter().map(|(_, told)| told).collect())
}

fn test(session: &Session, located: &Located, environment: &str) -> Announcement {
    Announcement {
        moment: Moment::Waiting,
        what: "this is a test by `windlass notify`: nothing was released".to_owned(),
        why: Some("somebody wants to know whether this arrives".to_owned()),
        ..about(session, located, environment, Direction::Forward)
    }
}

fn report(session: &Session, environment: &str, receivers: Vec<Told>) -> Report<Own> {
    let failed = receivers.iter().filter(|one| one.why.is_some()).count();
    let mut report = Report::new(if failed == 0 { Outcome::Passed } else { Outcome::Unknown });
    report.environment = Some(environment.to_owned());
    let head = if session.common.plan {
        format!("{} would be told", receivers.len())
    } else {
        format!("{} of {} receivers took the test", receivers.len() - failed, receivers.len())
    };
    report.text = format!("{}: {head}\n", report.outcome);
    report.markdown = format!("## {}\n\n{head}\n", report.outcome);
    for one in &receivers {
        let state = match (&one.why, one.told) {
            (Some(why), _) => format!("not told: {why}"),
            (None, true) => "told".to_owned(),
            (None, false) => "would be told".to_owned(),
        };
        let line = format!("{}: {state}", one.name);
        writeln!(report.text, "  {}", sink::line(&line)).expect("writing to a string cannot fail");
        writeln!(report.markdown, "\n- {}", sink::markdown(&line)).expect("writing to a string cannot fail");
        if let Some(why) = &one.why {
            report.reasons.push(Reason::new("announcement").place(one.name.clone()).why(why.clone()));
        }
    }
    report.own = Own { receivers };
    report
}
