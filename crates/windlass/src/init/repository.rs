//! Looking at a repository: its name, its stack, its forge, its default branch. Only files are read; nothing is run.

use std::fs;
use std::path::Path;

use super::stack::{self, Stack};

/// Where pipelines run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forge {
    /// Not known.
    None,
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Repository {
    /// A name that `windlass.yml` takes.
    pub(super) app: String,
    /// How it is built, tested and started.
    pub(super) stack: Stack,
    /// Where its pipelines run.
    pub(super) forge: Forge,
    /// Its default branch.
    pub(super) branch: String,
    /// Where a GitLab pipeline goes: beside the present one where there is one.
    pub(super) gitlab_file: &'static str,
}

pub(super) fn look(folder: &Path) -> Repository {
    let stack = stack::detect(folder);
    let name =
        stack.package.clone().or_else(|| folder.file_name().map(|name| name.to_string_lossy().into_owned()));
    let has_gitlab_file = folder.join(".gitlab-ci.yml").exists();
    Repository {
        app: plain(&name.unwrap_or_default()),
        stack,
        forge: forge(folder),
        branch: branch(folder),
        gitlab_file: if has_gitlab_file { ".gitlab/windlass.gitlab-ci.yml" } else { ".gitlab-ci.yml" },
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

fn forge(folder: &Path) -> Forge {
    let config = fs::read_to_string(folder.join(".git/config")).unwrap_or_default();
    for line in config.lines().map(str::trim).filter(|line| line.starts_with("url")) {
        if line.contains("github") {
            return Forge::Github;
        }
        if line.contains("gitlab") {
            return Forge::Gitlab;
        }
    }
    if folder.join(".github").is_dir() {
        Forge::Github
    } else if folder.join(".gitlab-ci.yml").exists() || folder.join(".gitlab").is_dir() {
        Forge::Gitlab
    } else {
        Forge::None
    }
}

/// The remote's default branch, else the present one, else `main`. A name that would need quoting is not taken.
fn branch(folder: &Path) -> String {
    let read = |path: &str, prefix: &str| {
        let text = fs::read_to_string(folder.join(path)).ok()?;
        let name = text.trim().strip_prefix(prefix)?.to_owned();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
        (!name.is_empty() && name.chars().all(is_plain)).then_some(name)
    };
    read(".git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/")
        .or_else(|| read(".git/HEAD", "ref: refs/heads/"))
        .unwrap_or_else(|| "main".to_owned())
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
    fn forge_and_branch_come_from_the_remote_before_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!((forge(path), branch(path).as_str()), (Forge::None, "main"));
        fs::create_dir_all(path.join(".github")).unwrap();
        fs::create_dir_all(path.join(".git/refs/remotes/origin")).unwrap();
        fs::write(path.join(".git/HEAD"), "ref: refs/heads/feature\n").unwrap();
        assert_eq!((forge(path), branch(path).as_str()), (Forge::Github, "feature"));
        fs::write(path.join(".git/config"), "[remote \"origin\"]\n\turl = git@gitlab.com:a/b.git\n").unwrap();
        fs::write(path.join(".git/refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/trunk\n").unwrap();
        assert_eq!((forge(path), branch(path).as_str()), (Forge::Gitlab, "trunk"));
        fs::write(path.join(".git/refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/a\"$(x)\n").unwrap();
        assert_eq!(branch(path), "feature");
    }
}
