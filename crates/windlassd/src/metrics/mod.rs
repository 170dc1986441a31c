//! Metrics in the Prometheus text format, version 0.0.4. Their names are a contract: `health-verify` reads them, and
//! `docs/metrics.md` lists them.

mod connections;
mod instances;
mod own;
mod page;
mod rollout;
mod traffic;

use std::sync::Arc;

use self::page::Page;
pub(crate) use self::rollout::Standing;
use crate::agent::Agent;

/// All metrics.
pub(crate) async fn text(agent: &Arc<Agent>) -> String {
    agent.fleet.measure().await;
    let standing = agent.standing().await;
    let mut page = Page::default();
    own::put(&mut page, agent);
    traffic::put(&mut page, &agent.fleet.sums(), &agent.router.nowhere().sum(), &agent.fleet.weights());
    connections::put(&mut page, agent.router.door());
    instances::put(&mut page, &agent.fleet.state());
    rollout::put(&mut page, standing.as_deref());
    page.text()
}
