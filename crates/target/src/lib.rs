//! Reaching an environment: the drive loop, the journal's storage, one file a driver.
//!
//! Knows no CI system and prints nothing.

pub mod driver;
pub mod host;
