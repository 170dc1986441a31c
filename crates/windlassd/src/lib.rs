//! The host agent: supervises, routes, drains, measures and keeps the ledger.
//!
//! One process a root. Its control socket is the only way in; `windlass_target::host::control` is the protocol.

mod access;
mod agent;
mod args;
mod cgroup;
mod clock;
mod control;
mod doors;
mod fence;
mod handover;
mod itself;
mod ledger;
mod locked;
mod log;
mod metrics;
mod migrate;
mod process;
#[cfg(any(test, fuzzing))]
mod promises;
mod root;
mod rotation;
mod route;
mod service;
mod stage;
mod start;
mod steps;
mod supervise;
mod topics;

/// What `cargo fuzz` feeds.
#[cfg(fuzzing)]
pub mod fuzz {
    /// What a client sends: judged as the router does, and held against what hyper would make of it.
    pub fn requests(bytes: &[u8]) {
        crate::promises::requests(bytes);
    }

    /// What a caller asks of the agent: the request's path, a line feed, and its body.
    pub fn control(bytes: &[u8]) {
        crate::promises::control(bytes);
    }

    /// A ledger as an agent finds it when it starts: the note of the last append of several entries, a line feed, and
    /// lines, of which those that are events are sealed first.
    pub fn ledger(bytes: &[u8]) {
        crate::promises::ledger(bytes);
    }
}

pub use self::start::run;
pub use self::topics::TOPICS;

/// Its flags, for completions and pages.
#[must_use]
pub fn command() -> clap::Command {
    <args::Arguments as clap::CommandFactory>::command()
}
