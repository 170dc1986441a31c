//! Deciding: outcomes, releases, policy, rollout, journal and sequential tests.
//!
//! Nothing here knows a clock, an environment variable, a file, a network or a future: time and observations are
//! arguments, so that a thirty-minute canary is a millisecond test.

pub mod announcement;
pub mod approval;
pub mod causes;
pub mod digest;
pub mod explain;
pub mod fence;
pub mod freeze;
pub mod journal;
pub mod order;
pub mod outcome;
pub mod place;
pub mod policy;
pub mod release;
pub mod rollout;
pub mod secret;
pub mod shown;
pub mod verdict;
pub mod words;
