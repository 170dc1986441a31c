//! Processes that may not be our children: known by number and start time, so that a number that was given to
//! another process is never taken for the old one.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe::Receiver;

/// How often a process is looked at where the system has no better way to await its end.
const LOOK: Duration = Duration::from_millis(100);

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
        Some(Self { pid, started: Stat::of(pid)?.started })
    }

    /// The processes that lead a group and have a variable with this name in their environment, with its value.
    /// Only those of our own user can be looked into.
    pub(crate) fn marked(name: &str) -> Vec<(Self, String)> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid: u32| {
                let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
                let value = value_in(&environment, name)?;
                let stat = Stat::of(pid).filter(|stat| stat.group == pid)?;
                Some((Self { pid, started: stat.started }, value))
            })
            .collect()
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Waits until it has ended, also where it is not our child.
    pub(crate) async fn ended(self) {
        match self.watch() {
            // Readable from its end on, also before it is reaped. It cannot come to be another process's.
            Ok(Some(end)) => {
                if end.readable().await.is_err() {
                    self.look_on().await;
                }
            }
            Ok(None) => {}
            Err(_) => self.look_on().await,
        }
    }

    /// What becomes readable when it ends; `None` when it has ended already.
    fn watch(self) -> io::Result<Option<Receiver>> {
        let raw = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = raw.ok_or(io::ErrorKind::InvalidInput)?;
        let end = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            end => end?,
        };
        // Only now is it certain whose end that is.
        if !self.is_alive() {
            return Ok(None);
        }
        // Nothing is ever read from it, so that it need not be a pipe.
        Ok(Some(Receiver::from_owned_fd_unchecked(end)?))
    }

    async fn look_on(self) {
        while self.is_alive() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends a signal to its process group, which it leads.
    pub(crate) fn signal_group(self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // The group may be gone already, which is what most signals are for.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

/// Every process that runs, by its number, as far as this user may see them.
pub(crate) fn all() -> Vec<(u32, Stat)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .collect()
}

/// What is needed of a `stat` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The number of its process group.
    pub(crate) group: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) started: u64,
    /// The processor time that it and those of its children that it has waited for took, in clock ticks.
    pub(crate) ticks: u64,
}

impl Stat {
    /// Of the process that has this number now, unless it has ended.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The processor time that it and those of its children that it has waited for took.
    pub(crate) fn time(self) -> Duration {
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Duration::from_millis(self.ticks.saturating_mul(1000) / per_second)
    }

    /// The name in the line may hold anything, so the fields are counted from its last parenthesis; the first after
    /// it is the state. `None` for a process that has ended and only waits to be reaped.
    fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        if matches!(*fields.first()?, "Z" | "X" | "x") {
            return None;
        }
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
        Some(Self {
            group: fields.get(2)?.parse().ok()?,
            started: number(19)?,
            ticks: times.sum::<Option<u64>>()?,
        })
    }
}

fn value_in(environment: &[u8], name: &str) -> Option<String> {
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_is_found_behind_a_hostile_name() {
        let stat = "7 (a) Z 1 ) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(Stat::parse(stat), Some(Stat { group: 2, started: 4711, ticks: 11 + 12 + 13 + 14 }));
    }

    #[test]
    fn an_ended_process_that_was_not_reaped_is_gone() {
        assert_eq!(Stat::parse("7 (a) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"), None);
    }

    #[test]
    fn this_process_is_alive_and_another_start_time_is_another_process() {
        let me = Process::of(std::process::id()).expect("it runs");
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
    }
}
