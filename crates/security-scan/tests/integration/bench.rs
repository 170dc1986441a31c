//! A tree to scan, a small advisory database, and the spawned binary with nothing of the ambient environment.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a tree (`tree/`) and, once it is written, a database (`db/`).
pub(crate) struct Bench {
    folder: TempDir,
}

/// What a run of the binary came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        Self { folder }
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.tree().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A lock file with the tree's own package and these from crates.io.
    pub(crate) fn lock(&self, packages: &[(&str, &str)]) -> &Self {
        self.write("Cargo.lock", lock(packages))
    }

    /// Adds an advisory to the database: `extra` is more of its TOML.
    pub(crate) fn advisory(&self, id: &str, package: &str, days_old: u64, extra: &str) -> &Self {
        let date = date(days_old);
        let text = format!(
            "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{package}\"\ndate = \"{date}\"\n{extra}\n```\n\n# Something is wrong in {package}\n\nMore of it.\n"
        );
        self.raw_advisory(&format!("crates/{package}/{id}.md"), &text)
    }

    pub(crate) fn raw_advisory(&self, name: &str, text: &str) -> &Self {
        let path = self.at("db").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A database that knows nothing of the packages of these tests.
    pub(crate) fn fresh(&self) -> &Self {
        self.advisory("RUSTSEC-2026-0001", "unrelated", 2, PATCHED)
    }

    /// Runs the binary in the tree, reports beside it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(&[], arguments)
    }

    pub(crate) fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_security-scan"))
            .env_clear()
            .env("HOME", self.at("home"))
            .envs(variables.iter().copied())
            .current_dir(self.tree())
            .arg("--report-dir")
            .arg(self.at("reports"))
            .arg("--evidence")
            .arg(self.at("evidence.jsonl"))
            .args(arguments)
            .output()
            .unwrap();
        Run {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it with the test's database.
    pub(crate) fn scan(&self, arguments: &[&str]) -> Run {
        let database = self.at("db");
        let mut all = vec!["--database", database.to_str().unwrap()];
        all.extend(arguments);
        self.run(&all)
    }

    pub(crate) fn sarif(&self) -> Value {
        serde_json::from_slice(&fs::read(self.at("reports/security-scan.sarif")).unwrap()).unwrap()
    }

    /// The statements of the evidence file.
    pub(crate) fn statements(&self) -> Vec<Value> {
        let path = self.at("evidence.jsonl");
        if !path.exists() {
            return Vec::new();
        }
        let store = windlass_evidence::store::Store::read(&path).unwrap();
        store
            .lines
            .iter()
            .map(|line| serde_json::to_value(&line.content.as_ref().unwrap().1).unwrap())
            .collect()
    }

    /// Every byte that a run wrote anywhere.
    pub(crate) fn everything(&self, run: &Run) -> Vec<u8> {
        let mut bytes = [run.stdout.as_bytes(), run.stderr.as_bytes()].concat();
        for folder in ["reports", "."] {
            for entry in fs::read_dir(self.at(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    bytes.extend(fs::read(&path).unwrap());
                }
            }
        }
        for statement in self.statements() {
            bytes.extend(statement.to_string().into_bytes());
        }
        bytes
    }
}

/// The part of an advisory that says that 1.2.0 mended it.
pub(crate) const PATCHED: &str = "[versions]\npatched = [\">= 1.2.0\"]";

pub(crate) fn lock(packages: &[(&str, &str)]) -> String {
    let mut text = String::from("version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n");
    let names: Vec<String> = packages.iter().map(|(name, _)| format!(" \"{name}\",\n")).collect();
    text.push_str(&format!("dependencies = [\n{}]\n", names.concat()));
    for (name, version) in packages {
        text.push_str(&format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"
        ));
    }
    text
}

/// The date so many days ago.
pub(crate) fn date(days_ago: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let then = jiff::Timestamp::from_second(i64::try_from(now - days_ago * 86_400).unwrap()).unwrap();
    then.to_string()[..10].to_owned()
}

/// A text of a GitHub token's form, with the right checksum; joined here, so that it stands nowhere.
pub(crate) fn token() -> String {
    format!("gh{}{}{}", "p_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17")
}

pub(crate) fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}
