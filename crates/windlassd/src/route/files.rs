//! Files of the place's that are read again when they change: their new content takes the old one's place only when
//! it can be used.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwapOption, Guard};

use crate::locked::lock;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Something that is read from files.
pub(super) struct Watched<T> {
    paths: Vec<PathBuf>,
    make: fn(&[PathBuf]) -> Result<T, String>,
    value: ArcSwapOption<T>,
    last: Mutex<Last>,
}

/// The last try.
struct Last {
    stamps: Vec<Option<Stamp>>,
    failed: bool,
}

/// What tells one content of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// What became of another look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is new.
    Same,
    /// The new content is in use.
    Read,
    /// It cannot be used; what was read before stays.
    Failed(String),
}

impl<T> Watched<T> {
    /// Reads the files for the first time, or says why that cannot be.
    pub(super) fn open(
        paths: Vec<PathBuf>,
        make: fn(&[PathBuf]) -> Result<T, String>,
    ) -> Result<Self, String> {
        let watched = Self::hope(paths, make);
        match watched.look() {
            Look::Same | Look::Read => Ok(watched),
            Look::Failed(why) => Err(why),
        }
    }

    /// The same for an agent that takes up its work again: the files are looked for until they are there.
    pub(super) fn hope(paths: Vec<PathBuf>, make: fn(&[PathBuf]) -> Result<T, String>) -> Self {
        let last = Mutex::new(Last { stamps: Vec::new(), failed: true });
        Self { paths, make, value: ArcSwapOption::empty(), last }
    }

    /// What was last read; `None` where it never could be.
    pub(super) fn get(&self) -> Guard<Option<Arc<T>>> {
        self.value.load()
    }

    /// Reads the files again if they changed.
    pub(super) fn look(&self) -> Look {
        let mut last = lock(&self.last);
        let stamps: Vec<Option<Stamp>> = self.paths.iter().map(|path| Stamp::of(path)).collect();
        let is_new = stamps != last.stamps;
        if !is_new && !last.failed {
            return Look::Same;
        }
        last.stamps = stamps;
        match (self.make)(&self.paths) {
            Ok(value) => {
                self.value.store(Some(Arc::new(value)));
                last.failed = false;
                Look::Read
            }
            Err(why) => {
                last.failed = true;
                // The same failure is told once.
                if is_new { Look::Failed(why) } else { Look::Same }
            }
        }
    }
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let of = fs::metadata(path).ok()?;
        Some(Self {
            device: of.dev(),
            inode: of.ino(),
            size: of.size(),
            changed: (of.mtime(), of.mtime_nsec()),
        })
    }
}

/// A whole file, which must be a plain one of a sensible size.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(paths: &[PathBuf]) -> Result<u32, String> {
        let text = read(&paths[0]).map_err(|error| error.to_string())?;
        String::from_utf8_lossy(&text).trim().parse().map_err(|_| "no number".to_owned())
    }

    #[test]
    fn a_new_content_that_cannot_be_used_keeps_the_old_one_and_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        assert!(Watched::open(vec![path.clone()], number).is_err(), "it is not there");
        fs::write(&path, "1").unwrap();
        let watched = Watched::open(vec![path.clone()], number).unwrap();
        assert_eq!(watched.look(), Look::Same);
        fs::write(&path, "nonsense").unwrap();
        assert_eq!(watched.look(), Look::Failed("no number".to_owned()));
        assert_eq!(watched.look(), Look::Same);
        assert_eq!(watched.get().as_deref(), Some(&1));
        fs::remove_file(&path).unwrap();
        assert!(matches!(watched.look(), Look::Failed(_)));
        fs::write(folder.path().join("next"), "2").unwrap();
        fs::rename(folder.path().join("next"), &path).unwrap();
        assert_eq!(watched.look(), Look::Read);
        assert_eq!(watched.get().as_deref(), Some(&2));
    }
}
