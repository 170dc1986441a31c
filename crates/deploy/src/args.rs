//! The flags of `deploy`.

use clap::Parser;
use windlass_ci::args::{Common, ToolArgs};
use windlass_domain::digest::Digest;

/// Take a release the whole way into an environment: fence, stage, ready, shift, verify, commit.
///
/// A release that does not hold is put back and the exit code is 1. A run that is killed at any moment leaves a journal
/// on the target, and the next run finishes or reverts what it had begun.
#[derive(Debug, Parser)]
#[command(name = "deploy", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Refuse anything but this plan, by its sha256 as --plan prints it
    #[arg(long, value_name = "PLAN")]
    pub(crate) approved: Option<Digest>,
    /// Go even where there is no way back, or where a migration closes it; on failure everything then stays as it is, on
    /// hold. A migration closes the way back when it begins: a failure before it still goes back
    #[arg(long)]
    pub(crate) no_way_back: bool,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}
