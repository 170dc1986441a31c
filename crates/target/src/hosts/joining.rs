//! A host that lacks a revision gets it from one that has it: a new one, or one that lost its disk.

use std::sync::Arc;

use tempfile::TempDir;
use windlass_domain::causes::chain;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;

use super::Hosts;
use crate::driver::{Driver, DriverError};
use crate::fenced;

impl Hosts {
    /// Has the files for a step at hand for the hosts that it is for. They lie in the folder, which must stay until the
    /// step is done. On the way back what cannot be brought keeps only the host back that lacks it.
    pub(super) async fn bring_for(
        &self,
        step: &Step,
        places: &[usize],
    ) -> Result<Option<TempDir>, DriverError> {
        let Step::Stage { revision, .. } = step else { return Ok(None) };
        let going_back = {
            let standing = self.standing();
            if standing.supplied.contains(revision) {
                return Ok(None);
            }
            standing.going_back
        };
        match self.bring(*revision, places).await {
            Err(_) if going_back => Ok(None),
            brought => brought,
        }
    }

    async fn bring(&self, revision: Sequence, places: &[usize]) -> Result<Option<TempDir>, DriverError> {
        let observe = |_: usize, driver: Arc<dyn Driver>| async move { driver.observe().await };
        let seen = self.each(&self.present(), observe, |_| false).await;
        let has = |at: usize| {
            let seen = seen.iter().find(|(of, _)| *of == at).and_then(|(_, seen)| seen.as_ref().ok());
            seen.map(|seen| seen.revisions.iter().any(|(staged, _)| *staged == revision))
        };
        let lacking: Vec<usize> = places.iter().copied().filter(|at| has(*at) == Some(false)).collect();
        if lacking.is_empty() {
            return Ok(None);
        }
        let history = fenced::history(&**self.first()).await?;
        let Some(release) = history.releases.get(&revision) else { return Ok(None) };
        let mut refused = None;
        for at in self.present().into_iter().filter(|at| has(*at) == Some(true)) {
            let folder = tempfile::Builder::new().prefix("windlass-").tempdir();
            let folder = folder.map_err(|error| DriverError::Unreachable {
                attempt: format!("cannot make a folder here for the files of {revision}"),
                source: error.into(),
            })?;
            match self.members[at].driver.fetch(release, folder.path()).await {
                Ok(Some(package)) => {
                    for at in lacking {
                        self.members[at].driver.supply(revision, package.clone());
                    }
                    return Ok(Some(folder));
                }
                Ok(None) => {}
                Err(error) => {
                    refused.get_or_insert(self.named(at, error));
                }
            }
        }
        let Some(refused) = refused else { return Ok(None) };
        // Whoever lacks it cannot have it: that is a no, whatever was wrong where it came from.
        let names: Vec<&str> = lacking.iter().map(|at| self.members[*at].name.as_str()).collect();
        let why = format!(
            "{} cannot get the files of {revision} from another host: {}",
            names.join(", "),
            chain(&refused)
        );
        Err(DriverError::Judged { why, log: Vec::new() })
    }
}
