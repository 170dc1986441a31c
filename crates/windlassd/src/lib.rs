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
mod log;
mod metrics;
mod migrate;
mod process;
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
        crate::route::agreement::check(bytes);
    }
}

pub use self::start::run;
pub use self::topics::TOPICS;
