//! Asking git: which commit, whose, which lines changed since the base, which files there are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use windlass_ci::context::Context;

use crate::diff::{self, Change};

/// A repository, by a folder in it.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    folder: PathBuf,
}

/// The changes since a base.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// The revision that was compared with.
    pub(crate) base: String,
    /// The files with lines that are new since then.
    pub(crate) files: Vec<Change>,
    /// Every file that git knows.
    pub(crate) tracked: Vec<String>,
}

impl Repository {
    /// The repository around `folder`; `None` where there is none.
    pub(crate) fn around(folder: &Path) -> Option<Self> {
        let here = Self { folder: folder.to_owned() };
        here.ask(&["rev-parse", "--show-toplevel"])
            .ok()
            .map(|top| Self { folder: PathBuf::from(top.trim_end()) })
    }

    /// The commit that is checked out, in full.
    pub(crate) fn head(&self) -> Option<String> {
        self.ask(&["rev-parse", "--verify", "HEAD^{commit}"]).ok().map(|commit| commit.trim().to_owned())
    }

    /// The e-mail address of a commit's author.
    pub(crate) fn author(&self, commit: &str) -> Option<String> {
        let mail = self.ask(&["show", "-s", "--format=%ae", "--end-of-options", commit, "--"]).ok()?;
        Some(mail.trim().to_owned()).filter(|mail| !mail.is_empty())
    }

    /// What changed since the merge base with `base`; without one, with the CI system's or the remote's default
    /// branch. On that branch itself, what the last commit changed.
    pub(crate) fn changes(&self, base: Option<&str>, context: &Context) -> Result<Changes, String> {
        let named = match base {
            Some(base) => self.commit(base).ok_or_else(|| format!("git knows no revision {base:?}"))?,
            None => self.default_base(context).ok_or_else(|| {
                "no base to compare with: neither the CI system nor origin/HEAD names one".to_owned()
            })?,
        };
        let head = self.head().ok_or("the repository has no commit")?;
        let mut from = self
            .ask(&["merge-base", &named, &head])
            .map_err(|_| format!("no common commit with {named}: is the clone shallow?"))?
            .trim()
            .to_owned();
        if base.is_none() && from == head {
            from = self.commit("HEAD^1").ok_or("the only commit is its own base")?;
        }
        let diff = self.ask(&[
            "-c",
            "core.quotepath=off",
            "-c",
            "core.fsmonitor=false",
            "diff",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--unified=0",
            "--find-renames",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--ignore-submodules",
            "--end-of-options",
            &from,
            "--",
        ])?;
        let listed = self.ask(&["ls-files", "-z"])?;
        let tracked = listed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Changes { base: from, files: diff::added_lines(&diff)?, tracked })
    }

    fn default_base(&self, context: &Context) -> Option<String> {
        let branch = |name: &str| context.var(name).map(|branch| format!("refs/remotes/origin/{branch}"));
        let candidates = [
            context.var("CI_MERGE_REQUEST_DIFF_BASE_SHA").map(str::to_owned),
            branch("GITHUB_BASE_REF"),
            branch("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
            Some("refs/remotes/origin/HEAD".to_owned()),
            Some("refs/remotes/origin/main".to_owned()),
            Some("refs/remotes/origin/master".to_owned()),
        ];
        candidates.into_iter().flatten().find_map(|candidate| self.commit(&candidate))
    }

    fn commit(&self, revision: &str) -> Option<String> {
        let revision = format!("{revision}^{{commit}}");
        let commit = self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision]).ok()?;
        commit.lines().last().map(str::to_owned)
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let what = arguments.iter().find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or(&"");
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.folder)
            .args(arguments)
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run git: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("git {what} failed: {}", said.lines().next().unwrap_or("without a word")));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
