//! What the ledger says of the environment: the rollout's phase, what is live, whether it is held.

use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;
use windlass_domain::journal::{Head, History, read_chain};
use windlass_domain::rollout::Rollout;

use super::page::{Family, Kind, Page};
use crate::agent::Agent;
use crate::clock::now;

static PHASE: Family = Family {
    name: "windlass_rollout_phase",
    kind: Kind::Gauge,
    help: "1 for the phase that the last rollout is in or ended in, 0 for the others.",
};
static OPENED: Family = Family {
    name: "windlass_rollout_opened_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the last rollout was opened, in seconds since 1970.",
};
static PROGRESSED: Family = Family {
    name: "windlass_rollout_progressed_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When a step of the last rollout last ended, in seconds since 1970.",
};
static LIVE: Family = Family {
    name: "windlass_live_revision",
    kind: Kind::Gauge,
    help: "The number of the revision that the ledger says is live; 0 where nothing is.",
};
static HELD: Family = Family {
    name: "windlass_held",
    kind: Kind::Gauge,
    help: "1 where the environment is held, so that nothing may be deployed, else 0.",
};
static SOUND: Family = Family {
    name: "windlass_ledger_sound",
    kind: Kind::Gauge,
    help: "1 where the ledger can be read whole, else 0; then nothing may be changed.",
};

/// What the ledger said when it ended in this entry.
#[derive(Debug)]
pub(crate) struct Standing {
    head: Head,
    history: History,
}

impl Agent {
    /// What the ledger says, read again when it has grown; `None` where it cannot be read whole.
    pub(crate) async fn standing(self: &Arc<Self>) -> Option<Arc<Standing>> {
        let mut known = self.known.lock().await;
        let head = self.head()?;
        if let Some(standing) = known.as_ref().filter(|standing| standing.head == head) {
            return Some(Arc::clone(standing));
        }
        let agent = Arc::clone(self);
        // A long ledger takes a while to verify.
        let read = tokio::task::spawn_blocking(move || {
            let chain = read_chain(&agent.journal().ok()?).ok()?;
            let history = History::replay(&chain.entries).ok()?;
            Some(Arc::new(Standing { head: chain.head(), history }))
        });
        *known = read.await.ok().flatten();
        known.clone()
    }
}

pub(super) fn put(page: &mut Page, standing: Option<&Standing>) {
    page.family(&SOUND).put(&[], u8::from(standing.is_some()));
    let history = standing.map(|standing| &standing.history);
    let rollout = history.and_then(|history| history.rollouts.last());
    let word = rollout.map(Rollout::word);
    let mut phases = page.family(&PHASE);
    // All are told, 0 where it is another: an alert on one of them works before it was ever 1.
    for phase in Rollout::WORDS {
        phases.put(&[("phase", &phase)], u8::from(word == Some(phase)));
    }
    maybe(page, &OPENED, rollout.map(|rollout| seconds(rollout.opened)));
    maybe(page, &PROGRESSED, rollout.map(|rollout| seconds(rollout.progressed)));
    let live = |history: &History| history.live().map_or(0, |commit| commit.revision.0);
    maybe(page, &LIVE, history.map(live));
    maybe(page, &HELD, history.map(|history| u8::from(history.held(now()).is_some())));
}

/// A family of one series, or of none where there is nothing to tell.
fn maybe(page: &mut Page, family: &'static Family, value: Option<impl Display>) {
    let mut series = page.family(family);
    if let Some(value) = value {
        series.put(&[], value);
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
