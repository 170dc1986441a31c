//! Asking git: the commit at hand, its author, and how it relates to the live one.

use std::path::Path;
use std::process::{Command, Stdio};

use windlass_domain::order::Relation;

/// The commit that is checked out in `folder`, in full, where it is a git repository.
pub(crate) fn head(folder: &Path) -> Option<String> {
    answer(folder, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
}

/// The e-mail address of a commit's author.
pub(crate) fn author(folder: &Path, commit: &str) -> Option<String> {
    is_commit(commit).then(|| answer(folder, &["show", "--no-patch", "--format=%ae", commit])).flatten()
}

/// How `new` relates to `live`.
pub(crate) fn relation(folder: &Path, live: Option<&str>, new: Option<&str>) -> Relation {
    let (Some(live), Some(new)) = (live, new) else { return Relation::Unordered };
    if live == new {
        return Relation::Same;
    }
    match (is_ancestor(folder, live, new), is_ancestor(folder, new, live)) {
        (Some(true), _) => Relation::Newer,
        (Some(false), Some(true)) => Relation::Older,
        (Some(false), Some(false))
            if answer(folder, &["rev-parse", "--is-shallow-repository"]).as_deref() == Some("false") =>
        {
            Relation::Diverged
        }
        (Some(false), Some(false)) => Relation::Unknown {
            why: format!("the clone is shallow, so that {live} and {new} cannot be ordered"),
        },
        (None, _) | (_, None) => {
            Relation::Unknown { why: format!("git does not know one of the commits {live} (live) and {new}") }
        }
    }
}

/// Whether `old` is an ancestor of `new`; `None` when git cannot tell.
fn is_ancestor(folder: &Path, old: &str, new: &str) -> Option<bool> {
    if !is_commit(old) || !is_commit(new) {
        return None;
    }
    let status = git(folder, &["merge-base", "--is-ancestor", old, new]).status().ok()?;
    match status.code() {
        Some(0) => Some(true),
        Some(1) => Some(false),
        Some(_) | None => None,
    }
}

/// A ledger is only as good as who wrote it: nothing but a full hash reaches git's command line.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn answer(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = git(folder, arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, arguments: &[&str]) -> String {
        let output =
            git(folder, &["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"])
                .args(arguments)
                .output()
                .unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn ancestry_decides_and_what_is_not_known_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        run(at, &["init", "-q"]);
        let mut commits = Vec::new();
        for message in ["one", "two"] {
            run(at, &["commit", "-q", "--allow-empty", "-m", message]);
            commits.push(head(at).unwrap());
        }
        run(at, &["checkout", "-q", "-b", "side", &commits[0]]);
        run(at, &["commit", "-q", "--allow-empty", "-m", "side"]);
        let side = head(at).unwrap();
        let related = |live: &str, new: &str| relation(at, Some(live), Some(new));
        assert_eq!(related(&commits[0], &commits[1]), Relation::Newer);
        assert_eq!(related(&commits[1], &commits[0]), Relation::Older);
        assert_eq!(related(&commits[1], &side), Relation::Diverged);
        assert_eq!(related(&side, &side), Relation::Same);
        assert!(matches!(related(&"0".repeat(40), &side), Relation::Unknown { .. }));
        assert!(matches!(related("--output=/tmp/x", &side), Relation::Unknown { .. }));
        assert_eq!(relation(at, None, Some(&side)), Relation::Unordered);
        assert_eq!(author(at, &side).as_deref(), Some("a@b.c"));
    }
}
