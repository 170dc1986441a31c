//! Logs that were put aside: `0.log.1` is the newest, and so many are kept.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::root::named;

/// The log's name with something after it.
pub(crate) fn place(log: &Path, suffix: impl Display) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    name.into()
}

/// When the newest of them was put aside; `None` where there is none.
pub(super) fn newest(log: &Path) -> Option<SystemTime> {
    fs::metadata(place(log, 1)).ok()?.modified().ok()
}

/// Makes `file` the newest of them, and removes those that are more than `keep`.
pub(super) fn put(log: &Path, file: &Path, keep: u16) -> io::Result<()> {
    let keep = u32::from(keep);
    let mut last = 0;
    while place(log, last + 1).exists() {
        last += 1;
    }
    for number in (keep.max(1)..=last).rev() {
        remove(&place(log, number))?;
    }
    for number in (1..=last).rev().filter(|number| *number < keep) {
        rename(&place(log, number), &place(log, number + 1))?;
    }
    if keep == 0 { remove(file) } else { rename(file, &place(log, 1)) }
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).map_err(|error| named(error, "cannot remove", path))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).map_err(|error| named(error, "cannot rename", from))
}
