//! After handing over: what is under way ends, by the table of the new agent and under its eyes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use windlass_domain::release::Sequence;

use super::{Channel, FromNew, FromOld, WireLane};
use crate::agent::Agent;
use crate::route::{Lane, Leave, Tally, Upstream};

/// How often what is in flight is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long requests that are under way at the very end may take.
const GRACE: Duration = Duration::from_secs(1);

/// Answers what is under way, for as long as releases may drain, and ends the router.
pub(crate) async fn leave(agent: &Arc<Agent>, channel: &Channel) {
    let parting = agent.fleet.longest_drain();
    agent.router.unlisten();
    let mut stopped = std::pin::pin!(agent.router.stop(Leave { parting, grace: GRACE }));
    tokio::select! {
        () = &mut stopped => {}
        // Where the new agent is gone, nobody has a table or cuts anything any more.
        Err(error) = report(agent, channel) => {
            tracing::warn!(%error, "the agent that took over is gone");
            stopped.await;
        }
    }
}

async fn report(agent: &Arc<Agent>, channel: &Channel) -> io::Result<std::convert::Infallible> {
    let mut tallies: BTreeMap<Sequence, Arc<Tally>> = agent.fleet.tallies().into_iter().collect();
    let mut told = None;
    loop {
        let now = in_flight(&tallies);
        if told.as_ref() != Some(&now) {
            channel.send(&FromOld::InFlight { revisions: now.clone() }, &[]).await?;
            told = Some(now);
        }
        let Ok(order) = tokio::time::timeout(LOOK, channel.receive()).await else { continue };
        match order? {
            Some((FromNew::Table { version, lanes }, _)) => {
                let lanes = lanes.into_iter().map(|lane| lane_of(agent, &mut tallies, lane)).collect();
                let here = agent.router.publish(lanes);
                agent.router.effective(here).await;
                // Before it: a request that went by the table before is among these.
                let now = in_flight(&tallies);
                channel.send(&FromOld::InFlight { revisions: now.clone() }, &[]).await?;
                told = Some(now);
                channel.send(&FromOld::Effective { version }, &[]).await?;
            }
            Some((FromNew::Cut { revision }, _)) => agent.router.cut(revision).await,
            Some((FromNew::Ready { .. } | FromNew::Mine, _)) => {}
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn in_flight(tallies: &BTreeMap<Sequence, Arc<Tally>>) -> Vec<(Sequence, u64)> {
    tallies
        .iter()
        .map(|(revision, tally)| (*revision, tally.sum().in_flight))
        .filter(|(_, in_flight)| *in_flight > 0)
        .collect()
}

fn lane_of(agent: &Agent, tallies: &mut BTreeMap<Sequence, Arc<Tally>>, lane: WireLane) -> Lane {
    let tally = tallies.entry(lane.revision).or_insert_with(|| agent.router.tally());
    let upstreams = lane.upstreams.into_iter().map(|(id, address)| Upstream { id, address }).collect();
    Lane::new(lane.revision, lane.weight, upstreams, Arc::clone(tally))
}
