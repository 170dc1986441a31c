//! The promise to whoever comes next: from here, one further run that nobody disturbs leaves the environment whole.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use windlass_domain::outcome::Outcome;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Weights;

use crate::agent::{Agent, Journal, Rules, Site};
use crate::run::{Ask, Errand, Run, Under};

/// The journals and sites that one further run was tried from already.
static TRIED: Mutex<Option<HashSet<u64>>> = Mutex::new(None);

/// A run's number that no other has.
const NOBODY_ELSE: usize = 9;

/// No run sends so many messages.
const TOO_MANY: usize = 200;

/// Whether one further run, of any kind and with either verdict, makes this environment whole.
pub(crate) fn converges(agent: &Agent) -> bool {
    // What is under way may take effect before the run, or never.
    let mut landed = agent.clone();
    landed.land();
    [agent, &landed].into_iter().all(|agent| {
        let mut hasher = DefaultHasher::new();
        agent.journal.hash_what_matters(&mut hasher);
        agent.site.hash(&mut hasher);
        let key = hasher.finish();
        let tried = || TRIED.lock().unwrap_or_else(PoisonError::into_inner);
        if tried().get_or_insert_default().contains(&key) {
            return true;
        }
        let errands = [Errand::Deploy(1), Errand::Deploy(2), Errand::Rollback];
        let whole = errands.iter().all(|errand| {
            [true, false].iter().all(|holds| further(&agent.journal, &agent.site, *errand, *holds))
        });
        if whole {
            tried().get_or_insert_default().insert(key);
        }
        whole
    })
}

/// How many different ones were tried.
pub(crate) fn tried() -> usize {
    TRIED.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, HashSet::len)
}

fn further(journal: &Journal, site: &Site, errand: Errand, holds: bool) -> bool {
    let rules = Rules::REAL;
    let mut agent = Agent::new();
    agent.fence.epoch = journal.last;
    agent.journal = journal.clone();
    agent.site = site.clone();
    let Some(lease) = agent.claim(&rules, NOBODY_ELSE, 0) else { return false };
    let mut run = Run::Under(Under::granted(lease.epoch));
    for _ in 0..TOO_MANY {
        let under = match run {
            Run::Under(under) => under,
            Run::Over(outcome) => return is_whole(&agent, outcome),
            Run::Fresh => return false,
        };
        let ask = std::sync::Arc::clone(&under.ask);
        run = match &*ask {
            Ask::Read => under.read(&agent.journal, errand),
            Ask::Append(events) => {
                if !agent.append(&rules, under.epoch, 0, under.knows.head, events) {
                    return false;
                }
                under.appended(errand)
            }
            Ask::Apply(step) => under.answered(agent.site.apply(step), errand),
            Ask::Judge => under.answered(if holds { Ok(()) } else { Err("worse".into()) }, errand),
        };
    }
    false
}

/// The old or the new, wholly; or stuck.
fn is_whole(agent: &Agent, outcome: Outcome) -> bool {
    let history = &agent.journal.history;
    if agent.journal.broken.is_some() || history.open().is_some() || agent.site.is_cold() {
        return false;
    }
    if outcome == Outcome::Stuck {
        return history.is_stuck();
    }
    let live = history.live().map(|commit| commit.revision);
    let running: Vec<Sequence> = agent.site.running.iter().copied().collect();
    agent.site.weights == live.map_or_else(Weights::none, Weights::all).0
        && running == live.into_iter().collect::<Vec<_>>()
}
