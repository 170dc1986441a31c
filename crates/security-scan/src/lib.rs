//! Scans a tree for vulnerable dependencies and for secrets, and says so when it could not.
//!
//! Uses no network. A missing or stale database, a lock file that cannot be read, a file that cannot be opened are
//! "could not scan" (exit code 3), apart from clean (0) and from findings (1). A secret that is found is never shown
//! anywhere: only its rule, its place and a fingerprint.

mod args;
mod attest;
mod dependencies;
mod document;
mod finding;
mod gap;
mod gitlab;
mod human;
mod judge;
mod markdown;
mod reasons;
mod sarif;
mod sbom;
mod secrets;
mod severity;
mod topics;
mod tree;

use std::process::ExitCode;

use windlass_ci::context::Context;

pub use self::document::{DatabaseAge, Own, Scanned};
pub use self::finding::{Finding, Kind, State};
pub use self::severity::Severity;
pub use self::topics::TOPICS;

/// Its flags, for completions, pages and actions.
#[must_use]
pub fn command() -> clap::Command {
    <args::Arguments as clap::CommandFactory>::command()
}

/// Runs `security-scan` with this context and returns its exit code.
#[must_use]
pub fn run(context: Context) -> ExitCode {
    windlass_ci::tool::run("security-scan", context, judge::judge)
}
