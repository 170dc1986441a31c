//! What is known of a staged revision.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_domain::digest::Digest;
use windlass_domain::policy::Logs;
use windlass_domain::release::Sequence;
use windlass_target::host::control::{Launch, Package};

use super::tree::remove;
use crate::root::{Root, named, read_json};
use crate::rotation::Rule;

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

/// The name of the file that makes a folder a staged revision.
pub(super) const MANIFEST: &str = "revision.json";

impl Manifest {
    /// Reads one; `None` where the revision is not staged.
    pub(crate) fn read(root: &Root, revision: Sequence) -> io::Result<Option<Self>> {
        read_json(&root.revision(revision).join(MANIFEST))
    }

    /// When its instances' logs are rotated.
    pub(crate) fn rule(&self) -> Rule {
        let Logs { size, age, keep } = self.launch.logs;
        Rule { size: size.get(), age: age.get(), keep }
    }

    /// The folder that it is started in.
    pub(crate) fn folder(&self, root: &Root) -> PathBuf {
        root.revision(self.revision).join("artifact")
    }

    pub(super) fn artifact_path(&self, root: &Root) -> PathBuf {
        match &self.file {
            Some(file) => self.folder(root).join(file),
            None => self.folder(root),
        }
    }

    pub(super) fn is_of(&self, package: &Package) -> bool {
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
