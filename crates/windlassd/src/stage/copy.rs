//! Making a revision's folder: a copy under another name, checked, brought to the disk, and only then given its name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_domain::digest::Digest;
use windlass_domain::release::Sequence;
use windlass_evidence::artifact;
use windlass_target::host::control::Package;

use super::manifest::{MANIFEST, Manifest};
use super::tree::{remove, seal, sync_folder};
use super::{NotStaged, chained, fault, judged};
use crate::root::{Root, named, write_json};

/// Above so many files, one sync of the whole file system is cheaper than one for each.
const SYNC_EACH: usize = 256;

pub(super) fn copy(
    root: &Root,
    revision: Sequence,
    package: &Package,
    called_off: &AtomicBool,
) -> Result<Manifest, NotStaged> {
    let Some(source) = &package.artifact_path else {
        return Err(judged(format!("{revision} is not staged here, and its artifact has no path")));
    };
    let making = root.revisions().join(format!("{}.tmp", revision.0));
    remove(&making).map_err(fault)?;
    let mut copier = Copier { called_off, files: Vec::new() };
    let artifact = making.join("artifact");
    let is_folder = fs::metadata(source).map_err(|error| unreadable(error, source))?.is_dir();
    let file = if is_folder {
        copier.tree(source, &artifact)?;
        None
    } else {
        let name = source.file_name().and_then(|name| name.to_str());
        let name =
            name.ok_or_else(|| judged(format!("the artifact {} has no plain name", source.display())))?;
        make_folder(&artifact)?;
        copier.tree(source, &artifact.join(name))?;
        Some(name.to_owned())
    };
    let config = making.join("config");
    make_folder(&config)?;
    for (name, path) in &package.config_paths {
        let place = inside(&config, name)?;
        if let Some(parent) = place.parent() {
            make_folder(parent)?;
        }
        copier.tree(path, &place)?;
    }
    let manifest = Manifest {
        revision,
        artifact: package.artifact,
        file,
        config: package.config,
        config_names: package.config_paths.iter().map(|(name, _)| name.clone()).collect(),
        launch: package.launch.clone(),
    };
    check(&making, &manifest)?;
    copier.settle(&making)?;
    make_folder(&making.join("log"))?;
    write_json(&making.join(MANIFEST), &manifest).map_err(fault)?;
    take_place(root, revision, &making).map_err(fault)?;
    Ok(manifest)
}

/// Checks the copy itself, so that it does not matter what became of the original meanwhile.
fn check(making: &Path, manifest: &Manifest) -> Result<(), NotStaged> {
    let artifact = making.join("artifact");
    let path = manifest.file.as_ref().map_or_else(|| artifact.clone(), |file| artifact.join(file));
    let seen = artifact::digest(&path).map_err(|error| chained(&error))?;
    if seen != manifest.artifact {
        return Err(judged(format!("the artifact is {seen}, and {} was promised", manifest.artifact)));
    }
    let seen = artifact::digest_all(&making.join("config"), &manifest.config_names)
        .map_err(|error| chained(&error))?;
    if seen != manifest.config {
        let text =
            |digest: Option<Digest>| digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        return Err(judged(format!(
            "the configuration is {}, and {} was promised",
            text(seen),
            text(manifest.config)
        )));
    }
    Ok(())
}

fn take_place(root: &Root, revision: Sequence, making: &Path) -> io::Result<()> {
    let place = root.revision(revision);
    if place.exists() {
        let aside = root.revisions().join(format!("{}.old", revision.0));
        remove(&aside)?;
        fs::rename(&place, &aside).map_err(|error| named(error, "cannot put aside", &place))?;
        remove(&aside)?;
    }
    fs::rename(making, &place).map_err(|error| named(error, "cannot rename", making))?;
    sync_folder(&root.revisions())
}

/// A name from outside, as a path under `base` and never beside it.
fn inside(base: &Path, name: &str) -> Result<PathBuf, NotStaged> {
    let path = Path::new(name);
    let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    if plain && path.components().next().is_some() {
        Ok(base.join(path))
    } else {
        Err(judged(format!("the configuration's name {name:?} is not a plain relative path")))
    }
}

struct Copier<'a> {
    called_off: &'a AtomicBool,
    files: Vec<PathBuf>,
}

impl Copier<'_> {
    fn tree(&mut self, from: &Path, to: &Path) -> Result<(), NotStaged> {
        if self.called_off.load(Ordering::Relaxed) {
            return Err(NotStaged::CalledOff);
        }
        // The top may be a link to the artifact; links inside it are kept as links.
        let metadata = fs::metadata(from).map_err(|error| unreadable(error, from))?;
        if metadata.is_dir() { self.folder(from, to) } else { self.file(from, to, &metadata) }
    }

    fn folder(&mut self, from: &Path, to: &Path) -> Result<(), NotStaged> {
        make_folder(to)?;
        for entry in fs::read_dir(from).map_err(|error| unreadable(error, from))? {
            if self.called_off.load(Ordering::Relaxed) {
                return Err(NotStaged::CalledOff);
            }
            let entry = entry.map_err(|error| unreadable(error, from))?;
            let (source, place) = (entry.path(), to.join(entry.file_name()));
            let metadata = entry.metadata().map_err(|error| unreadable(error, &source))?;
            if metadata.is_dir() {
                self.folder(&source, &place)?;
            } else if metadata.is_symlink() {
                let target = fs::read_link(&source).map_err(|error| unreadable(error, &source))?;
                symlink(target, &place)
                    .map_err(|error| fault(named(error, "cannot make the link", &place)))?;
            } else if metadata.is_file() {
                self.file(&source, &place, &metadata)?;
            } else {
                return Err(judged(format!("{} is neither file, folder nor link", source.display())));
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path, metadata: &fs::Metadata) -> Result<(), NotStaged> {
        let mut source = File::open(from).map_err(|error| unreadable(error, from))?;
        let mut place = File::create_new(to).map_err(|error| fault(named(error, "cannot make", to)))?;
        io::copy(&mut source, &mut place).map_err(|error| fault(named(error, "cannot copy to", to)))?;
        // Without set-user-id bits and without write permission: what runs is what was checked.
        let mode = metadata.permissions().mode() & 0o555 | 0o400;
        place
            .set_permissions(Permissions::from_mode(mode))
            .map_err(|error| fault(named(error, "cannot set the mode of", to)))?;
        self.files.push(to.to_owned());
        Ok(())
    }

    /// Brings everything to the disk and makes the folders read-only.
    fn settle(&self, making: &Path) -> Result<(), NotStaged> {
        let sync = |path: &Path| {
            let file = File::open(path)?;
            if self.files.len() > SYNC_EACH { Ok(rustix::fs::syncfs(&file)?) } else { file.sync_all() }
        };
        let each = if self.files.len() > SYNC_EACH { &self.files[..1] } else { &self.files[..] };
        for path in each {
            sync(path).map_err(|error| fault(named(error, "cannot sync", path)))?;
        }
        for part in ["artifact", "config"] {
            seal(&making.join(part)).map_err(fault)?;
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<(), NotStaged> {
    fs::create_dir_all(path).map_err(|error| fault(named(error, "cannot make", path)))
}

/// A missing or forbidden original will be so again.
fn unreadable(error: io::Error, path: &Path) -> NotStaged {
    NotStaged::Judged(named(error, "cannot read", path).to_string())
}
