//! A staged release on its way from a far host to this machine: as a tar stream, unpacked and checked here.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Component, Path};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use windlass_domain::causes::chain;
use windlass_domain::digest::Digest;
use windlass_domain::release::Release;
use windlass_evidence::artifact;

use super::link::{Link, SHORT};
use super::untar::unpack;
use crate::driver::{DriverError, Package};

/// `$1` the root, `$2` a revision's number: what its agent knows of it.
const KNOWN: &str = r#"exec cat "$1/revisions/$2/revision.json""#;

/// The same: its files.
const GIVE: &str = r#"
cd "$1/revisions/$2"
exec tar -c -f - artifact config
"#;

/// What is read of an agent's `revision.json`.
#[derive(Debug, Deserialize)]
struct Known {
    artifact: Digest,
    /// The artifact's name, where it is a file.
    file: Option<String>,
    config: Option<Digest>,
    config_names: Vec<String>,
}

/// Brings a release's files into a folder, and gives the package that they are.
pub(super) async fn fetch(
    link: &Link,
    root: &str,
    release: &Release,
    into: &Path,
    limit: Duration,
) -> Result<Package, DriverError> {
    const WHAT: &str = "fetch the live release from";
    let number = release.sequence.0.to_string();
    let known = link.done(KNOWN, &[root, &number], SHORT, WHAT).await?;
    let known: Known =
        serde_json::from_slice(&known).map_err(|error| link.refused(WHAT, &[error.to_string()]))?;
    let is_plain = |name: &String| {
        let mut parts = Path::new(name).components();
        parts.clone().next().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    if known.artifact != release.artifact || known.config != release.config {
        return Err(other(release, "is another release than the ledger knows"));
    }
    if !known.file.iter().chain(&known.config_names).all(is_plain) {
        return Err(other(release, "has names that lead out of its folder"));
    }
    receive(link, &[root, &number], into, limit, WHAT).await?;
    let artifact_path = match &known.file {
        Some(file) => into.join("artifact").join(file),
        None => into.join("artifact"),
    };
    let (path, base, names) = (artifact_path.clone(), into.join("config"), known.config_names.clone());
    let seen = tokio::task::spawn_blocking(move || {
        Ok::<_, artifact::ArtifactError>((artifact::digest(&path)?, artifact::digest_all(&base, &names)?))
    });
    match seen.await {
        Ok(Ok((artifact, config))) if artifact == known.artifact && config == known.config => {}
        Ok(Ok(_)) => return Err(other(release, "is not what was staged there")),
        Ok(Err(error)) => return Err(link.refused(WHAT, &[chain(&error)])),
        Err(error) => return Err(link.refused(WHAT, &[error.to_string()])),
    }
    let config = into.join("config");
    Ok(Package {
        artifact: known.artifact,
        artifact_path: Some(artifact_path),
        config: known.config,
        config_paths: known.config_names.into_iter().map(|name| (name.clone(), config.join(name))).collect(),
        parameters: release.parameters.clone(),
    })
}

fn other(release: &Release, what: &str) -> DriverError {
    let why = format!("what lies there as {} {what}", release.sequence);
    DriverError::Judged { why, log: Vec::new() }
}

/// Unpacks what the far `tar` writes.
async fn receive(
    link: &Link,
    arguments: &[&str],
    into: &Path,
    limit: Duration,
    what: &str,
) -> Result<(), DriverError> {
    let cannot = |error: io::Error| link.refused(what, &[error.to_string()]);
    link.check()?;
    let mut command = link.script(GIVE, arguments, what)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(cannot)?;
    let piped = "it was piped";
    let output = child.stdout.take().expect(piped).into_owned_fd().map_err(cannot)?;
    let errors = child.stderr.take().expect(piped);
    let into = into.to_owned();
    let receiving = async {
        let unpacked = tokio::task::spawn_blocking(move || {
            let mut input = BufReader::with_capacity(256 * 1024, File::from(output));
            let unpacked = unpack(&mut input, &into);
            // Whatever was wrong, the far end is heard out, so that it can end.
            let _ = io::copy(&mut input.by_ref(), &mut io::sink());
            unpacked
        });
        let mut said = Vec::new();
        let mut errors = errors.take(64 * 1024);
        tokio::join!(unpacked, async { errors.read_to_end(&mut said).await.map(|_| said) }, child.wait())
    };
    let received = tokio::time::timeout(limit, receiving).await;
    let (unpacked, said, status) = received.map_err(|_| {
        let why = format!("it took longer than {} s", limit.as_secs());
        link.refused(what, &[why])
    })?;
    let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    match (status, unpacked) {
        (Ok(status), Ok(Ok(()))) if status.success() => Ok(()),
        (Ok(status), Ok(Err(error))) if status.success() => Err(cannot(error)),
        (Ok(_), _) => {
            link.check_soon().await?;
            Err(link.refused(what, &said.lines().map(str::to_owned).collect::<Vec<_>>()))
        }
        (Err(error), _) => Err(cannot(error)),
    }
}
