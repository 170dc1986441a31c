//! The CI systems that a pipeline is written for: one folder of `templates/starters/`, and one line of [`SYSTEMS`] each.

use std::path::Path;

use clap::builder::PossibleValuesParser;
use serde::Deserialize;

/// A system's pipeline, and what its folder says of it.
#[derive(Debug)]
pub(super) struct System {
    /// Its folder's name, which is the word of `--ci`.
    pub(super) name: &'static str,
    /// Its pipeline, with words to fill in.
    pub(super) pipeline: &'static str,
    /// Its `starter.yml`.
    pub(super) starter: Starter,
}

/// A `starter.yml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Starter {
    /// Its name for people.
    pub(super) title: String,
    /// Where the pipeline goes.
    pub(super) file: String,
    /// Where it goes when another's pipeline is at `file` already.
    pub(super) beside: Option<String>,
    /// What has to be done then.
    pub(super) included: Option<String>,
    /// Files or folders that tell that a repository uses it.
    pub(super) found_by: Vec<String>,
    /// Parts of a remote's address that tell.
    pub(super) remotes: Vec<String>,
    /// What remains to be done by people, with words to fill in.
    pub(super) remains: Vec<String>,
    /// What remains where `notify` of the policy names secrets.
    pub(super) told: String,
}

macro_rules! systems {
    ($($name:literal $pipeline:literal)*) => {
        /// Name, `starter.yml`, pipeline.
        const SYSTEMS: &[(&str, &str, &str)] = &[$((
            $name,
            include_str!(concat!("../../../../templates/starters/", $name, "/starter.yml")),
            include_str!(concat!("../../../../templates/starters/", $name, "/", $pipeline)),
        )),*];
    };
}

systems! {
    "github" "pipeline.yml"
    "gitlab" "pipeline.yml"
    "jenkins" "Jenkinsfile"
    "circleci" "pipeline.yml"
    "azure" "pipeline.yml"
    "buildkite" "pipeline.yml"
    "woodpecker" "pipeline.yml"
}

/// All of them, in the order of the registry.
pub(super) fn all() -> Vec<System> {
    let read = |&(name, starter, pipeline): &(&'static str, &str, &'static str)| System {
        name,
        pipeline,
        starter: serde_yaml::from_str(starter)
            .unwrap_or_else(|error| panic!("the starter.yml of {name} is tested: {error}")),
    };
    SYSTEMS.iter().map(read).collect()
}

/// Their names.
pub(super) fn names() -> Vec<&'static str> {
    SYSTEMS.iter().map(|(name, ..)| *name).collect()
}

/// What `--ci` takes.
pub(super) fn choices() -> PossibleValuesParser {
    PossibleValuesParser::new(["auto", "none"].into_iter().chain(names()))
}

/// The system that a repository uses. Files tell before the remote, as a repository at GitHub may be built by another;
/// where files tell of several, the remote decides, and else the first of the registry.
pub(super) fn found(folder: &Path, remote: &str) -> Option<System> {
    let is_at = |system: &System| system.starter.remotes.iter().any(|part| remote.contains(part.as_str()));
    let is_there = |system: &System| system.starter.found_by.iter().any(|name| folder.join(name).exists());
    let (there, elsewhere): (Vec<System>, Vec<System>) = all().into_iter().partition(is_there);
    let (mut at, mut others): (Vec<System>, Vec<System>) = there.into_iter().partition(is_at);
    at.append(&mut others);
    at.into_iter().next().or_else(|| elsewhere.into_iter().find(is_at))
}

impl System {
    /// The paths where its pipeline may be.
    pub(super) fn files(&self) -> Vec<&str> {
        let beside = self.starter.beside.as_deref();
        std::iter::once(self.starter.file.as_str()).chain(beside).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_before_the_remote_and_the_remote_decides_between_files() {
        let github = "git@github.com:a/b.git";
        let table: [(&[&str], &str, Option<&str>); 10] = [
            (&[], "", None),
            (&[], github, Some("github")),
            (&[], "https://gitlab.example.org/a/b.git", Some("gitlab")),
            (&[], "https://dev.azure.com/a/b/_git/c", Some("azure")),
            (&["Jenkinsfile"], github, Some("jenkins")),
            (&[".circleci"], github, Some("circleci")),
            (&[".buildkite"], "", Some("buildkite")),
            (&[".woodpecker.yml"], "https://codeberg.org/a/b", Some("woodpecker")),
            (&["Jenkinsfile", ".github/workflows"], github, Some("github")),
            (&["Jenkinsfile", "azure-pipelines.yml"], "", Some("jenkins")),
        ];
        for (files, remote, expected) in table {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                std::fs::create_dir_all(folder.path().join(file)).unwrap();
            }
            let found = found(folder.path(), remote);
            assert_eq!(found.map(|system| system.name), expected, "{files:?} {remote}");
        }
    }

    #[test]
    fn every_system_has_a_readme_says_how_it_is_found_and_what_remains() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/starters");
        let mut folders: Vec<String> = std::fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir() && entry.file_name() != "stacks")
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        folders.sort();
        let mut registered = names();
        registered.sort_unstable();
        assert_eq!(folders, registered, "a folder is a line of the registry");
        for system in all() {
            let readme = std::fs::read_to_string(root.join(system.name).join("README.md")).unwrap();
            assert!(readme.contains(&format!("windlass init --ci {}", system.name)), "{}", system.name);
            assert!(!system.starter.found_by.is_empty() && system.starter.remains.len() >= 3);
            assert_eq!(system.starter.beside.is_some(), system.starter.included.is_some(), "{}", system.name);
        }
    }
}
