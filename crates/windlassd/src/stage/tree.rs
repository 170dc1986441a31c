//! Trees of files on the disk: made read-only, and removed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::root::named;

/// Makes the folders of a tree read-only and brings them to the disk.
pub(super) fn seal(folder: &Path) -> io::Result<()> {
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

/// Brings a folder's names to the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| named(error, "cannot sync", path))
}
