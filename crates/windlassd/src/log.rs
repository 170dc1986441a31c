//! The agent's own log: JSON lines in `agent.log`, the ones before kept as `agent.log.1` and so on.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::rotation::{Own, Rule};

/// When it is put aside: at 8 MiB or after 30 days.
const RULE: Rule = Rule { size: 8 * 1024 * 1024, age: Duration::from_secs(30 * 24 * 3600), keep: 3 };

/// Starts logging into `path`.
pub(crate) fn open(path: &Path, verbose: u8) -> io::Result<()> {
    let level = match verbose {
        0 => Level::INFO,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let log = Log::open(path)?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .log_internal_errors(false)
        .with_writer(log)
        .finish();
    // Only the first agent of a process may log, which is the only one outside of tests.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// The log as what is logged to. A line that cannot be written is lost, and nothing else: whoever logs may hold anything,
/// and goes on where the disk is full.
struct Log(Mutex<Lossy>);

struct Lossy {
    file: Own,
    /// How many lines were lost since one was written.
    lost: u64,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(Lossy { file: Own::open(path, RULE)?, lost: 0 })))
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Pen<'a>;

    fn make_writer(&'a self) -> Pen<'a> {
        Pen(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What writes one line.
struct Pen<'a>(MutexGuard<'a, Lossy>);

impl Write for Pen<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let lossy = &mut *self.0;
        let told = format!(
            "{{\"level\":\"WARN\",\"message\":\"lines could not be written here\",\"lost\":{}}}\n",
            lossy.lost
        );
        if lossy.lost > 0 && lossy.file.write(told.as_bytes()).is_ok() {
            lossy.lost = 0;
        }
        lossy.lost += u64::from(lossy.file.write(bytes).is_err());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_written_loses_its_lines_and_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        let log = Log::open(Path::new("/dev/full")).unwrap();
        for _ in 0..3 {
            log.make_writer().write_all(b"{}\n").unwrap();
        }
        assert_eq!(log.0.lock().unwrap().lost, 3);
        // There is room again.
        log.0.lock().unwrap().file = Own::open(&path, RULE).unwrap();
        log.make_writer().write_all(b"{}\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with('{') && text.ends_with("\"lost\":3}\n{}\n"), "{text}");
    }
}
