//! A release on its way to a far host: one tar stream into a folder of its own there, and away again afterwards.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::link::{Link, SHORT};
use super::tar::Tar;
use crate::driver::{DriverError, Package};

/// `$1` the root, `$2` a name of this sending's own. What an earlier run left there is of no use to anybody: whoever
/// sends holds the fence.
const TAKE: &str = r#"
set -eu
umask 077
rm -rf "$1/incoming"
mkdir -p "$1/incoming/$2"
exec tar -x -p -o -f - -C "$1/incoming/$2"
"#;

/// `$1` the root.
const CLEAR: &str = r#"rm -rf "$1/incoming""#;

/// Sends a package's files, and gives the package as the far agent must read it.
pub(super) async fn send(
    link: &Link,
    root: &str,
    package: &Package,
    limit: Duration,
) -> Result<Package, DriverError> {
    const WHAT: &str = "send the release to";
    let token = crate::fenced::owner(String::new())?.run;
    let mut command = link.script(TAKE, &[root, &token], WHAT)?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    link.check()?;
    let cannot = |error: io::Error| link.refused(WHAT, &[error.to_string()]);
    let mut child = command.spawn().map_err(cannot)?;
    let piped = "it was piped";
    let input = child.stdin.take().expect(piped).into_owned_fd().map_err(cannot)?;
    let errors = child.stderr.take().expect(piped);
    let entries = entries(package)?;
    let sources = entries.clone();
    let sending = async {
        let written = tokio::task::spawn_blocking(move || write(input, &sources));
        let mut said = Vec::new();
        let mut errors = errors.take(64 * 1024);
        let (written, _, status) = tokio::join!(written, errors.read_to_end(&mut said), child.wait());
        (written, said, status)
    };
    let sent = tokio::time::timeout(limit, sending).await;
    let (written, said, status) = sent.map_err(|_| {
        let why = format!("it took longer than {} s", limit.as_secs());
        link.refused(WHAT, &[why])
    })?;
    let said: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
    // What could not be read here explains more than what the far end made of the rest.
    if let Ok(Err(error)) = &written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(DriverError::Judged { why: error.to_string(), log: Vec::new() });
    }
    match status {
        Ok(status) if status.success() && matches!(written, Ok(Ok(()))) => {}
        Ok(_) => {
            link.check()?;
            return Err(link.refused(WHAT, &said));
        }
        Err(error) => return Err(cannot(error)),
    }
    let there = |name: &Path| Path::new(root).join("incoming").join(&token).join(name);
    let mut names = entries.iter().map(|(name, _)| there(name));
    let artifact_path = package.artifact_path.as_ref().and_then(|_| names.next());
    let config_paths = package.config_paths.iter().map(|(name, _)| name.clone()).zip(names).collect();
    Ok(Package { artifact_path, config_paths, ..package.clone() })
}

/// Removes what was sent; the agent has its own copy.
pub(super) async fn clear(link: &Link, root: &str) -> Result<(), DriverError> {
    link.done(CLEAR, &[root], SHORT, "tidy up on").await.map(drop)
}

/// The name in the stream and the place here of the artifact, then of each part of the configuration. The artifact
/// keeps its own name, which the release may go by; the parts of the configuration are numbered.
fn entries(package: &Package) -> Result<Vec<(PathBuf, PathBuf)>, DriverError> {
    let mut entries = Vec::new();
    if let Some(path) = &package.artifact_path {
        let whole = path.canonicalize().ok();
        let name = path.file_name().or_else(|| whole.as_deref().and_then(Path::file_name));
        let name = name.ok_or_else(|| DriverError::Judged {
            why: format!("cannot read the artifact at {}", path.display()),
            log: Vec::new(),
        })?;
        entries.push((Path::new("artifact").join(name), path.clone()));
    }
    for (number, (_, path)) in package.config_paths.iter().enumerate() {
        entries.push((Path::new("config").join(number.to_string()), path.clone()));
    }
    Ok(entries)
}

fn write(input: OwnedFd, entries: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    let mut tar = Tar::new(BufWriter::with_capacity(256 * 1024, File::from(input)));
    for folder in ["artifact", "config"] {
        tar.empty_folder(Path::new(folder))?;
    }
    for (name, path) in entries {
        tar.tree(name, path)?;
    }
    tar.finish()?.flush()
}
