//! The part of the tree of control groups that is this agent's to arrange.
//!
//! ```text
//! <where the agent was started>        a group of the service manager's, delegated, or a container's root
//! ├── agent                            the agent itself: a group with limits for its children has no process of its own
//! └── windlass-shop-production-1f2e…   this root's
//!     ├── r7-0                         one instance
//!     └── r7-1
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use windlass_domain::digest::Digest;
use windlass_domain::release::Sequence;

use super::group::{Group, Limits};
use crate::root::Root;

/// The group that the agent itself is in. A unit with `DelegateSubgroup=agent` starts it there.
const AGENT: &str = "agent";

/// Where systemd runs a unit's `ExecReload=` and with it the agent that takes over from another.
const CONTROL: &str = ".control";

/// What a unit's group has when its service manager leaves it to the service.
const DELEGATED: &str = "user.delegate";

/// This root's part of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    folder: PathBuf,
    can: Can,
}

/// What can be limited, or why not.
#[derive(Clone, Debug)]
struct Can {
    memory: Result<(), String>,
    cpu: Result<(), String>,
}

impl Tree {
    /// Whether the agent's place in the tree was handed to it: then each instance gets a group, limited or not.
    /// Elsewhere only where a limit asks for one.
    pub(crate) fn is_offered() -> bool {
        own_folder().is_ok_and(|own| is_delegated(&base(&own)))
    }

    /// Finds the agent's place in the tree and arranges it.
    ///
    /// # Errors
    /// A sentence: why instances have no groups of their own here.
    pub(crate) fn open(root: &Root) -> Result<Self, String> {
        let own = own_folder()?;
        let base = base(&own);
        may_arrange(&base)?;
        let folder = base.join(name(root));
        Group::make(&folder).map_err(|error| error.to_string())?;
        let can =
            Can { memory: enable(&base, &own, &folder, "memory"), cpu: enable(&base, &own, &folder, "cpu") };
        Ok(Self { folder, can })
    }

    /// The group of an instance.
    pub(crate) fn folder(&self, revision: Sequence, index: u16) -> PathBuf {
        self.folder.join(format!("{revision}-{index}"))
    }

    /// Makes the group of an instance, empty and limited.
    ///
    /// # Errors
    /// When it cannot be made, or a limit cannot be kept.
    pub(crate) fn make(&self, revision: Sequence, index: u16, limits: Limits) -> Result<Group, String> {
        self.admit(limits)?;
        // What an earlier start left in it has no business there.
        if let Some(left) = Group::there(&self.folder(revision, index)) {
            left.kill();
        }
        let group = Group::make(&self.folder(revision, index)).map_err(|error| error.to_string())?;
        group.limit(limits).map_err(|error| error.to_string())?;
        Ok(group)
    }

    /// Removes this root's part, where no instance is in it any more.
    pub(crate) fn leave(&self) {
        // Its groups are removed as their instances end; one that is still there keeps it.
        let _ = fs::remove_dir(&self.folder);
    }

    /// Whether limits can be kept here.
    ///
    /// # Errors
    /// A sentence: which one cannot, and why.
    pub(crate) fn admit(&self, limits: Limits) -> Result<(), String> {
        if limits.memory.is_some() {
            self.can.memory.clone()?;
        }
        if limits.cpu.is_some() {
            self.can.cpu.clone()?;
        }
        Ok(())
    }
}

/// The group in which this agent may arrange things: the one it was started in.
fn base(own: &Path) -> PathBuf {
    match (own.file_name(), own.parent()) {
        (Some(name), Some(parent)) if name == AGENT || name == CONTROL => parent.to_owned(),
        _ => own.to_owned(),
    }
}

/// A name that people know again and that is this root's alone: two folders of its path, and a hash of all.
fn name(root: &Root) -> String {
    let path = root.path();
    let parts: Vec<String> = path
        .components()
        .rev()
        .take(2)
        .map(|part| part.as_os_str().to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect())
        .collect();
    let hash = Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    let hash: String = hash.trim_start_matches("sha256:").chars().take(8).collect();
    format!("windlass-{}-{hash}", parts.into_iter().rev().collect::<Vec<_>>().join("-"))
}

/// The folder of the group that this process is in.
fn own_folder() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    locate(&mounts, &groups)
        .ok_or_else(|| "there is no control group of version 2: mount cgroup2 on /sys/fs/cgroup".to_owned())
}

/// From `mountinfo` (proc_pid_mountinfo(5)) and `cgroup` (cgroups(7)) of a process to its group's folder.
fn locate(mounts: &str, groups: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let below = group.strip_prefix(root.trim_end_matches('/'))?;
        Some(Path::new(point).join(below.trim_start_matches('/')))
    })
}

/// A group of systemd's is only arranged where systemd leaves it to us.
fn may_arrange(base: &Path) -> Result<(), String> {
    if is_delegated(base) || !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    Err(format!(
        "the control group {} is systemd's own: start the agent by a unit with `Delegate=yes` and \
         `DelegateSubgroup=agent`, as in templates/infrastructure/systemd",
        base.display()
    ))
}

fn is_delegated(base: &Path) -> bool {
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(base, DELEGATED, &mut value[..]);
    length.is_ok_and(|length| value.get(..length) == Some(b"1"))
}

/// Has a controller count for the groups in `folder`. The base must hold no process then, so the agent goes into a
/// group beside `folder`; the root of the whole tree alone may hold some.
fn enable(base: &Path, own: &Path, folder: &Path, controller: &str) -> Result<(), String> {
    let has = |folder: &Path| {
        let text = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        text.split_whitespace().any(|word| word == controller)
    };
    if !has(base) {
        return Err(format!(
            "the control group {} has no {controller} controller: it is not delegated, or belongs to version 1",
            base.display()
        ));
    }
    let order = format!("+{controller}");
    let tell = |folder: &Path| fs::write(folder.join("cgroup.subtree_control"), &order);
    let outcome = match tell(base) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy && own == base => {
            Group::make(&base.join(AGENT)).and_then(|agent| agent.enter()).and_then(|()| tell(base))
        }
        outcome => outcome,
    };
    outcome.and_then(|()| tell(folder)).map_err(|error| {
        format!(
            "the {controller} controller cannot be used below the control group {} ({error}): it holds other \
             processes than the agent, or is not writable; start the agent by its systemd unit",
            base.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_below_whatever_is_mounted() {
        let line = |root: &str, point: &str| {
            format!("30 23 0:26 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n")
        };
        let other = "29 23 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let cases = [
            (
                line("/", "/sys/fs/cgroup"),
                "0::/system.slice/a.service\n",
                Some("/sys/fs/cgroup/system.slice/a.service"),
            ),
            (format!("{other}{}", line("/", "/u")), "4:memory:/x\n0::/\n", Some("/u")),
            (line("/docker/7", "/cg"), "0::/docker/7/in\n", Some("/cg/in")),
            (line("/docker/7", "/cg"), "0::/elsewhere\n", None),
            (other.to_owned(), "4:memory:/x\n", None),
            (String::new(), "0::/\n", None),
        ];
        for (mounts, groups, folder) in cases {
            assert_eq!(locate(&mounts, groups).as_deref(), folder.map(Path::new), "{mounts}{groups}");
        }
    }
}
