//! The agent's folder: what lies where, and the lock that makes it one agent's own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_domain::release::Sequence;
use windlass_target::host::control::{LEDGER, SOCKET};

/// The longest path that a Unix socket may have, in bytes: `sun_path` less its zero byte.
pub(crate) const SOCKET_PATH: usize = 107;

/// The folder, and the names in it.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

/// The lock on a root. It lasts as long as any process has the file open that it was taken by: it is free when its
/// holder ends, however that happens, unless it was handed over before.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// Why a root could not be locked.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// By the agent with this process number, as far as it is known.
    Taken(Option<u32>),
    /// The folder or the lock file cannot be used.
    Io(io::Error),
}

impl Root {
    /// Makes the folder, mode 0700, where it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let root = Self(path.canonicalize()?);
        fs::create_dir_all(root.revisions())?;
        Ok(root)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.0.join(LEDGER)
    }

    pub(crate) fn batch(&self) -> PathBuf {
        self.0.join("ledger.batch.json")
    }

    pub(crate) fn fence(&self) -> PathBuf {
        self.0.join("fence.json")
    }

    pub(crate) fn agent(&self) -> PathBuf {
        self.0.join("agent.json")
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.0.join("instances.json")
    }

    pub(crate) fn weights(&self) -> PathBuf {
        self.0.join("weights.json")
    }

    pub(crate) fn access_log(&self) -> PathBuf {
        self.0.join("access.log")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("agent.log")
    }

    /// What an agent wrote before it had its log, or when it broke.
    pub(crate) fn output(&self) -> PathBuf {
        self.0.join("agent.out")
    }

    pub(crate) fn revisions(&self) -> PathBuf {
        self.0.join("revisions")
    }

    pub(crate) fn revision(&self, revision: Sequence) -> PathBuf {
        self.revisions().join(revision.0.to_string())
    }

    pub(crate) fn instance_log(&self, revision: Sequence, index: u16) -> PathBuf {
        self.revision(revision).join("log").join(format!("{index}.log"))
    }

    /// Takes the lock, and notes this process in it.
    pub(crate) fn lock(&self) -> Result<Lock, NotLocked> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(self.0.join("agent.lock"))
            .map_err(NotLocked::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                return Err(NotLocked::Taken(text.trim().parse().ok()));
            }
            Err(TryLockError::Error(error)) => return Err(NotLocked::Io(error)),
        }
        let lock = Lock(file);
        lock.note().map_err(NotLocked::Io)?;
        Ok(lock)
    }
}

impl Lock {
    /// The lock that another agent took and handed over.
    pub(crate) fn handed_over(fd: OwnedFd) -> Self {
        Self(File::from(fd))
    }

    /// Notes this process in it, for whoever finds it taken.
    pub(crate) fn note(&self) -> io::Result<()> {
        let mut file = &self.0;
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        file.sync_all()
    }

    /// The file, for another agent.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads a JSON file of ours; `None` where there is none.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("cannot read {}: {error}", path.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(error, "cannot read", path)),
    }
}

/// Writes a JSON file of ours whole.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec_pretty(value)?;
    windlass_ci::file::write_whole(path, &bytes).map_err(|error| named(error, "cannot write", path))
}

/// An I/O error with what was attempted, and on what.
pub(crate) fn named(error: io::Error, attempt: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{attempt} {}: {error}", path.display()))
}
