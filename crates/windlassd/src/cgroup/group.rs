//! One control group: its limits, its processes, what they use, and their end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_domain::policy::{Cores, Size};

use crate::root::named;

/// The name of the list of a group's processes.
const PROCESSES: &str = "cgroup.procs";

/// The length of the time in which a share of the processors is given out, in microseconds: the kernel's own.
const PERIOD: u64 = 100_000;

/// What the processes of a group together may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory.
    pub(crate) memory: Option<Size>,
    /// Processor time.
    pub(crate) cpu: Option<Cores>,
}

impl Limits {
    /// Whether there is none.
    pub(crate) const fn are_none(&self) -> bool {
        self.memory.is_none() && self.cpu.is_none()
    }
}

/// A control group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    folder: PathBuf,
    /// How many processes had been ended in it for want of memory when it was taken into use.
    ended_before: u64,
}

impl Group {
    /// The group of this folder, made where it is not there.
    pub(super) fn make(folder: &Path) -> io::Result<Self> {
        match fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(named(error, "cannot make the control group", folder)),
        }
        Ok(Self::at(folder))
    }

    fn at(folder: &Path) -> Self {
        let mut group = Self { folder: folder.to_owned(), ended_before: 0 };
        group.ended_before = group.out_of_memory();
        group
    }

    /// The group of this folder, if it is there.
    pub(crate) fn there(folder: &Path) -> Option<Self> {
        folder.join(PROCESSES).exists().then(|| Self::at(folder))
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The list of its processes: who writes 0 into it enters it.
    pub(crate) fn list(&self) -> PathBuf {
        self.folder.join(PROCESSES)
    }

    /// Limits what its processes use. One that is over its memory is ended whole, not one process of it.
    pub(crate) fn limit(&self, limits: Limits) -> io::Result<()> {
        if let Some(memory) = limits.memory {
            self.write("memory.max", &memory.get().to_string())?;
            self.write("memory.oom.group", "1")?;
            // Swapping instead would only make it slow. A kernel without swap has no such file.
            if self.folder.join("memory.swap.max").exists() {
                self.write("memory.swap.max", "0")?;
            }
        }
        if let Some(cpu) = limits.cpu {
            let quota = u64::from(cpu.get()) * PERIOD / 1000;
            self.write("cpu.max", &format!("{} {PERIOD}", quota.max(1000)))?;
        }
        Ok(())
    }

    /// Puts this process into it.
    pub(super) fn enter(&self) -> io::Result<()> {
        self.write(PROCESSES, "0")
    }

    /// Its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.list()).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Ends all its processes at once.
    pub(crate) fn kill(&self) {
        // Before Linux 5.14 there is no such file: then its process group alone is ended.
        if let Err(error) = self.write("cgroup.kill", "1") {
            tracing::debug!(%error, "a control group could not be ended whole");
        }
    }

    /// Removes it; while a process is in it, it stays.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir(&self.folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(named(error, "cannot remove the control group", &self.folder)),
        }
    }

    /// Bytes that count against its limit, less those of files that could be dropped at once. `None` where memory is
    /// not counted.
    pub(crate) fn memory(&self) -> Option<u64> {
        let all: u64 = fs::read_to_string(self.folder.join("memory.current")).ok()?.trim().parse().ok()?;
        Some(all.saturating_sub(self.field("memory.stat", "inactive_file").unwrap_or(0)))
    }

    /// Processor time of all processes that were ever in it.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.field("cpu.stat", "usage_usec").map(Duration::from_micros)
    }

    /// How many of its processes were ended because it was over its memory, since it was taken into use.
    pub(crate) fn out_of_memory(&self) -> u64 {
        self.field("memory.events", "oom_kill").unwrap_or(0).saturating_sub(self.ended_before)
    }

    fn field(&self, file: &str, name: &str) -> Option<u64> {
        field(&fs::read_to_string(self.folder.join(file)).ok()?, name)
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, text).map_err(|error| named(error, "cannot write", &path))
    }
}

/// A field of a file of names and numbers.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "oom 1\noom_kill 3\noom_group_kill 7\n";
        assert_eq!(
            (field(text, "oom"), field(text, "oom_kill"), field(text, "kill")),
            (Some(1), Some(3), None)
        );
    }
}
