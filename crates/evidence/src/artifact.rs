//! The digest of an artifact: a file's bytes, or a folder's manifest.
//!
//! A folder's digest is the sha256 of its manifest: one line an entry, sorted by path, of
//! `file|exec|link SP sha256-hex SP path LF`, where a link's digest is that of its target text. Times, owners and
//! empty folders do not count; `/` separates; a name that is not UTF-8 or has a line break is refused.
//!
//! Where the system does not keep which files are executable, as on Windows, a folder has no digest: it would be another
//! one than where the folder was built or is deployed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use windlass_domain::digest::Digest;

/// Why an artifact has no digest.
#[derive(Debug)]
pub enum ArtifactError {
    /// It does not exist.
    Missing(PathBuf),
    /// It is a folder without a single file.
    Empty(PathBuf),
    /// It changed while it was read.
    Changed(PathBuf),
    /// A name that cannot be written in a manifest, or something that is neither file, folder nor link.
    Unsupported(PathBuf),
    /// It is a folder, and this system does not keep which of its files are executable.
    NoModes(PathBuf),
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
}

impl std::fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "no artifact at {}", path.display()),
            Self::Empty(path) => write!(f, "no file in the artifact folder {}", path.display()),
            Self::Changed(path) => write!(f, "{} changed while it was read", path.display()),
            Self::Unsupported(path) => {
                write!(f, "cannot release {:?}: not a file, folder or link with a plain name", path)
            }
            Self::NoModes(path) => write!(
                f,
                "the folder {} has no digest on this system, which does not keep which files are executable: pack it \
                 into one file, or give the digest itself with --artifact sha256:HEX",
                path.display()
            ),
            Self::Unreadable(path, _) => write!(f, "cannot read {}", path.display()),
        }
    }
}

impl std::error::Error for ArtifactError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, source) => Some(source),
            Self::Missing(_)
            | Self::Empty(_)
            | Self::Changed(_)
            | Self::Unsupported(_)
            | Self::NoModes(_) => None,
        }
    }
}

/// One entry of a folder's manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ManifestLine {
    path: String,
    kind: &'static str,
    digest: Digest,
}

/// The digest of the file or folder at `path`.
///
/// # Errors
/// See [`ArtifactError`]. Anything in it that is not at the end as it was at the beginning counts as changed: a
/// digest names one state, never a mixture of two.
pub fn digest(path: &Path) -> Result<Digest, ArtifactError> {
    let metadata = stat(path)?;
    if metadata.is_file() {
        return file(path, &metadata);
    }
    if !metadata.is_dir() {
        return Err(ArtifactError::Unsupported(path.to_owned()));
    }
    if !cfg!(unix) {
        return Err(ArtifactError::NoModes(path.to_owned()));
    }
    let mut walk = Walk { lines: Vec::new(), seen: Vec::new() };
    walk.folder(path, &metadata, "")?;
    walk.check_unchanged(path)?;
    if walk.lines.is_empty() {
        return Err(ArtifactError::Empty(path.to_owned()));
    }
    Ok(manifest(walk.lines))
}

/// The digest of several files and folders together, by their names in `names`; `None` when there are none. It is
/// that of a manifest of their digests, where a folder's kind is `folder`.
///
/// # Errors
/// As [`digest`].
pub fn digest_all(base: &Path, names: &[String]) -> Result<Option<Digest>, ArtifactError> {
    let mut lines = Vec::new();
    for name in names {
        let path = base.join(name);
        if name.contains(['\n', '\r']) {
            return Err(ArtifactError::Unsupported(path));
        }
        let kind = if stat(&path)?.is_dir() { "folder" } else { "file" };
        lines.push(ManifestLine {
            path: name.trim_end_matches('/').to_owned(),
            kind,
            digest: digest(&path)?,
        });
    }
    Ok((!lines.is_empty()).then(|| manifest(lines)))
}

fn manifest(mut lines: Vec<ManifestLine>) -> Digest {
    lines.sort();
    let text: String =
        lines.iter().map(|line| format!("{} {} {}\n", line.kind, line.digest.hex(), line.path)).collect();
    Digest::of(text.as_bytes())
}

fn stat(path: &Path) -> Result<Metadata, ArtifactError> {
    fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ArtifactError::Missing(path.to_owned()),
        _ => ArtifactError::Unreadable(path.to_owned(), error),
    })
}

/// What tells one state of a file or folder from another.
#[derive(Debug, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
    /// Inode and time of change, which nobody can set back.
    identity: (u64, i64, i64),
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }
}

/// A walk over a folder: its manifest so far, and all that was seen, for one more look at the end.
struct Walk {
    lines: Vec<ManifestLine>,
    seen: Vec<(PathBuf, State)>,
}

impl Walk {
    fn folder(&mut self, path: &Path, metadata: &Metadata, prefix: &str) -> Result<(), ArtifactError> {
        let failed = |error| vanished_or_unreadable(path, error);
        self.seen.push((path.to_owned(), State::of(metadata)));
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let place = entry.path();
            let unsupported = || ArtifactError::Unsupported(place.clone());
            let failed = |error| vanished_or_unreadable(&place, error);
            let name = entry.file_name().into_string().map_err(|_| unsupported())?;
            if name.contains(['\n', '\r']) {
                return Err(unsupported());
            }
            let name = format!("{prefix}{name}");
            let metadata = entry.metadata().map_err(failed)?;
            if metadata.is_dir() {
                self.folder(&place, &metadata, &format!("{name}/"))?;
                continue;
            }
            let (kind, digest) = if metadata.is_symlink() {
                let target = fs::read_link(&place).map_err(failed)?;
                ("link", Digest::of(target.to_str().ok_or_else(unsupported)?.as_bytes()))
            } else if metadata.is_file() {
                (if is_executable(&metadata) { "exec" } else { "file" }, file(&place, &metadata)?)
            } else {
                return Err(unsupported());
            };
            self.lines.push(ManifestLine { path: name, kind, digest });
            self.seen.push((place, State::of(&metadata)));
        }
        Ok(())
    }

    /// Looks at everything once more. The root may itself be a link to the folder; nothing below it is followed.
    fn check_unchanged(&self, root: &Path) -> Result<(), ArtifactError> {
        for (path, before) in &self.seen {
            let after = if path == root { fs::metadata(path) } else { fs::symlink_metadata(path) };
            let after = after.map_err(|error| vanished_or_unreadable(path, error))?;
            if State::of(&after) != *before {
                return Err(ArtifactError::Changed(path.clone()));
            }
        }
        Ok(())
    }
}

/// What was listed a moment ago and is gone has changed.
fn vanished_or_unreadable(path: &Path, error: io::Error) -> ArtifactError {
    match error.kind() {
        io::ErrorKind::NotFound => ArtifactError::Changed(path.to_owned()),
        _ => ArtifactError::Unreadable(path.to_owned(), error),
    }
}

fn file(path: &Path, before: &Metadata) -> Result<Digest, ArtifactError> {
    let unreadable = |error| ArtifactError::Unreadable(path.to_owned(), error);
    let mut file = File::open(path).map_err(|error| vanished_or_unreadable(path, error))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut length = 0_u64;
    loop {
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        length += count as u64;
        hash.update(&buffer[..count]);
    }
    let after = file.metadata().map_err(unreadable)?;
    if after.len() != length || State::of(before) != State::of(&after) {
        return Err(ArtifactError::Changed(path.to_owned()));
    }
    Ok(Digest::from_bytes(hash.finalize().into()))
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}
