//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use windlass_ci::args::{Common, ToolArgs};
use windlass_domain::digest::{Digest, NotADigest};

/// Decide whether a release may enter an environment.
///
/// Reads reports of tests, coverage and static analysis and the signed evidence so far, judges every condition that
/// windlass.yml puts on the environment, and adds its verdict to the evidence. Nothing missing, empty, truncated or
/// unreadable is ever a pass. Exits 0 when the release may enter, 1 when not, 2 for wrong usage or policy, 3 when it could not judge,
/// 4 while it waits for a time or a person.
#[derive(Debug, Parser)]
#[command(name = "gate-check", version, args_conflicts_with_subcommands = true)]
pub(crate) struct GateCheck {
    #[command(flatten)]
    common: Common,
    /// Read the reports that match GLOB, relative to the policy's folder; repeatable. A file is known by its content
    /// [default: reports/**, **/junit*.xml, **/TEST-*.xml, **/lcov.info, **/cobertura*.xml, **/coverage.xml, **/*.sarif;
    /// not in target, node_modules, .git or .windlass]
    #[arg(long, value_name = "GLOB", action = clap::ArgAction::Append)]
    pub(crate) reports: Vec<String>,
    /// Compare with the merge base of REV for coverage.new_lines [default: the CI system's base, else origin/HEAD]
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
    /// Say which artifact is live in the environment, by its digest, or none: rollback.proved is about the way back to it
    /// [default: that of the newest deploy in the evidence]. deploy asks the target's ledger again
    #[arg(long, value_name = "DIGEST", value_parser = live)]
    pub(crate) live: Option<Live>,
    /// Write the conditions as JUnit XML to FILE, one case each, for CI systems that show tests
    /// [default: gate-check.junit.xml in the report folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What is live in the environment, by somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Live {
    /// Nothing.
    Nothing,
    /// This artifact.
    Artifact(Digest),
}

fn live(text: &str) -> Result<Live, String> {
    if text == "none" {
        return Ok(Live::Nothing);
    }
    text.parse().map(Live::Artifact).map_err(|error: NotADigest| format!("{error}, nor `none`"))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is understood of report files: their form, counts and offenders; exit 3 for any that cannot be read
    Read {
        #[command(flatten)]
        common: Common,
        /// The reports
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl ToolArgs for GateCheck {
    fn common(&self) -> &Common {
        match &self.command {
            Some(Command::Read { common, .. }) => common,
            None => &self.common,
        }
    }
}
