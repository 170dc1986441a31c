//! `Cargo.lock` files: finding them, reading them whole, and the manifests that have none.

use std::fs;
use std::io;
use std::path::Path;

use rustsec::Lockfile;

use super::database::first_line;
use crate::finding::Kind;
use crate::gap::Gap;
use crate::topics;
use crate::tree::{Entry, Sort, Tree};

/// A lock file that was read whole.
pub(crate) struct Lock {
    /// Its name in reports.
    pub(crate) name: String,
    /// The same as a URI.
    pub(crate) uri: String,
    /// What it says.
    pub(crate) file: Lockfile,
    text: String,
}

impl Lock {
    /// The line, from 1, on which a package's entry names it.
    pub(super) fn line_of(&self, package: &str, version: &str) -> Option<u64> {
        let name = format!("name = \"{package}\"");
        let version = format!("version = \"{version}\"");
        let mut lines = self.text.lines().map(str::trim).enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            if line == name && lines.peek().is_some_and(|(_, next)| *next == version) {
                return Some(index as u64 + 1);
            }
        }
        None
    }
}

/// The lock files of a tree, and what is missing of them.
#[derive(Default)]
pub(super) struct Found {
    pub(super) locks: Vec<Lock>,
    pub(super) gaps: Vec<Gap>,
}

/// Finds every `Cargo.lock`, and every `Cargo.toml` for which there is none in its folder or above it in the tree.
pub(super) fn find(tree: &Tree) -> Found {
    let mut found = Found::default();
    let named = |name: &'static str| tree.entries.iter().filter(move |entry| file_name(entry) == name);
    let locks: Vec<&Entry> = named("Cargo.lock").collect();
    for entry in &locks {
        match read(entry) {
            Ok(lock) => found.locks.push(lock),
            Err(why) => {
                found.gaps.push(Gap::new(Kind::Dependency, &topics::LOCK_UNREADABLE, &entry.name, why))
            }
        }
    }
    let folders: Vec<&Path> = locks.iter().filter_map(|entry| entry.path.parent()).collect();
    let bare = named("Cargo.toml")
        .filter(|manifest| !manifest.path.ancestors().any(|above| folders.contains(&above)));
    // One gap for the topmost manifest is enough: its lock file would hold the others' packages too.
    let mut covered: Vec<&Path> = Vec::new();
    for manifest in bare {
        let Some(folder) = manifest.path.parent() else { continue };
        if folder.ancestors().any(|above| covered.contains(&above)) {
            continue;
        }
        covered.push(folder);
        found.gaps.push(
            Gap::new(Kind::Dependency, &topics::LOCK_MISSING, &manifest.name, "no Cargo.lock beside it or above it")
                .next("run `cargo generate-lockfile` and commit Cargo.lock (a lock file that .gitignore excludes is not in the repository)"),
        );
    }
    found
}

fn file_name(entry: &Entry) -> &str {
    entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The largest lock file that is read, in bytes: the largest known workspaces have 2 MB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads a lock file. The message never quotes its content, which may hold a secret.
fn read(entry: &Entry) -> Result<Lock, String> {
    match entry.sort {
        // A link is followed here, and only here: a lock file that is a link is still the one that Cargo reads.
        Sort::File | Sort::Link => {}
        Sort::Folder | Sort::Special => return Err("it is not a file".to_owned()),
    }
    let text = read_text(&entry.path).map_err(|error| error.to_string())?;
    if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
        return Err("it has unresolved merge conflicts".to_owned());
    }
    let file: Lockfile =
        text.parse().map_err(|error: rustsec::cargo_lock::Error| place_only(&error.to_string()))?;
    if file.packages.is_empty() {
        return Err("it names no package; even a crate without dependencies names itself".to_owned());
    }
    // A lock file that was cut between two packages still parses: its dependencies give it away.
    let known: std::collections::BTreeSet<_> =
        file.packages.iter().map(|package| (package.name.as_str(), &package.version)).collect();
    let dangling = file
        .packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .find(|dependency| !known.contains(&(dependency.name.as_str(), &dependency.version)));
    if dangling.is_some() {
        return Err("it is truncated: a package depends on one that is not in it".to_owned());
    }
    Ok(Lock { name: entry.name.clone(), uri: entry.uri.clone(), file, text })
}

fn read_text(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    fs::read_to_string(path)
}

/// Of a parser's message only the line and the column, where it has them: the rest may quote the file.
fn place_only(message: &str) -> String {
    let line = first_line(message);
    let number = |after: &str| {
        let rest = &line[line.find(after)? + after.len()..];
        rest.split(|character: char| !character.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    match (number("at line "), number("column ")) {
        (Some(line), Some(column)) => {
            format!("it is not a lock file: parse error at line {line}, column {column}")
        }
        _ => "it is not a lock file, or it is truncated".to_owned(),
    }
}
