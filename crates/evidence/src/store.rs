//! The evidence file: one envelope a line, appended under a lock, never rewritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use windlass_domain::digest::Digest;

use crate::envelope::{Envelope, PAYLOAD_TYPE};
use crate::statement::{STATEMENT_TYPE, Statement};

/// What a line of the evidence file holds.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The sha256 of the line, by which reports name it.
    pub digest: Digest,
    /// What it holds, or why it cannot be read. An unreadable line is no evidence, and is reported.
    pub content: Result<(Envelope, Statement), String>,
}

/// An evidence file and its lines, oldest first.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where it is.
    pub path: PathBuf,
    /// Its lines; empty when the file does not exist.
    pub lines: Vec<Line>,
}

/// The evidence file cannot be read or written.
#[derive(Debug)]
pub struct StoreError {
    /// What was attempted: `read` or `write`.
    pub attempt: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} evidence at {}", self.attempt, self.path.display())
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The largest evidence file that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

impl Store {
    /// Reads the file at `path`; a file that does not exist is an empty store.
    ///
    /// # Errors
    /// When it exists and cannot be read, or is larger than 64 MiB.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError { attempt: "read", path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), lines: Vec::new() });
            }
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 64 MiB")));
        }
        Ok(Self { path: path.to_owned(), lines: lines(&bytes) })
    }

    /// Appends one envelope and syncs it. Several processes may append at once. A torn last line of a killed
    /// writer is ended first, so that it spoils no other.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn append(path: &Path, envelope: &Envelope) -> Result<(), StoreError> {
        let failed = |source| StoreError { attempt: "write", path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut line = serde_json::to_vec(envelope).expect("an envelope has only string keys");
        line.push(b'\n');
        if !ends_with_newline(&mut file).map_err(failed)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed)?;
        // The line is on the disk, and to close the file unlocks it, too.
        let _ = file.unlock();
        Ok(())
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    use std::io::{Seek as _, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn lines(bytes: &[u8]) -> Vec<Line> {
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(index, line)| Line { number: index + 1, digest: Digest::of(line), content: read_line(line) })
        .collect()
}

fn read_line(line: &[u8]) -> Result<(Envelope, Statement), String> {
    let envelope: Envelope =
        serde_json::from_slice(line).map_err(|error| format!("not a DSSE envelope: {error}"))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(format!("payload type {:?} is not {PAYLOAD_TYPE:?}", envelope.payload_type));
    }
    let payload = envelope.payload_bytes().ok_or("payload is not base64")?;
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|error| format!("payload is not a statement: {error}"))?;
    if statement.kind != STATEMENT_TYPE {
        return Err(format!("statement type {:?} is not {STATEMENT_TYPE:?}", statement.kind));
    }
    if statement.subject.is_empty() || statement.subject.iter().any(|subject| subject.digest.is_empty()) {
        return Err("a subject is missing or has no digest".into());
    }
    Ok((envelope, statement))
}
