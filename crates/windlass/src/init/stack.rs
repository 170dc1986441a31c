//! The stacks: one file of `templates/starters/stacks/`, and one line of [`STACKS`] each. A file says how a repository of
//! its kind is found, built into `dist/`, tested with a report in `reports/`, and started.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::repository::plain;

/// A stack's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stack {
    /// Its file's name.
    #[serde(skip)]
    pub(super) name: &'static str,
    /// Its name for people.
    pub(super) title: String,
    /// The files that tell of it; nothing tells of the one that is left when no other was found.
    pub(super) found_by: Vec<String>,
    /// How the first of them that is there says the package's name.
    #[serde(default)]
    pub(super) name_from: NameFrom,
    /// The file that says what the cache of its builds depends on.
    pub(super) lock: String,
    /// The image to build in, where a runner builds in containers.
    pub(super) image: String,
    /// The programs that building takes.
    pub(super) needs: Vec<String>,
    /// What it leaves in the work tree, as lines of `.gitignore`.
    pub(super) ignore: Vec<String>,
    /// The files that may start it, the likeliest first.
    #[serde(default)]
    pub(super) mains: Vec<String>,
    /// The command, as a YAML list, started in `dist/`.
    pub(super) run: String,
    /// What has to be done by hand.
    #[serde(default)]
    pub(super) note: Option<String>,
    /// Shell lines that leave what is released in `dist/`.
    pub(super) build: String,
    /// Shell lines that leave a JUnit file in `reports/`.
    pub(super) test: String,
}

/// How a file says the package's name.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum NameFrom {
    /// Not at all.
    #[default]
    None,
    /// `name = "…"`.
    Toml,
    /// The key `name`.
    Json,
    /// The line `module …`.
    Go,
}

macro_rules! stacks {
    ($($name:literal)*) => {
        /// Name and file. The first that is found counts; the last is found by nothing.
        const STACKS: &[(&str, &str)] = &[$((
            $name,
            include_str!(concat!("../../../../templates/starters/stacks/", $name, ".yml")),
        )),*];
    };
}

stacks! { "rust" "node" "go" "python" "java-maven" "java-gradle" "container" "unknown" }

fn read((name, text): (&'static str, &str)) -> Stack {
    let mut stack: Stack = serde_yaml::from_str(text)
        .unwrap_or_else(|error| panic!("the file of the stack {name} is tested: {error}"));
    stack.name = name;
    stack
}

/// The stack of this name.
pub(super) fn named(name: &str) -> Option<Stack> {
    STACKS.iter().find(|(one, _)| *one == name).map(|one| read(*one))
}

/// Finds the stack by its files; the first that is there counts.
pub(super) fn detect(folder: &Path) -> Stack {
    let mut stacks = STACKS.iter().map(|one| read(*one));
    stacks
        .find(|stack| stack.found_in(folder).is_some() || stack.found_by.is_empty())
        .expect("the last stack is found by nothing")
}

impl Stack {
    fn found_in(&self, folder: &Path) -> Option<&str> {
        self.found_by.iter().map(String::as_str).find(|name| folder.join(name).is_file())
    }

    /// The package's name, where a file says it.
    pub(super) fn package(&self, folder: &Path) -> Option<String> {
        let text = fs::read_to_string(folder.join(self.found_in(folder)?)).ok()?;
        let name = match self.name_from {
            NameFrom::None => None,
            NameFrom::Toml => named_in(&text, "name"),
            NameFrom::Json => serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|json| json.get("name")?.as_str().map(str::to_owned)),
            NameFrom::Go => {
                text.lines().find_map(|line| line.strip_prefix("module ")).map(|name| name.trim().to_owned())
            }
        };
        name.filter(|name| !name.is_empty())
    }

    /// The name of the program that a build leaves: safe in a shell and in YAML.
    pub(super) fn program(&self, package: Option<&str>, folder: &Path) -> String {
        let own = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = package.unwrap_or(&own);
        let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if self.name_from == NameFrom::Toml && !name.is_empty() && name.chars().all(is_safe) {
            name.to_owned()
        } else {
            plain(name)
        }
    }

    /// The file that starts it.
    pub(super) fn main(&self, folder: &Path) -> String {
        let there = self.mains.iter().find(|name| folder.join(name).exists());
        there.or(self.mains.first()).cloned().unwrap_or_default()
    }

    /// The file that the cache depends on, one that is there: where it is not, a pipeline's key would fail.
    pub(super) fn lock(&self, folder: &Path) -> String {
        let is_there = |name: &&str| folder.join(name).is_file();
        let lock = Some(self.lock.as_str()).filter(is_there).or_else(|| self.found_in(folder));
        lock.unwrap_or("windlass/build.sh").to_owned()
    }
}

/// The value of the first `key = "value"` of a TOML file; enough for a default that is asked for anyway.
fn named_in(manifest: &str, key: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?;
        let value = rest.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_names_and_locks_come_from_files_that_are_there() {
        type Files<'a> = &'a [(&'a str, &'a str)];
        let table: [(Files<'_>, &str, &str, &str); 8] = [
            (&[("Cargo.toml", "[package]\nname = \"my_shop\"\n")], "rust", "my_shop", "Cargo.toml"),
            (
                &[("package.json", "{\"name\": \"@a/shop\"}"), ("package-lock.json", "{}")],
                "node",
                "shop",
                "package-lock.json",
            ),
            (&[("go.mod", "module example.org/a/shop\n")], "go", "shop", "go.mod"),
            (&[("requirements.txt", "flask\n")], "python", "here", "requirements.txt"),
            (&[("pom.xml", "")], "java-maven", "here", "pom.xml"),
            (&[("build.gradle.kts", "")], "java-gradle", "here", "build.gradle.kts"),
            (&[("Dockerfile", "")], "container", "here", "Dockerfile"),
            (&[], "unknown", "here", "windlass/build.sh"),
        ];
        for (files, expected, program, lock) in table {
            let outer = tempfile::tempdir().unwrap();
            let folder = outer.path().join("here");
            std::fs::create_dir(&folder).unwrap();
            for (name, text) in files {
                std::fs::write(folder.join(name), text).unwrap();
            }
            let stack = detect(&folder);
            let package = stack.package(&folder);
            assert_eq!(stack.name, expected);
            assert_eq!(stack.program(package.as_deref(), &folder), program, "{expected}");
            assert_eq!(stack.lock(&folder), lock, "{expected}");
        }
    }

    #[test]
    fn every_file_of_a_stack_is_read_and_says_where_it_builds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/starters/stacks");
        assert_eq!(
            std::fs::read_dir(root).unwrap().count(),
            STACKS.len(),
            "a file is a line of the registry"
        );
        for (name, _) in STACKS {
            let stack = named(name).unwrap();
            assert!(stack.image.contains(':') && !stack.title.is_empty(), "{name}");
            assert_eq!(stack.run.contains("@main@"), !stack.mains.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_name_that_would_be_a_command_is_made_plain() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "name = \"a$(reboot)\"\n").unwrap();
        let stack = detect(folder.path());
        assert_eq!(stack.program(stack.package(folder.path()).as_deref(), folder.path()), "a--reboot");
    }
}
