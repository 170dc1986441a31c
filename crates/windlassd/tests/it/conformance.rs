//! The agent, through its driver, against the suite that every driver must pass.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_target::conformance::{Bench, Extent, Held, mark, run};
use windlass_target::driver::{Driver, DriverError, Package};
use windlass_target::host::Host;

use crate::support::Agent;

/// One agent a target; all end with the bench.
struct Agents {
    folder: Agent,
    started: Mutex<Vec<Agent>>,
}

#[async_trait]
impl Bench for Agents {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn Driver>, DriverError> {
        // An agent's helper has a runtime of its own, which cannot be made inside of one.
        let agent = std::thread::spawn(Agent::start).join().expect("it answers");
        let host = Host::new(&agent.root(), agent.place.clone(), Span::seconds(60));
        self.started.lock().expect("nobody panicked").push(agent);
        Ok(Arc::new(host))
    }

    fn package(&self, revision: Sequence) -> Package {
        let package = self.folder.package(&mark(revision), &[]);
        Package {
            artifact: package.artifact,
            artifact_path: package.artifact_path,
            config: package.config,
            config_paths: package.config_paths,
            parameters: serde_json::to_value(package.launch).expect("string keys"),
        }
    }
}

#[test]
fn the_host_driver_keeps_every_promise_on_a_real_agent() {
    let bench = Agents { folder: Agent::start(), started: Mutex::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let extent = Extent { kills: 12, only: None };
    let findings = runtime.expect("a runtime").block_on(run(&bench, extent, &|_| {}, &|_| {}));
    let broken: Vec<_> = findings.iter().filter(|finding| finding.held != Held::Kept).collect();
    assert!(broken.is_empty() && findings.len() >= 28, "{broken:#?}");
}
