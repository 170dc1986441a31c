//! The demo runs the tools as separate processes, as a pipeline would.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

use super::sample::Sample;

/// The umbrella, run in the sample repository with an environment of its own.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    program: PathBuf,
    sample: Sample,
}

/// How a tool ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// Its exit code; 255 when it was killed.
    pub(super) code: i32,
    /// Its document; null where it printed none.
    pub(super) document: Value,
    /// What it said on standard error.
    pub(super) told: String,
}

impl Ended {
    /// The first reason of the document, or the last thing that was said.
    pub(super) fn why(&self) -> String {
        let reason = self.document.pointer("/reasons/0");
        let part =
            |name| reason.and_then(|reason| reason.get(name)).and_then(Value::as_str).unwrap_or_default();
        match (part("why"), part("observed")) {
            ("", "") => self.told.lines().next_back().unwrap_or_default().trim().to_owned(),
            ("", observed) => observed.to_owned(),
            (why, _) => why.to_owned(),
        }
    }

    /// A number of the document.
    pub(super) fn number(&self, pointer: &str) -> Option<u64> {
        self.document.pointer(pointer)?.as_u64()
    }

    /// A text of the document.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.document.pointer(pointer)?.as_str()
    }
}

impl Runner {
    pub(super) fn new(program: PathBuf, sample: Sample) -> Self {
        Self { program, sample }
    }

    /// Starts a tool; it is killed when it is dropped.
    pub(super) fn start(&self, words: &[&str], path: &str) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(&self.sample.repository).env_clear();
        command.env("PATH", path).env("HOME", &self.sample.repository).env("USER", "demo");
        command.env("WINDLASS_DATABASE", &self.sample.database);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn()
    }

    /// Runs a tool to its end.
    pub(super) async fn run(&self, words: &[&str], path: &str) -> io::Result<Ended> {
        let output = self.start(words, path)?.wait_with_output().await?;
        Ok(Ended {
            code: output.status.code().unwrap_or(255),
            document: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
