//! Evidence: digests of artifacts, signed statements about them, and which of those count.
//!
//! Knows nothing of CI systems or networks.

pub mod artifact;
pub mod envelope;
pub mod sign;
pub mod statement;
pub mod store;
pub mod verify;
