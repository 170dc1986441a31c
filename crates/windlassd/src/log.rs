//! The agent's own log: JSON lines in `agent.log`, the one before kept as `agent.log.1`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::Level;

/// The size at which a log file is put aside.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Starts logging into `path`.
pub(crate) fn open(path: &Path, verbose: u8) -> io::Result<()> {
    let level = match verbose {
        0 => Level::INFO,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let file = Rotated::open(path)?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .with_writer(Mutex::new(file))
        .finish();
    // Only the first agent of a process may log, which is the only one outside of tests.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// A file that is put aside when it has grown.
struct Rotated {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Rotated {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length })
    }
}

impl Write for Rotated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length >= LIMIT {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Self::open(&self.path)?;
        }
        let count = self.file.write(bytes)?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
