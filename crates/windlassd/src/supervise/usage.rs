//! What instances use: memory, processor time, open files. Measured when somebody asks, and at most once a second,
//! since looking through `/proc` costs some milliseconds.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use windlass_target::host::control::Usage;

use super::fleet::Fleet;
use super::instance::Seat;
use crate::cgroup::Group;
use crate::process::{self, Process};

/// How long a measurement is good for.
const FRESH: Duration = Duration::from_secs(1);

impl Fleet {
    /// Has what each instance uses measured, unless that was done just now.
    pub(crate) async fn measure(&self) {
        let mut measured = self.measured.lock().await;
        if measured.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let processes = self.processes();
        let look = move || {
            let groups = Groups::seen_now();
            let measure = |(seat, process, group): (Seat, Process, Option<Group>)| {
                let usage = groups.usage(process).map(|usage| match &group {
                    Some(group) => of_group(group, usage),
                    None => usage,
                });
                (seat, process, usage)
            };
            processes.into_iter().map(measure).collect()
        };
        let found: Vec<_> = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        let mut inner = self.lock();
        for (seat, process, usage) in found {
            let of = inner.revisions.get_mut(&seat.revision);
            let Some(instance) = of.and_then(|of| of.instances.get_mut(&seat.index)) else { continue };
            if instance.running.is_some_and(|(running, _)| running == process) {
                instance.usage = usage.map(|usage| since(instance.usage, usage));
            }
        }
        drop(inner);
        *measured = Some(Instant::now());
    }

    fn processes(&self) -> Vec<(Seat, Process, Option<Group>)> {
        let inner = self.lock();
        let places = inner.revisions.iter().flat_map(|(revision, of)| {
            of.instances
                .iter()
                .map(|(index, instance)| (Seat { revision: *revision, index: *index }, instance))
        });
        places
            .filter_map(|(seat, instance)| Some((seat, instance.running?.0, instance.group.clone())))
            .collect()
    }
}

/// A child that ended without having been waited for takes its time with it; a counter must not fall all the same.
fn since(before: Option<Usage>, now: Usage) -> Usage {
    Usage { cpu_ms: before.map_or(0, |before| before.cpu_ms).max(now.cpu_ms), ..now }
}

/// The processes of this machine by their group.
struct Groups(HashMap<u32, Vec<(u32, process::Stat)>>);

impl Groups {
    fn seen_now() -> Self {
        let mut groups: HashMap<u32, Vec<_>> = HashMap::new();
        for (pid, stat) in process::all() {
            groups.entry(stat.group).or_default().push((pid, stat));
        }
        Self(groups)
    }

    /// What the group that this process leads uses; `None` when the process has ended.
    fn usage(&self, leader: Process) -> Option<Usage> {
        let members = self.0.get(&leader.pid)?;
        members.iter().find(|(pid, stat)| (*pid, stat.started) == (leader.pid, leader.started))?;
        let time: Duration = members.iter().map(|(_, stat)| stat.time()).sum();
        Some(Usage {
            memory_bytes: members.iter().map(|(pid, _)| memory(*pid)).sum(),
            cpu_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            open_files: members.iter().map(|(pid, _)| open_files(*pid)).sum(),
        })
    }
}

/// What a control group uses, whatever process groups are in it; `usage` is what is said where its kernel counts less.
fn of_group(group: &Group, usage: Usage) -> Usage {
    let processes = group.processes();
    let resident = || processes.iter().map(|pid| memory(*pid)).sum();
    Usage {
        memory_bytes: group.memory().unwrap_or_else(resident),
        cpu_ms: group.time().map_or(usage.cpu_ms, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        open_files: processes.iter().map(|pid| open_files(*pid)).sum(),
    }
}

/// Bytes: its proportional share of what is resident, or where that must not be read, all that is resident.
pub(crate) fn memory(pid: u32) -> u64 {
    kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
        .or_else(|| kibibytes(&format!("/proc/{pid}/status"), "VmRSS:"))
        .unwrap_or(0)
        .saturating_mul(1024)
}

fn kibibytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// How many file descriptors a process has open; 0 where that must not be looked at.
pub(crate) fn open_files(pid: u32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use rustix::process::Signal;

    use super::*;

    #[test]
    fn a_groups_use_is_that_of_all_its_processes() {
        let script = "exec 7</dev/null 8</dev/null; sleep 60 & sleep 60 & echo up; wait";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let process = Process::of(child.id()).unwrap();
        let usage = Groups::seen_now().usage(process).unwrap();
        let none = Groups::seen_now().usage(Process { started: process.started + 1, ..process });
        process.signal_group(Signal::KILL);
        child.wait().unwrap();
        assert!(usage.open_files >= 3 * 5, "{usage:?}");
        assert!(usage.memory_bytes > 100_000, "{usage:?}");
        assert_eq!(none, None, "another process of the same number is another");
    }

    #[test]
    fn processor_time_never_falls() {
        let usage = |cpu_ms| Usage { memory_bytes: 1, cpu_ms, open_files: 1 };
        assert_eq!(since(None, usage(7)), usage(7));
        assert_eq!(since(Some(usage(9)), usage(7)), usage(9));
        assert_eq!(since(Some(usage(9)), usage(11)), usage(11));
    }
}
