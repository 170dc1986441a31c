//! The tree that is scanned: which files it has, by the names that reports use, and which could not be listed.
//!
//! Inside a git repository, what its own `.gitignore` files exclude is not in the repository and is not listed. The
//! user's global excludes and `.git/info/exclude` do not count: they would make a laptop and a CI runner disagree.
//! `.git` itself and folders `target` that Cargo marked as a cache are left out. Symbolic links are never followed:
//! what they point to is in the tree itself, or not part of it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// A file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its name in reports: relative to the repository's root, with `/`; comes from outside.
    pub(crate) name: String,
    /// The same as a relative URI reference.
    pub(crate) uri: String,
    /// What it is.
    pub(crate) sort: Sort,
}

/// What an entry of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, a pipe or a device: opening it could wait for ever.
    Special,
}

/// A tree, listed.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Everything but plain folders, sorted by path. A folder is listed only where its name is a file's, such as
    /// `Cargo.lock`.
    pub(crate) entries: Vec<Entry>,
    /// What could not be listed: the place and why.
    pub(crate) unreadable: Vec<(String, String)>,
}

/// Lists the tree at `root`, with names relative to the repository that it is in, else to `folder` where that is
/// above it, else to itself.
///
/// # Errors
/// When `root` itself does not exist or cannot be read.
pub(crate) fn list(root: &Path, folder: &Path) -> io::Result<Tree> {
    let root = fs::canonicalize(root)?;
    if root.is_dir() {
        fs::read_dir(&root)?;
    }
    let base = base(&root, folder);
    let mut tree = Tree::default();
    let walk = WalkBuilder::new(&root)
        .hidden(false)
        .ignore(false)
        .git_global(false)
        .git_exclude(false)
        .follow_links(false)
        .sort_by_file_name(OsStr::cmp)
        .filter_entry(|entry| entry.depth() == 0 || !is_left_out(entry))
        .build();
    for entry in walk {
        match entry {
            Ok(entry) => tree.entries.extend(listed(&entry, &base)),
            Err(error) => tree.unreadable.push((place_of(&error, &base), reason_of(&error))),
        }
    }
    Ok(tree)
}

/// The names of files that are looked for by name: a folder called so must not hide that the file is missing.
const NAMES_OF_FILES: [&str; 2] = ["Cargo.lock", "Cargo.toml"];

fn listed(entry: &DirEntry, base: &Path) -> Option<Entry> {
    let kind = entry.file_type()?;
    let sort = if kind.is_symlink() {
        Sort::Link
    } else if kind.is_dir() {
        if !NAMES_OF_FILES.iter().any(|name| entry.file_name() == *name) {
            return None;
        }
        Sort::Folder
    } else if kind.is_file() {
        Sort::File
    } else {
        Sort::Special
    };
    let relative = relative(entry.path(), base);
    Some(Entry { path: entry.path().to_owned(), name: name(&relative), uri: uri(&relative), sort })
}

/// The nearest folder upward that has `.git`, else the working folder, else the root itself.
fn base(root: &Path, folder: &Path) -> PathBuf {
    let start = if root.is_dir() { root } else { root.parent().unwrap_or(root) };
    if let Some(repository) = start.ancestors().find(|folder| folder.join(".git").exists()) {
        return repository.to_owned();
    }
    match fs::canonicalize(folder) {
        Ok(folder) if start.starts_with(&folder) => folder,
        _ => start.to_owned(),
    }
}

fn is_left_out(entry: &DirEntry) -> bool {
    entry.file_name() == ".git"
        || (entry.file_name() == "target"
            && entry.file_type().is_some_and(|kind| kind.is_dir())
            && entry.path().join("CACHEDIR.TAG").is_file())
}

fn place_of(error: &ignore::Error, base: &Path) -> String {
    match error {
        ignore::Error::WithPath { path, .. } => name(&relative(path, base)),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            place_of(err, base)
        }
        ignore::Error::Loop { child, .. } => name(&relative(child, base)),
        ignore::Error::Partial(_)
        | ignore::Error::Io(_)
        | ignore::Error::Glob { .. }
        | ignore::Error::UnrecognizedFileType(_)
        | ignore::Error::InvalidDefinition => ".".to_owned(),
    }
}

fn reason_of(error: &ignore::Error) -> String {
    match error.io_error() {
        Some(error) => error.to_string(),
        None => "cannot be listed".to_owned(),
    }
}

fn relative(path: &Path, base: &Path) -> Vec<std::ffi::OsString> {
    let path = path.strip_prefix(base).unwrap_or(path);
    path.components().map(|component| component.as_os_str().to_owned()).collect()
}

/// A name for people: what is not UTF-8 is shown as `\u{fffd}`.
fn name(components: &[std::ffi::OsString]) -> String {
    if components.is_empty() {
        return ".".to_owned();
    }
    components.iter().map(|component| component.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// A relative URI reference (RFC 3986): every byte but the unreserved ones is percent-encoded, so that no two paths
/// share one and none reads as a scheme.
fn uri(components: &[std::ffi::OsString]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for component in components {
        if !text.is_empty() {
            text.push('/');
        }
        for byte in component.as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                text.push(char::from(*byte));
            } else {
                write!(text, "%{byte:02X}").expect("writing to a string cannot fail");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &Tree) -> Vec<&str> {
        tree.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn hidden_files_are_listed_and_git_cache_and_ignored_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".git/config", "target/debug/x", "src/target/mod.rs", ".hidden/.env", "secret.log"] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "x").unwrap();
        }
        fs::write(at("target/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55").unwrap();
        fs::write(at(".gitignore"), "*.log\n").unwrap();
        let tree = list(folder.path(), folder.path()).unwrap();
        assert_eq!(names(&tree), [".gitignore", ".hidden/.env", "src/target/mod.rs"]);
    }

    #[test]
    fn without_a_repository_gitignore_excludes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".gitignore"), "*\n").unwrap();
        fs::write(folder.path().join("a.log"), "x").unwrap();
        assert_eq!(names(&list(folder.path(), folder.path()).unwrap()), [".gitignore", "a.log"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_cannot_loop() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
        let tree = list(folder.path(), folder.path()).unwrap();
        assert_eq!(names(&tree), ["loop"]);
        assert_eq!(tree.entries[0].sort, Sort::Link);
    }

    #[test]
    fn a_uri_has_only_unreserved_bytes() {
        let components = ["a b", "c:d%é", "::error::\n"].map(std::ffi::OsString::from);
        assert_eq!(uri(&components), "a%20b/c%3Ad%25%C3%A9/%3A%3Aerror%3A%3A%0A");
    }

    #[test]
    fn names_are_relative_to_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".git")).unwrap();
        fs::create_dir_all(folder.path().join("crates/a")).unwrap();
        fs::write(folder.path().join("crates/a/x"), "x").unwrap();
        assert_eq!(names(&list(&folder.path().join("crates"), folder.path()).unwrap()), ["crates/a/x"]);
    }
}
