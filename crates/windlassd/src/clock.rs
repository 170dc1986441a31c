//! The agent's clocks: the one place where the target's time is read.

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// The time now. The target's clock is what the journal and holds go by, so the agent reads it for every request.
#[expect(clippy::disallowed_methods, reason = "the target's clock is the agent's to read")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// What people call the time. Somebody may set it.
    pub(crate) wall: Timestamp,
    /// Since the machine started, while it slept too. Nobody can set it, so leases go by it.
    pub(crate) uptime: SignedDuration,
}

/// Reads both clocks.
pub(crate) fn read() -> Reading {
    let uptime = clock_gettime(UPTIME);
    let nanos = i32::try_from(uptime.tv_nsec).unwrap_or(0);
    Reading { wall: now(), uptime: SignedDuration::new(uptime.tv_sec, nanos) }
}

#[cfg(target_os = "linux")]
const UPTIME: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UPTIME: ClockId = ClockId::Monotonic;

/// Which start of the machine [`Reading::uptime`] counts from; `None` where the system does not say, and then what
/// another agent read of that clock means nothing.
pub(crate) fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}
