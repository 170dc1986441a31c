//! Decides whether a release may enter an environment, from reports and evidence.
//!
//! Knows no target, no network and no deploy client. Reports are read by [`report`]; each family of conditions is one file
//! of `condition/`, found by its registry; the verdict is [`own::Own`].

mod args;
mod attest;
mod collect;
mod condition;
mod diff;
mod gate;
mod git;
mod junit;
pub mod own;
mod read;
pub mod report;
mod show;
pub mod status;
mod summary;
mod topics;

use std::process::ExitCode;

use windlass_ci::context::Context;
use windlass_ci::tool;

use crate::args::{Command, GateCheck};
pub use crate::own::Own;
pub use crate::topics::TOPICS;

/// Its flags, for completions, pages and actions.
#[must_use]
pub fn command() -> clap::Command {
    <GateCheck as clap::CommandFactory>::command()
}

/// Runs `gate-check`.
pub fn run(context: Context) -> ExitCode {
    // Reading a report says nothing of a release: its document must not take the place of the gate's.
    let reads = context.args.first().is_some_and(|word| word == "read");
    let name = if reads { "gate-check-read" } else { "gate-check" };
    tool::run::<GateCheck, Own>(name, context, |session, arguments| match &arguments.command {
        Some(Command::Read { files, .. }) => Ok(read::read(session, files)),
        None => gate::judge(session, arguments),
    })
}
