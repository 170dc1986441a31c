//! Reaching an environment: the drive loop, the journal's storage, one file a driver.
//!
//! Knows no CI system and prints nothing.

#[cfg(unix)]
pub(crate) mod command;
pub mod conformance;
pub mod document;
pub mod drive;
pub mod driver;
#[cfg(unix)]
pub mod exec;
pub mod fenced;
#[cfg(unix)]
pub mod hook;
#[cfg(unix)]
pub mod host;
#[cfg(unix)]
pub mod hosts;
pub mod judge;
#[cfg(unix)]
mod mask;
pub mod proof;
#[cfg(unix)]
pub mod reach;
#[cfg(unix)]
pub mod stop;
#[cfg(test)]
mod sweep;
