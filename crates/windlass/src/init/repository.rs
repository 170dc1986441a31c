//! Looking at a repository: its name, its remote, its default branch. Only files are read; nothing is run.

use std::fs;
use std::path::{Path, PathBuf};

use super::stack::{self, Stack};
use super::system::{self, System};

/// What was found.
#[derive(Debug)]
pub(super) struct Repository {
    /// A name that `windlass.yml` takes.
    pub(super) app: String,
    /// How it is built, tested and started.
    pub(super) stack: Stack,
    /// The CI system that it uses.
    pub(super) system: Option<System>,
    /// Its default branch.
    pub(super) branch: String,
    /// Who owns it at its remote, and its name there.
    pub(super) at: Option<(String, String)>,
}

pub(super) fn look(folder: &Path) -> Repository {
    let stack = stack::detect(folder);
    let name = stack
        .package(folder)
        .or_else(|| folder.file_name().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_default();
    let git = Git::of(folder);
    let remote = git.remote();
    Repository {
        app: plain(&name),
        stack,
        system: system::found(folder, &remote),
        branch: git.branch(),
        at: owner_and_name(&remote),
    }
}

/// Letters, digits and dashes, beginning with a letter; `app` where nothing is left.
pub(super) fn plain(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let dashed = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let dashed =
        dashed.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).trim_end_matches('-');
    if dashed.is_empty() { "app".to_owned() } else { dashed.chars().take(40).collect() }
}

/// Git's own files.
struct Git {
    /// Of this work tree.
    own: PathBuf,
    /// Of all work trees of the repository.
    common: PathBuf,
}

impl Git {
    /// In a further work tree `.git` is a file that names the folder, and that says where the common one is.
    fn of(folder: &Path) -> Self {
        let plain = folder.join(".git");
        let named = fs::read_to_string(&plain).ok();
        let own = named
            .and_then(|text| Some(folder.join(text.strip_prefix("gitdir:")?.trim())))
            .unwrap_or_else(|| plain.clone());
        let common = fs::read_to_string(own.join("commondir"))
            .map_or_else(|_| own.clone(), |text| own.join(text.trim()));
        Self { own, common }
    }

    /// The address of `origin`, else of the first remote; empty without one.
    fn remote(&self) -> String {
        let config = fs::read_to_string(self.common.join("config")).unwrap_or_default();
        let mut section = String::new();
        let mut first = String::new();
        for line in config.lines().map(str::trim) {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            } else if let Some(("url", address)) =
                line.split_once('=').map(|(key, value)| (key.trim(), value))
            {
                if section == "[remote \"origin\"]" {
                    return address.trim().to_owned();
                }
                if first.is_empty() && section.starts_with("[remote ") {
                    address.trim().clone_into(&mut first);
                }
            }
        }
        first
    }

    /// The remote's default branch, else the present one, else `main`. A name that would need quoting is not taken.
    fn branch(&self) -> String {
        let read = |path: PathBuf, prefix: &str| {
            let text = fs::read_to_string(path).ok()?;
            let name = text.trim().strip_prefix(prefix)?.to_owned();
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
            (!name.is_empty() && name.chars().all(is_plain)).then_some(name)
        };
        read(self.common.join("refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/")
            .or_else(|| read(self.own.join("HEAD"), "ref: refs/heads/"))
            .unwrap_or_else(|| "main".to_owned())
    }
}

/// The last two parts of a remote's path, where both are plain.
fn owner_and_name(remote: &str) -> Option<(String, String)> {
    let path = remote.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let name = parts.next()?;
    let owner = parts.next()?;
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    (is_plain(owner) && is_plain(name)).then(|| (owner.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_plain() {
        let table =
            [("Shop", "shop"), ("@scope/my_shop", "my-shop"), ("42", "app"), ("", "app"), ("a b!", "a-b")];
        for (given, expected) in table {
            assert_eq!(plain(given), expected, "{given:?}");
        }
    }

    #[test]
    fn the_owner_comes_from_any_form_of_address() {
        let table = [
            ("git@github.com:acme/shop.git", Some(("acme", "shop"))),
            ("https://gitlab.com/group/inner/shop", Some(("inner", "shop"))),
            ("ssh://git@example.org:22/acme/shop.git/", Some(("acme", "shop"))),
            ("", None),
            ("https://x/$(a)/b", None),
        ];
        for (remote, expected) in table {
            let found = owner_and_name(remote);
            assert_eq!(
                found.as_ref().map(|(owner, name)| (owner.as_str(), name.as_str())),
                expected,
                "{remote}"
            );
        }
    }

    #[test]
    fn branch_and_remote_come_from_git_s_files_in_any_work_tree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!((Git::of(path).branch().as_str(), Git::of(path).remote().as_str()), ("main", ""));
        fs::create_dir_all(path.join(".git/refs/remotes/origin")).unwrap();
        fs::write(path.join(".git/HEAD"), "ref: refs/heads/feature\n").unwrap();
        assert_eq!(Git::of(path).branch(), "feature");
        let config = "[core]\n\turl = no\n[remote \"other\"]\n\turl = git@github.com:a/b.git\n[remote \"origin\"]\n\
                      \tpushurl = no\n\turl = git@gitlab.com:a/b.git\n";
        fs::write(path.join(".git/config"), config).unwrap();
        fs::write(path.join(".git/refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/trunk\n").unwrap();
        assert_eq!(Git::of(path).branch(), "trunk");
        assert_eq!(Git::of(path).remote(), "git@gitlab.com:a/b.git");
        fs::create_dir_all(path.join(".git/worktrees/other")).unwrap();
        fs::create_dir_all(path.join("other")).unwrap();
        fs::write(path.join("other/.git"), "gitdir: ../.git/worktrees/other\n").unwrap();
        fs::write(path.join(".git/worktrees/other/commondir"), "../..\n").unwrap();
        assert_eq!(Git::of(&path.join("other")).remote(), "git@gitlab.com:a/b.git");
        fs::write(path.join(".git/refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/a\"$(x)\n").unwrap();
        assert_eq!(Git::of(path).branch(), "feature");
    }
}
