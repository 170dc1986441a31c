//! What a run knows of its hosts: leases, copies of the ledger, and who is left out.

use std::collections::{BTreeMap, BTreeSet};

use windlass_domain::fence::Lease;
use windlass_domain::journal::{Event, Head, History};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Phase, Rollout};

use crate::driver::DriverError;

/// By the host's place in the list.
#[derive(Debug)]
pub(super) struct Standing {
    /// The lease that this run holds on each.
    pub(super) leases: Vec<Option<Lease>>,
    /// The head of each copy of the ledger, as far as it is kept.
    pub(super) heads: Vec<Option<Head>>,
    /// Whether the open rollout is on its way back.
    pub(super) going_back: bool,
    /// Hosts that could not be put back, and why.
    pub(super) left_out: BTreeMap<usize, String>,
    /// The revisions whose files this run has at hand.
    pub(super) supplied: BTreeSet<Sequence>,
}

impl Standing {
    pub(super) fn of(hosts: usize) -> Self {
        Self {
            leases: vec![None; hosts],
            heads: vec![None; hosts],
            going_back: false,
            left_out: BTreeMap::new(),
            supplied: BTreeSet::new(),
        }
    }

    /// Takes in what the ledger of record says now.
    pub(super) fn follow(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Reverting { .. } => self.going_back = true,
                Event::Opened { .. } | Event::Closed | Event::Reverted { .. } | Event::Stuck { .. } => {
                    self.going_back = false;
                    self.left_out.clear();
                }
                Event::Resumed
                | Event::Started { .. }
                | Event::Done { .. }
                | Event::Failed { .. }
                | Event::Committed { .. }
                | Event::Hold { .. }
                | Event::Unhold { .. } => {}
            }
        }
    }
}

/// Whether a rollout puts everything back.
pub(super) const fn is_on_the_way_back(rollout: &Rollout) -> bool {
    matches!(rollout.phase, Phase::Back { .. })
}

/// What is wrong with a host's copy of the ledger, by what both say is live and open.
pub(super) fn drift(record: &History, copy: &History, first: &str) -> Option<String> {
    let live = |history: &History| history.live().map(|commit| commit.revision);
    let named =
        |history: &History| live(history).map_or_else(|| "nothing".to_owned(), |live| live.to_string());
    let wrong = if live(record) == live(copy) {
        let (here, there) = (record.head.number, copy.head.number);
        if here == there {
            return None;
        }
        format!("its ledger has {there} entries, and that of {first} {here}")
    } else {
        format!("its ledger says that {} is live, and that of {first} {}", named(copy), named(record))
    };
    Some(format!("{wrong}: the next run brings it up to date where it only lags behind"))
}

/// A host whose fence this run does not hold is not touched.
pub(super) fn no_lease() -> DriverError {
    DriverError::Unreachable {
        attempt: "cannot change a host".to_owned(),
        source: "this run does not hold its fence".into(),
    }
}
