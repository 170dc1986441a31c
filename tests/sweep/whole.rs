//! What must hold of an environment: when its agent has died, and when a run says that it is done.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde::Deserialize;
use windlass_domain::fence::Fence;
use windlass_domain::journal::History;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;
use windlass_target::host::asleep;
use windlass_target::reach;

use crate::lane::{Lane, PATIENCE, Run};
use crate::processes::{self, Instance};
use crate::proxy::{Killed, Side, Victim};
use crate::scenario::Around;

impl Lane {
    /// All weight is on one revision, which is live by the ledger and answers; no other has a process; nothing is open,
    /// stuck or on hold.
    pub(crate) fn check_whole(&mut self, kills: &[Killed], case: &str) {
        let state = self.state();
        let history = self.history();
        assert!(
            history.open().is_none() && !history.is_stuck() && history.hold.is_none(),
            "{history:?}: {case}"
        );
        assert_eq!(history.head, state.head, "{case}");
        let live = history.live().unwrap_or_else(|| panic!("nothing is live: {case}")).revision;
        assert_eq!(state.weights, Weights::all(live), "{case}");
        assert!(state.lease.is_none(), "{:?}: {case}", state.lease);
        let wanted = usize::from(reach::instances(&history.releases[&live]));
        for revision in &state.revisions {
            let running = revision.instances.iter().filter(|instance| instance.ready).count();
            let expected = if revision.revision == live { wanted } else { 0 };
            assert_eq!((revision.instances.len(), running), (expected, expected), "{revision:?}: {case}");
            let artifact = history.releases.get(&revision.revision).map(|release| release.artifact);
            assert_eq!(artifact, Some(revision.artifact), "{revision:?}: {case}");
        }
        assert_eq!(state.revisions.iter().filter(|revision| revision.wanted > 0).count(), 1, "{case}");
        let found = processes::instances(&self.root().join("revisions"));
        assert_eq!(found.len(), wanted, "what runs, and nothing that the agent forgot: {found:?}: {case}");
        self.check_adopted(kills, live, &found, case);
        self.live = answering(state.listening.as_deref().unwrap(), case);
        self.labels.insert(live, self.live.clone());
    }

    /// Whatever became of the run, clients are answered.
    pub(crate) fn serves(&self, case: &str) {
        answering(self.state().listening.as_deref().unwrap(), case);
    }

    /// What served when the agent was killed serves on, without it.
    pub(crate) fn check_alive(&self, killed: &Killed, case: &str) {
        if matches!(killed.side, Side::During(_)) {
            return;
        }
        for instance in killed.instances.iter().filter(|instance| instance.serves) {
            assert!(instance.is_alive(), "{instance:?} died with the agent: {case}");
        }
    }

    /// What is live and ran when an agent was killed was not started again, but adopted.
    fn check_adopted(&self, kills: &[Killed], live: Sequence, found: &[Instance], case: &str) {
        for killed in kills.iter().filter(|killed| killed.victim == Victim::Agent) {
            // An agent may die before it has written down what it just started: that is ended and started again.
            if matches!(killed.side, Side::During(_)) {
                return;
            }
            for instance in &killed.instances {
                let is_live = instance.serves && instance.revision == live.0;
                assert!(
                    !is_live || found.contains(instance),
                    "{instance:?} was not adopted: {found:?}: {case}"
                );
            }
        }
    }

    /// Each revision migrates once, whoever died meanwhile; that of a run that ended has.
    pub(crate) fn check_migrated(&self, run: &Run, case: &str) {
        let text = fs::read_to_string(self.ups()).unwrap_or_default();
        let mut ups: Vec<&str> = text.lines().collect();
        if run.release.scenario.around == Around::Migration {
            let last = self.history().rollouts.last().unwrap().plan.release.sequence.to_string();
            assert!(ups.contains(&last.as_str()), "{last} did not migrate: {ups:?}: {case}");
        }
        let count = ups.len();
        ups.sort_unstable();
        ups.dedup();
        assert_eq!(ups.len(), count, "one migrated twice: {text:?}: {case}");
    }

    /// What the ledger's file says.
    pub(crate) fn history(&self) -> History {
        asleep(&self.root()).unwrap_or_else(|error| panic!("{error}")).0
    }

    /// Whether the lease that a dead agent has left is over.
    #[expect(clippy::disallowed_methods, reason = "nobody is there who could be asked for the time")]
    pub(crate) fn kept_lease_is_over(&self) -> bool {
        #[derive(Deserialize)]
        struct Kept {
            fence: Fence,
        }
        let kept: Kept = serde_json::from_slice(&fs::read(self.root().join("fence.json")).unwrap()).unwrap();
        kept.fence.lease.is_none_or(|lease| lease.expires <= jiff::Timestamp::now())
    }
}

/// The label of the version that answers the environment's clients.
fn answering(address: &str, case: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let label = answer.split_once("\r\n\r\nshop ").map(|(_, label)| label.trim().to_owned());
    label.filter(|_| answer.starts_with("HTTP/1.1 200 ")).unwrap_or_else(|| panic!("{answer:?}: {case}"))
}
