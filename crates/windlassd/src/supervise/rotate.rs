//! Rotating the logs of instances. Their processes hold them open, also across agents, so a log that has grown is
//! copied aside and emptied in place; it is open for appending, so that the process goes on at its start. Lines
//! written between the two are lost, which is the price of logs that need no agent.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::Fleet;

/// The size at which a log is put aside, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// How often logs are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Rotates the logs of all instances, for ever.
pub(crate) async fn rotate(fleet: Arc<Fleet>) {
    loop {
        tokio::time::sleep(LOOK).await;
        for log in fleet.logs() {
            let path = log.clone();
            let result = tokio::task::spawn_blocking(move || put_aside(&path, LIMIT)).await;
            if let Ok(Err(error)) = result {
                tracing::warn!(log = %log.display(), %error, "cannot rotate a log");
            }
        }
    }
}

fn put_aside(log: &Path, limit: u64) -> io::Result<()> {
    match fs::metadata(log) {
        Ok(metadata) if metadata.len() >= limit => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    fs::copy(log, log.with_extension("log.1"))?;
    OpenOptions::new().write(true).open(log)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_that_has_grown_is_emptied_under_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("0.log");
        let mut writer = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        writer.write_all(b"before").unwrap();
        put_aside(&log, 7).unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"before", "not yet grown");
        put_aside(&log, 6).unwrap();
        writer.write_all(b"after").unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"after");
        assert_eq!(fs::read(folder.path().join("0.log.1")).unwrap(), b"before");
        put_aside(&folder.path().join("none.log"), 0).unwrap();
    }
}
