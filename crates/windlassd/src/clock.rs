//! The agent's clock: the one place where the target's time is read.

use jiff::Timestamp;

/// The time now. The target's clock is what leases and the journal go by, so the agent reads it for every request.
#[expect(clippy::disallowed_methods, reason = "the target's clock is the agent's to read")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
