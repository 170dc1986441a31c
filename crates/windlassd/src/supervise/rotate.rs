//! Rotating the logs of instances, by the rule of their release.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::Fleet;
use crate::clock::now;
use crate::rotation::{Rule, Turned, settle, turn};

/// How often logs are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Rotates the logs of all instances, for ever.
pub(crate) async fn rotate(fleet: Arc<Fleet>) {
    let mut seen = BTreeSet::new();
    let mut has_warned = false;
    loop {
        let files = fleet.reins.files().await;
        for (log, rule) in fleet.logs() {
            let is_first = seen.insert(log.clone());
            let path = log.clone();
            let turned = tokio::task::spawn_blocking(move || look(&path, rule, is_first)).await;
            match turned {
                Ok(Ok(Turned::Lossy)) if !has_warned => {
                    has_warned = true;
                    tracing::warn!(
                        log = %log.display(),
                        "this file system cannot take the head out of a file, so that logs are copied and emptied, and \
                         lines written between the two are lost: put the root on ext4 or XFS"
                    );
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(log = %log.display(), %error, "cannot rotate a log");
                    seen.remove(&log);
                }
                Err(error) => tracing::error!(log = %log.display(), %error, "rotating a log broke off"),
            }
        }
        drop(files);
        tokio::time::sleep(LOOK).await;
    }
}

fn look(log: &Path, rule: Rule, is_first: bool) -> io::Result<Turned> {
    if is_first {
        // An agent that was killed may have left something half done, and so may a full disk.
        settle(log, &rule)?;
    }
    turn(log, &rule, now())
}
