//! `health-verify`: judges a running service by probes, hard gates and sequential tests over its counters.
//!
//! Measures through `signal` alone: knows no target driver. The agent of a host target is asked for its metrics and
//! for what is live, over its control socket, and for nothing else.

mod args;
mod attest;
mod chart;
mod live;
pub mod own;
mod plan;
mod platform;
mod report;
mod run;
mod topics;

use std::process::ExitCode;

use windlass_ci::context::Context;
use windlass_ci::tool;

use crate::args::{Command, HealthVerify};
pub use crate::own::Own;
pub use crate::topics::TOPICS;

/// Its flags, for completions, pages and actions.
#[must_use]
pub fn command() -> clap::Command {
    <HealthVerify as clap::CommandFactory>::command()
}

/// Runs `health-verify`.
pub fn run(context: Context) -> ExitCode {
    // A replay judges nothing that runs: its document must not take the place of a verdict's.
    let replays = context.args.first().is_some_and(|word| word == "replay");
    let name = if replays { "health-verify-replay" } else { "health-verify" };
    tool::run::<HealthVerify, Own>(name, context, |session, arguments| match &arguments.command {
        Some(Command::Replay { file, .. }) => run::replay(session, file),
        None => run::judge(session, arguments),
    })
}
