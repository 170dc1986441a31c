//! The files that `init` writes, and how each stands in a repository.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::topics;

use super::mark::{self, Mark};
use super::system::System;
use super::words::{self, Words};

/// A file that is written from a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template<'a> {
    /// Where it goes, relative to the repository.
    pub(super) path: &'a str,
    /// What it is made from.
    pub(super) text: &'a str,
    /// Whose it is once it is written.
    pub(super) owner: Owner,
}

/// Whose a file is once it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The user's: it is meant to be changed, and is never a drift.
    You,
    /// Ours: it is the same for everybody but for its words.
    Windlass,
}

/// What every repository gets, whatever its CI system.
pub(super) const COMMON: [Template<'static>; 3] = [
    Template {
        path: "windlass.yml",
        text: include_str!("../../../../templates/starters/windlass.yml"),
        owner: Owner::You,
    },
    Template {
        path: "windlass/build.sh",
        text: include_str!("../../../../templates/starters/build.sh.in"),
        owner: Owner::You,
    },
    Template {
        path: "windlass/test.sh",
        text: include_str!("../../../../templates/starters/test.sh.in"),
        owner: Owner::You,
    },
];

impl Template<'_> {
    /// The file as this version writes it.
    pub(super) fn written(&self, words: &Words) -> String {
        mark::marked(&words::fill(self.text, words), self.path, &words::taken(self.text, words))
    }
}

/// How a file stands in a repository.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is not there.
    Absent,
    /// It is there and `init` wrote it.
    Marked { text: String, mark: Mark },
    /// It is there, and somebody else wrote it.
    Foreign { text: String },
}

/// Looks at one.
///
/// # Errors
/// Unknown (3) when something is there that is no readable text file.
pub(super) fn standing(folder: &Path, path: &str) -> Result<Standing> {
    match fs::read_to_string(folder.join(path)) {
        Ok(text) => Ok(match mark::read(&text) {
            Some(mark) => Standing::Marked { text, mark },
            None => Standing::Foreign { text },
        }),
        Err(error)
            if error.kind() == ErrorKind::NotFound && folder.join(path).symlink_metadata().is_err() =>
        {
            Ok(Standing::Absent)
        }
        Err(error) => {
            Err(Failure::unknown(&topics::REPORT_FILE, format!("cannot read {path}")).because(error))
        }
    }
}

/// Where a system's pipeline goes: to its own place, or beside another's pipeline that is there.
///
/// # Errors
/// As [`standing`].
pub(super) fn place<'a>(system: &'a System, folder: &Path) -> Result<&'a str> {
    let own = system.starter.file.as_str();
    Ok(match (&system.starter.beside, standing(folder, own)?) {
        (Some(beside), Standing::Foreign { .. }) => beside,
        (_, Standing::Absent | Standing::Marked { .. } | Standing::Foreign { .. }) => own,
    })
}

/// The pipeline of a system, at a place.
pub(super) const fn pipeline<'a>(system: &'a System, path: &'a str) -> Template<'a> {
    Template { path, text: system.pipeline, owner: Owner::Windlass }
}
