//! Staging: copies a release into the root, checks that the copy is what was promised, and only then gives it its name.

mod copy;
mod manifest;
mod tree;

use std::io;
use std::sync::atomic::AtomicBool;

use windlass_domain::release::Sequence;
use windlass_evidence::artifact::{self, ArtifactError};
use windlass_target::host::control::Package;
use windlass_target::host::secrets;

pub(crate) use self::manifest::{Manifest, staged};
pub(crate) use self::tree::remove;
use crate::root::Root;

/// Why a revision was not staged.
#[derive(Debug)]
pub(crate) enum NotStaged {
    /// It will not be, however often it is tried.
    Judged(String),
    /// The disk or the system refuses.
    Fault(String),
    /// It was called off.
    CalledOff,
}

/// Has the revision staged: verifies it where it is, else copies it. `running` says that its processes run. What it
/// could not be started with is judged before anything is copied.
pub(crate) fn stage(
    root: &Root,
    revision: Sequence,
    package: Option<&Package>,
    running: bool,
    called_off: &AtomicBool,
) -> Result<Manifest, NotStaged> {
    let there = Manifest::read(root, revision).map_err(fault)?;
    let launch = package.map(|package| &package.launch).or_else(|| there.as_ref().map(|there| &there.launch));
    if let Some(launch) = launch.filter(|_| !running) {
        secrets::contents(&launch.secrets).map_err(judged)?;
    }
    let sound = match &there {
        Some(manifest) => verify(root, manifest)?,
        None => false,
    };
    let Some(package) = package else {
        return match there {
            Some(manifest) if sound => Ok(manifest),
            Some(_) => Err(judged(format!("the staged files of {revision} are not what was staged"))),
            None => Err(judged(format!("{revision} is not staged here, and no artifact was given"))),
        };
    };
    if let Some(manifest) = there {
        if sound && manifest.is_of(package) {
            return Ok(manifest);
        }
        if running {
            return Err(judged(format!(
                "{revision} runs here already, from another artifact or configuration"
            )));
        }
    }
    copy::copy(root, revision, package, called_off)
}

fn verify(root: &Root, manifest: &Manifest) -> Result<bool, NotStaged> {
    let artifact = match artifact::digest(&manifest.artifact_path(root)) {
        Ok(digest) => digest == manifest.artifact,
        Err(error @ ArtifactError::Unreadable(..)) => return Err(chained(&error)),
        Err(_) => false,
    };
    let base = root.revision(manifest.revision).join("config");
    let config = match artifact::digest_all(&base, &manifest.config_names) {
        Ok(digest) => digest == manifest.config,
        Err(error @ ArtifactError::Unreadable(..)) => return Err(chained(&error)),
        Err(_) => false,
    };
    Ok(artifact && config)
}

fn judged(why: String) -> NotStaged {
    NotStaged::Judged(why)
}

#[expect(clippy::needless_pass_by_value, reason = "it ends the error's way")]
fn fault(error: io::Error) -> NotStaged {
    NotStaged::Fault(error.to_string())
}

fn chained(error: &ArtifactError) -> NotStaged {
    match std::error::Error::source(error) {
        Some(source) => NotStaged::Fault(format!("{error}: {source}")),
        None => NotStaged::Judged(error.to_string()),
    }
}
