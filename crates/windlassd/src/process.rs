//! Processes that may not be our children: known by number and start time, so that a number that was given to
//! another process is never taken for the old one.

use std::fs;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// One process, for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/<pid>/stat`.
    pub(crate) started: u64,
}

impl Process {
    /// The process that has this number now; `None` when none has, or it has ended and only waits to be reaped.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        parse(&stat).map(|started| Self { pid, started })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal to its process group, which it leads.
    pub(crate) fn signal_group(self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // The group may be gone already, which is what most signals are for.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

/// The start time in a `stat` line. The name in it may hold anything, so the fields are counted from its last
/// parenthesis; the first after it is the state.
fn parse(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_is_found_behind_a_hostile_name() {
        let stat = "7 (a) Z 1 ) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(parse(stat), Some(4711));
    }

    #[test]
    fn an_ended_process_that_was_not_reaped_is_gone() {
        assert_eq!(parse("7 (a) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"), None);
    }

    #[test]
    fn this_process_is_alive_and_another_start_time_is_another_process() {
        let me = Process::of(std::process::id()).expect("it runs");
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
    }
}
