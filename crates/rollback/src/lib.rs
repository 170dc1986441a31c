//! `rollback`: returns an environment to a release it ran before, with its configuration, in one command.

mod args;
mod plan;
mod report;
mod topics;
mod way;

use std::process::ExitCode;

use windlass_ci::context::Context;
use windlass_ci::fail::Result;
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_ci::tool;
use windlass_target::document::Own;

use self::args::Arguments;
pub use self::topics::TOPICS;

/// Its flags, for completions, pages and actions.
#[must_use]
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the tool.
pub fn run(context: Context) -> ExitCode {
    tool::run("rollback", context, rollback)
}

fn rollback(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    windlass_moving::runtime()?.block_on(way::go(session, arguments))
}
