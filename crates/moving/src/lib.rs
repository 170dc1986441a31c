//! What every tool that moves an environment does: find its driver, look at it, hold its fence, and say how that failed.
//!
//! Knows every kind of target by its driver's trait alone, and decides nothing.

pub mod announce;
mod failures;
mod forge;
mod fork;
mod live;
mod people;
mod receivers;
mod records;
mod unheard;
mod unheeded;

use std::path::PathBuf;
use std::sync::Arc;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::progress::Progress;
use windlass_ci::session::{Located, Session};
use windlass_ci::topics;
use windlass_domain::explain::Topic;
use windlass_domain::journal::Event;
use windlass_domain::policy::Environment;
use windlass_domain::rollout::Plan;
use windlass_target::drive::News;
use windlass_target::fenced::{self, Clock, Fenced};
use windlass_target::hook::{self, Hooks};
use windlass_target::reach::{Origin, Reached, reach};

pub use self::failures::Failures;
pub use self::forge::{forge, place};
pub use self::live::attest_live;
pub use self::people::people;
pub use self::unheeded::unheeded;

/// The runtime of a tool: one thread is plenty.
///
/// # Errors
/// Unknown (3) when it cannot be started.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unknown(&topics::BUG, "cannot start the async runtime").because(error))
}

/// The time, for what is recorded; a run under the fence has its own clock, which nobody can set.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the clock of a run is read here, and only here")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Finds the driver of an environment, and talks to nobody.
///
/// # Errors
/// Invalid (2) when this build has no driver for its target, or the target cannot be used.
pub fn find(
    session: &Session,
    located: &Located,
    environment: &Environment,
    failures: &Failures,
) -> Result<Reached> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(session.tool));
    let clock: Clock = Arc::new(now);
    let origin = Origin {
        app: &located.policy.app,
        policy_folder: &located.folder,
        vars: &session.context.vars,
        program: &program,
        clock: &clock,
    };
    reach(environment, origin)
        .map_err(|error| Failure::invalid(failures.driver, "cannot reach the target").because(error))
}

/// The hooks of the policy, run in its folder; what they say is kept in the report folder.
#[must_use]
pub fn hooks(session: &Session, located: &Located) -> Hooks {
    Hooks::new(&located.folder, &session.context.vars, &session.report_dir())
}

/// Whether the words in braces of a plan's hooks are all known.
///
/// # Errors
/// Invalid (2) where one is not.
pub fn check_hooks(plan: &Plan, topic: &'static Topic) -> Result<()> {
    hook::check(plan).map_err(|why| {
        Failure::invalid(topic, format!("the plan has a hook that cannot be run: {why}"))
            .hint("correct it under `hooks` in windlass.yml")
    })
}

/// Wakes the target and takes its fence.
///
/// # Errors
/// Refused (6) while another run holds it, unknown (3) when the target cannot be reached.
pub async fn hold(session: &Session, reached: &Reached, failures: &Failures) -> Result<Fenced> {
    session.progress.now("looking for the target");
    if let Some(note) = reached.driver.wake().await.map_err(|error| failures.of(error))? {
        session.progress.say(&format!("  {note}"));
    }
    let who = format!("{}, {}, pid {}", session.host.who(), session.tool, std::process::id());
    let owner = fenced::owner(who).map_err(|error| failures.of(error))?;
    let driver = Arc::clone(&reached.driver);
    Fenced::claim(driver, owner).await.map_err(|error| failures.of(error))
}

/// Says an event of the journal on standard error: those that people wait for, not its bookkeeping.
pub fn say(progress: &Progress, news: &News) {
    match news {
        News::Begins { .. } => progress.now(&news.to_string()),
        News::Recorded(Event::Started { .. } | Event::Committed { .. } | Event::Closed) => {}
        News::Recorded(_) => progress.say(&format!("  {news}")),
    }
}
