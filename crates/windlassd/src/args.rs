//! The agent's arguments.

use std::path::PathBuf;

use clap::Parser;

/// Runs the releases of one environment on this host: supervises their processes, routes requests to them by
/// weight, and keeps the ledger. `deploy` starts it where a local target has none.
#[derive(Clone, Debug, Parser)]
#[command(name = "windlassd", version)]
pub(crate) struct Arguments {
    /// Keep revisions, ledger and the control socket in DIR, which no other agent may use
    #[arg(long, value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// Stay with the terminal that started it [default]
    #[arg(long, conflicts_with = "detach")]
    pub(crate) foreground: bool,
    /// Leave the session of whoever started it, so that it outlives them
    #[arg(long)]
    pub(crate) detach: bool,
    /// Have the agent that runs for DIR hand over to this program, without a lost connection, and wait until it has
    #[arg(long, conflicts_with_all = ["foreground", "detach"])]
    pub(crate) take_over: bool,
    /// With --take-over: also where this program is an older version than the agent that runs
    #[arg(long, requires = "take_over")]
    pub(crate) downgrade: bool,
    /// Take over from the agent at the other end of standard input
    #[arg(long, hide = true, conflicts_with = "take_over")]
    pub(crate) inherit: bool,
    /// Route with so many threads [default: one for each usable CPU, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: Option<u16>,
    /// Let the system move the router's threads between CPUs
    #[arg(long)]
    pub(crate) no_pin: bool,
    /// Say more in agent.log; twice, everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}
