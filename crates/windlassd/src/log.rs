//! The agent's own log: JSON lines in `agent.log`, the ones before kept as `agent.log.1` and so on.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use tracing::Level;

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
    let file = Own::open(path, RULE)?;
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
