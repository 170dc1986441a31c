//! Measuring a running service: probes, metric sources, verdicts and recordings.
//!
//! Knows no targets and no CI systems; takes the clock as an argument.

mod cancel;
mod client;
pub mod judge;
pub mod load;
mod platform;
pub mod probe;
pub mod record;
pub mod source;
