//! The digest of an artifact: a file's bytes, or a folder's manifest.
//!
//! A folder's digest is the sha256 of its manifest: one line an entry, sorted by path, of
//! `file|exec|link SP sha256-hex SP path LF`, where a link's digest is that of its target text. Times, owners and
//! empty folders do not count; `/` separates; a name that is not UTF-8 or has a line break is refused.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

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
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
}

impl std::fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "no artifact at {}", path.display()),
            Self::Empty(path) => write!(f, "no file in the artifact folder {}", path.display()),
            Self::Changed(path) => write!(f, "{} changed while it was read", path.display()),
            Self::Unsupported(path) => write!(f, "cannot release {:?}: not a file, folder or link with a plain name", path),
            Self::Unreadable(path, _) => write!(f, "cannot read {}", path.display()),
        }
    }
}

impl std::error::Error for ArtifactError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, source) => Some(source),
            Self::Missing(_) | Self::Empty(_) | Self::Changed(_) | Self::Unsupported(_) => None,
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
/// See [`ArtifactError`]. A file whose size or time of change differs after reading counts as changed.
pub fn digest(path: &Path) -> Result<Digest, ArtifactError> {
    let metadata = stat(path)?;
    if metadata.is_file() {
        return file(path, &metadata);
    }
    if !metadata.is_dir() {
        return Err(ArtifactError::Unsupported(path.to_owned()));
    }
    let mut lines = Vec::new();
    folder(path, "", &mut lines)?;
    if lines.is_empty() {
        return Err(ArtifactError::Empty(path.to_owned()));
    }
    Ok(manifest(lines))
}

/// The digest of several files and folders together, by their names in `names`; `None` when there are none.
///
/// # Errors
/// As [`digest`].
pub fn digest_all(base: &Path, names: &[String]) -> Result<Option<Digest>, ArtifactError> {
    let mut lines = Vec::new();
    for name in names {
        lines.push(ManifestLine {
            path: name.trim_end_matches('/').to_owned(),
            kind: "file",
            digest: digest(&base.join(name))?,
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

fn folder(path: &Path, prefix: &str, lines: &mut Vec<ManifestLine>) -> Result<(), ArtifactError> {
    let unreadable = |error| ArtifactError::Unreadable(path.to_owned(), error);
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let unsupported = || ArtifactError::Unsupported(entry.path());
        let name = entry.file_name().into_string().map_err(|_| unsupported())?;
        if name.contains(['\n', '\r']) {
            return Err(unsupported());
        }
        let name = format!("{prefix}{name}");
        let metadata = entry.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            folder(&entry.path(), &format!("{name}/"), lines)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(unreadable)?;
            let target = target.to_str().ok_or_else(unsupported)?;
            lines.push(ManifestLine { path: name, kind: "link", digest: Digest::of(target.as_bytes()) });
        } else if metadata.is_file() {
            let kind = if is_executable(&metadata) { "exec" } else { "file" };
            lines.push(ManifestLine { path: name, kind, digest: file(&entry.path(), &metadata)? });
        } else {
            return Err(unsupported());
        }
    }
    Ok(())
}

fn file(path: &Path, before: &Metadata) -> Result<Digest, ArtifactError> {
    let unreadable = |error| ArtifactError::Unreadable(path.to_owned(), error);
    let mut file = File::open(path).map_err(unreadable)?;
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
    if after.len() != length || before.len() != length || after.modified().ok() != before.modified().ok() {
        return Err(ArtifactError::Changed(path.to_owned()));
    }
    Ok(Digest::from_bytes(hash.finalize().into()))
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
