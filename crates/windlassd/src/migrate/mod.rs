//! Migrations: a release's command that changes the data, run once for each revision however often it is asked for.
//!
//! The agent runs it through [`keeper`]: a process of its own that outlives the agent, and holds a lock as long as the
//! migration runs. Whoever asks again has another keeper wait for that lock, and then reads how it ended.

mod keeper;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::process::Child;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;

pub(crate) use self::keeper::run as keep;
use crate::itself::itself;
use crate::root::{Root, named, read_json};
use crate::stage::Manifest;
use crate::supervise::{Surroundings, lines};

/// The word by which the agent's program is told to be a keeper.
pub(crate) const KEEPER: &str = "--migration";

/// How often a migration that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How many lines of its log a migration that went well shows.
const SHOWN: usize = 5;

/// How a migration went: `migrated.json` in the revision's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Migrated {
    /// When it began, the last time.
    began: Timestamp,
    /// How often it was cut off before: its keeper was gone and nobody knows how far it had come.
    cut_off: u32,
    /// How it ended; `None` while it runs, or where its keeper was killed.
    end: Option<Ended>,
}

/// A migration's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    at: Timestamp,
    how: How,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It took too long and was stopped.
    Late,
    /// It could not be started.
    NotStarted(String),
}

/// The migration of one revision.
pub(crate) struct Migration {
    revision: Sequence,
    folder: PathBuf,
    limit: Span,
}

/// Why a migration is judged no, with the last lines of its log.
pub(crate) struct NotMigrated {
    pub(crate) why: String,
    pub(crate) log: Vec<String>,
}

impl Migration {
    pub(crate) fn new(root: &Root, revision: Sequence, limit: Span) -> Self {
        Self { revision, folder: root.revision(revision), limit }
    }

    /// How it came out, where it has ended.
    pub(crate) fn outcome(&self) -> io::Result<Option<Result<String, NotMigrated>>> {
        let Some(Migrated { began, cut_off, end: Some(Ended { at, how }) }) =
            read_json(&record(&self.folder))?
        else {
            return Ok(None);
        };
        let log = lines(&log(&self.folder));
        let why = match how {
            How::Code(0) => {
                let mut note = format!("migrated after {} ms", at.duration_since(began).as_millis());
                if cut_off > 0 {
                    note.push_str("; it had been cut off before, so that it was run again");
                }
                let said = &log[log.len().saturating_sub(SHOWN)..];
                if !said.is_empty() {
                    note.push_str("; it said: ");
                    note.push_str(&said.join(" | "));
                }
                return Ok(Some(Ok(note)));
            }
            How::Code(code) => format!("the migration of {} ended with exit code {code}", self.revision),
            How::Signal(signal) => format!("the migration of {} was ended by signal {signal}", self.revision),
            How::Late => {
                format!(
                    "the migration of {} did not end within {} and was stopped",
                    self.revision, self.limit
                )
            }
            How::NotStarted(why) => format!("cannot start the migration of {}: {why}", self.revision),
        };
        Ok(Some(Err(NotMigrated { why, log })))
    }

    /// Starts it, or waits for it where it runs already: the child ends when the migration has.
    ///
    /// # Errors
    /// A sentence, where the keeper cannot be started.
    pub(crate) fn start(
        &self,
        manifest: &Manifest,
        run: &[String],
        around: &Surroundings<'_>,
    ) -> Result<Child, String> {
        let words = around.words(manifest, 0);
        let mut filled = Vec::with_capacity(run.len());
        for word in run {
            filled.push(words.fill(word)?);
        }
        let Some((program, arguments)) = filled.split_first() else { return Err("`up` is empty".to_owned()) };
        let path = log(&self.folder);
        let output = around.open_log(&path).map_err(|error| error.to_string())?;
        let second =
            output.try_clone().map_err(|error| named(error, "cannot use the log", &path).to_string())?;
        let mut command = itself(KEEPER);
        command.arg(&self.folder).arg(u64::from(self.limit).to_string());
        command.arg(around.located(program, manifest)).args(arguments);
        around.dress(&mut command, manifest, &words)?;
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(second)
            .spawn()
            .map_err(|error| format!("cannot start its keeper: {error}"))
    }
}

/// Waits until no migration of the revision runs: what is half done is worse than what is done.
pub(crate) async fn await_end(root: &Root, revision: Sequence) -> io::Result<bool> {
    let folder = root.revision(revision);
    let mut waited = false;
    while runs(&folder)? {
        waited = true;
        tokio::time::sleep(LOOK).await;
    }
    Ok(waited)
}

fn runs(folder: &Path) -> io::Result<bool> {
    let ended = read_json::<Migrated>(&record(folder))?.is_none_or(|migrated| migrated.end.is_some());
    if ended {
        return Ok(false);
    }
    let file = match OpenOptions::new().write(true).open(lock(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(named(error, "cannot open", &lock(folder))),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(named(error, "cannot lock", &lock(folder))),
    }
}

fn record(folder: &Path) -> PathBuf {
    folder.join("migrated.json")
}

fn lock(folder: &Path) -> PathBuf {
    folder.join("migrate.lock")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log").join("migrate.log")
}

fn open_lock(folder: &Path) -> io::Result<File> {
    let path = lock(folder);
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| named(error, "cannot open", &path))
}
