//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use windlass_ci::args::{Common, ToolArgs};
use windlass_domain::policy::Span;

/// Judge whether a running service is healthy.
///
/// With --environment: by what windlass.yml says of it, under `verify`, through the agent of its host target. With
/// --url, --tcp or --command: alone, without a policy, until every check succeeds once or the time is over. Silence,
/// missing data and time running out are never a pass. Exits 0 when it is healthy, 1 when not, 2 for wrong usage or
/// policy, 3 when it could not be asked, 4 when the evidence does not say.
#[derive(Debug, Parser)]
#[command(name = "health-verify", version, args_conflicts_with_subcommands = true)]
pub(crate) struct HealthVerify {
    #[command(flatten)]
    common: Common,
    /// Ask this URL by GET
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Demand this status of --url [default: any 2xx]
    #[arg(long, value_name = "STATUS", requires = "url", value_parser = clap::value_parser!(u16).range(100..=599))]
    pub(crate) expect_status: Option<u16>,
    /// Demand this text in the answer of --url, or in the output of --command
    #[arg(long, value_name = "TEXT")]
    pub(crate) expect_contains: Option<String>,
    /// Connect to this address
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) tcp: Option<String>,
    /// Run this by `sh -c` and demand that it exits 0; {url} is --url
    #[arg(long = "command", value_name = "COMMAND")]
    pub(crate) command_line: Option<String>,
    /// Give up after this time [default: the policy's, or 30s]
    #[arg(long, value_name = "TIME")]
    pub(crate) within: Option<Span>,
    /// Try every so often [default: 1s]
    #[arg(long, value_name = "TIME")]
    pub(crate) every: Option<Span>,
    /// Fail after so many failed tries in a row [default: not before the time is over]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) failures: Option<u32>,
    /// Calibrate the tests by the old revision's requests in this recording of an earlier run [default: uncalibrated]
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge a recorded run again: the same verdict, bit by bit
    Replay {
        #[command(flatten)]
        common: Common,
        /// The recording: health.recording.jsonl of a report folder
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl HealthVerify {
    /// Whether it works alone, without a policy.
    pub(crate) const fn alone(&self) -> bool {
        self.url.is_some() || self.tcp.is_some() || self.command_line.is_some()
    }
}

impl ToolArgs for HealthVerify {
    fn common(&self) -> &Common {
        match &self.command {
            Some(Command::Replay { common, .. }) => common,
            None => &self.common,
        }
    }
}
