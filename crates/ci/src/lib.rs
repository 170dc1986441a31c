//! Arguments, environment and standard output: the edge between the tools and whatever runs them.
//!
//! Knows no network.

pub mod args;
pub mod context;
pub mod diagnostic;
pub mod document;
pub mod facts;
pub mod fail;
pub mod file;
pub mod host;
pub mod progress;
pub mod publish;
pub mod report;
pub mod session;
pub mod sink;
pub mod stream;
pub mod tool;
pub mod topics;
mod variables;
