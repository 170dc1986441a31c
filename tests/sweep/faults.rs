//! Disks and ledgers that fail in the middle of a rollout, for real: nothing is lost, and when the fault is gone one
//! further run converges.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::lane::{Lane, Run};
use crate::processes;
use crate::proxy::{Kill, Side, Victim};
use crate::scenario::Scenario;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk takes nothing more.
    Full,
    /// The root's files may not be written any more, but for those that are open.
    ReadOnly,
    /// The agent dies, and the next may not write the root's files.
    ReadOnlyAtStart,
    /// The agent dies in the middle of a line.
    Torn,
    /// The agent dies, and a line in the middle of the ledger is not what was written.
    Corrupted,
}

impl Fault {
    /// Whether it needs a file system of its own.
    pub(crate) const fn needs_disk(self) -> bool {
        match self {
            Self::Full | Self::ReadOnly | Self::ReadOnlyAtStart => true,
            Self::Torn | Self::Corrupted => false,
        }
    }

    /// Begins, for what lies in `root`.
    pub(crate) fn begin(self, root: &Path) {
        match self {
            Self::Full => {
                let mut filler = fs::File::create(root.join("filler")).unwrap();
                while filler.write_all(&[0; 4096]).is_ok() {}
            }
            Self::ReadOnly | Self::ReadOnlyAtStart => {
                mount(&["--bind"], &[root, root]);
                mount(&["-o", "remount,bind,ro"], &[root]);
            }
            Self::Torn => {
                let bytes = fs::read(root.join(LEDGER)).unwrap();
                let line = bytes.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
                let mut file = OpenOptions::new().append(true).open(root.join(LEDGER)).unwrap();
                file.write_all(&line[..line.len() / 2]).unwrap();
            }
            Self::Corrupted => {
                let mut bytes = fs::read(root.join(LEDGER)).unwrap();
                let middle = bytes.len() / 2;
                // A line feed would be another fault.
                let at = middle + bytes[middle..].iter().position(u8::is_ascii_lowercase).unwrap();
                bytes[at] ^= 1;
                fs::write(root.join(LEDGER), bytes).unwrap();
            }
        }
    }

    /// What the tool says of it.
    const fn words(self) -> &'static str {
        match self {
            Self::Full => "No space left on device",
            Self::ReadOnly | Self::ReadOnlyAtStart => "Read-only file system",
            Self::Torn => "",
            Self::Corrupted => "of the ledger is corrupted",
        }
    }
}

const LEDGER: &str = "ledger.jsonl";

/// Has one rollout meet a fault at one of its mutations. Returns how the run ended that met it.
pub(crate) fn strike(lane: &mut Lane, scenario: Scenario, fault: Fault, at: usize) -> Option<i32> {
    let release = lane.release(scenario);
    let root = lane.root();
    let calm = Run { release: release.clone(), kill: None };
    let code = match fault {
        Fault::Full | Fault::ReadOnly => {
            let (status, told) = lane.struck(&calm, fault, at);
            let case = format!("{fault:?} at {at}: {told}");
            let code = status.code();
            assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}: {case}");
            assert!(code != Some(3) || told.contains(fault.words()), "it does not say why: {case}");
            lane.serves(&case);
            match fault {
                Fault::Full => fs::remove_file(root.join("filler")).unwrap(),
                _ => umount(&root),
            }
            lane.end_lease();
            code
        }
        Fault::ReadOnlyAtStart | Fault::Torn | Fault::Corrupted => {
            lane.killed(&Run { release, kill: Some(Kill { at, side: Side::Before, victim: Victim::Agent }) });
            let whole = fs::read(root.join(LEDGER)).unwrap();
            fault.begin(&root);
            match fault {
                Fault::ReadOnlyAtStart => {
                    let code = refused(lane, &calm, fault, at);
                    umount(&root);
                    assert_eq!(fs::read(root.join(LEDGER)).unwrap(), whole, "{fault:?} at {at}");
                    code
                }
                Fault::Corrupted => {
                    lane.ensure_agent();
                    let before = lane.state();
                    let code = refused(lane, &calm, fault, at);
                    lane.serves(&format!("{fault:?} at {at}"));
                    let after = lane.state();
                    assert_eq!(
                        (after.weights, after.head),
                        (before.weights, before.head),
                        "{fault:?} at {at}"
                    );
                    // Mended by hand; the agent reads it again when it starts.
                    fs::write(root.join(LEDGER), whole).unwrap();
                    let agent = Pid::from_raw(after.pid.cast_signed()).unwrap();
                    kill_process(agent, Signal::KILL).unwrap();
                    processes::await_end(agent);
                    code
                }
                _ => None,
            }
        }
    };
    lane.converge(&[calm]);
    let log = fs::read_to_string(root.join("agent.log")).unwrap();
    for line in log.lines() {
        let read: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(read.is_ok(), "a line of the agent's log is cut off: {line}");
    }
    if fault == Fault::Torn {
        let aside = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("ledger.torn-");
        let torn = fs::read_dir(&root).unwrap().map(Result::unwrap).find(aside);
        fs::remove_file(torn.expect("what was torn is kept aside").path()).unwrap();
    }
    code
}

/// A run that cannot judge, says so, and what to do.
fn refused(lane: &mut Lane, run: &Run, fault: Fault, at: usize) -> Option<i32> {
    let (status, told) = lane.tried(run);
    let case = format!("{fault:?} at {at}: {told}");
    assert_eq!(status.code(), Some(3), "{case}");
    assert!(told.contains(fault.words()) && told.contains("windlass explain"), "{case}");
    status.code()
}

/// A small file system of its own; `None` where this process may not mount one. It ends with this.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn on(folder: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs"]).arg(folder);
        let is_mounted = command.output().is_ok_and(|mount| mount.status.success());
        is_mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that failed may have left it read-only, which is a mount more.
        for _ in 0..2 {
            let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        }
    }
}

fn mount(words: &[&str], paths: &[&Path]) {
    let mounted = Command::new("mount").args(words).args(paths).output().unwrap();
    assert!(mounted.status.success(), "mount {words:?} {paths:?}: {mounted:?}");
}

fn umount(path: &Path) {
    let unmounted = Command::new("umount").arg("-l").arg(path).output().unwrap();
    assert!(unmounted.status.success(), "umount {}: {unmounted:?}", path.display());
}
