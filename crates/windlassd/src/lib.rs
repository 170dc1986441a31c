//! The host agent: supervises, routes, drains, measures and keeps the ledger.
//!
//! One process a root. Its control socket is the only way in; `windlass_target::host::control` is the protocol.

mod agent;
mod args;
mod cgroup;
mod clock;
mod control;
mod doors;
mod fence;
mod handover;
mod ledger;
mod log;
mod metrics;
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

pub use self::start::run;
pub use self::topics::TOPICS;
