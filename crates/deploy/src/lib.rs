//! `deploy`: takes a release the whole way: fence, stage, ready, shift, verify, commit; or puts everything back.

mod admission;
mod args;
mod git;
mod health;
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
    tool::run("deploy", context, deploy)
}

fn deploy(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    windlass_moving::runtime()?.block_on(way::go(session, arguments))
}
