//! Staging: copies a release into the root, checks that the copy is what was promised, and only then gives it its name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use windlass_domain::digest::Digest;
use windlass_domain::release::Sequence;
use windlass_evidence::artifact::{self, ArtifactError};
use windlass_target::host::control::{Launch, Package};

use crate::root::{Root, named, read_json, write_json};

/// What is known of a staged revision: `revision.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Its number.
    pub(crate) revision: Sequence,
    /// The digest of its artifact.
    pub(crate) artifact: Digest,
    /// The artifact's file name, where it is a file and not a folder.
    pub(crate) file: Option<String>,
    /// The digest of its configuration.
    pub(crate) config: Option<Digest>,
    /// The names of its configuration's files and folders.
    pub(crate) config_names: Vec<String>,
    /// How it is started.
    pub(crate) launch: Launch,
}

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

/// The name of the file that makes a folder a staged revision.
const MANIFEST: &str = "revision.json";

impl Manifest {
    /// Reads one; `None` where the revision is not staged.
    pub(crate) fn read(root: &Root, revision: Sequence) -> io::Result<Option<Self>> {
        read_json(&root.revision(revision).join(MANIFEST))
    }

    /// The folder that it is started in.
    pub(crate) fn folder(&self, root: &Root) -> PathBuf {
        root.revision(self.revision).join("artifact")
    }

    fn artifact_path(&self, root: &Root) -> PathBuf {
        match &self.file {
            Some(file) => self.folder(root).join(file),
            None => self.folder(root),
        }
    }

    fn is_of(&self, package: &Package) -> bool {
        self.artifact == package.artifact && self.config == package.config && self.launch == package.launch
    }
}

/// Every staged revision, oldest first. Half-made folders of an agent that was killed are removed.
pub(crate) fn staged(root: &Root) -> io::Result<Vec<Manifest>> {
    let folder = root.revisions();
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| named(error, "cannot list", &folder))? {
        let path = entry.map_err(|error| named(error, "cannot list", &folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.parse() {
            Ok(number) => found.extend(Manifest::read(root, Sequence(number))?),
            Err(_) if name.ends_with(".tmp") || name.ends_with(".old") => remove(&path)?,
            Err(_) => {}
        }
    }
    found.sort_by_key(|manifest| manifest.revision);
    Ok(found)
}

/// Has the revision staged: verifies it where it is, else copies it. `running` says that its processes run.
pub(crate) fn stage(
    root: &Root,
    revision: Sequence,
    package: Option<&Package>,
    running: bool,
    called_off: &AtomicBool,
) -> Result<Manifest, NotStaged> {
    let there = Manifest::read(root, revision).map_err(fault)?;
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
    copy(root, revision, package, called_off)
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

fn copy(
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

/// Above so many files, one sync of the whole file system is cheaper than one for each.
const SYNC_EACH: usize = 256;

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

fn seal(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| named(error, "cannot list", folder))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            seal(&entry.path())?;
        }
    }
    sync_folder(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o555))
        .map_err(|error| named(error, "cannot set the mode of", folder))
}

/// Removes a tree, read-only folders included; nothing there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(named(error, "cannot look at", path)),
    };
    if !metadata.is_dir() {
        return fs::remove_file(path).map_err(|error| named(error, "cannot remove", path));
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(|error| named(error, "cannot set the mode of", path))?;
    for entry in fs::read_dir(path).map_err(|error| named(error, "cannot list", path))? {
        remove(&entry?.path())?;
    }
    fs::remove_dir(path).map_err(|error| named(error, "cannot remove", path))
}

fn make_folder(path: &Path) -> Result<(), NotStaged> {
    fs::create_dir_all(path).map_err(|error| fault(named(error, "cannot make", path)))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| named(error, "cannot sync", path))
}

fn judged(why: String) -> NotStaged {
    NotStaged::Judged(why)
}

#[expect(clippy::needless_pass_by_value, reason = "it ends the error's way")]
fn fault(error: io::Error) -> NotStaged {
    NotStaged::Fault(error.to_string())
}

/// A missing or forbidden original will be so again.
fn unreadable(error: io::Error, path: &Path) -> NotStaged {
    NotStaged::Judged(named(error, "cannot read", path).to_string())
}

fn chained(error: &ArtifactError) -> NotStaged {
    match std::error::Error::source(error) {
        Some(source) => NotStaged::Fault(format!("{error}: {source}")),
        None => NotStaged::Judged(error.to_string()),
    }
}
