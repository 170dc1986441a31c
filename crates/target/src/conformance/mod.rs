//! The conformance kit: one suite that runs against every driver, ours and anybody's.
//!
//! Each check is one promise that the drive loop relies on. It is made on targets of its own, by the driver's verbs
//! alone, so that nothing is asked of a driver which the trait does not promise.

mod fence;
mod ground;
mod journal;
mod more;
#[cfg(test)]
mod mutants;
pub(crate) mod plans;
mod steps;
mod sweep;
mod through;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

pub use self::ground::{Bench, Ground, Not, mark};

/// One promise of a driver.
pub struct Check {
    /// Its name, for people and documents: `fence-is-one`.
    pub name: &'static str,
    /// What it holds the driver to.
    pub promise: &'static str,
    run: for<'a> fn(&'a Ground<'a>) -> Running<'a>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Not>> + Send + 'a>>;

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The driver keeps the promise.
    Kept,
    /// It does not, and how that was seen.
    Broken(String),
    /// It was not asked, and why.
    Skipped(String),
}

/// A check that was made.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The check's name.
    pub name: &'static str,
    /// What it holds the driver to.
    pub promise: &'static str,
    /// How it came out.
    pub held: Held,
    /// How long it took.
    pub took: Duration,
}

/// What is made of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    /// How many kills the sweep makes, spread evenly over the mutations of a rollout.
    pub kills: usize,
    /// Only checks whose name contains this.
    pub only: Option<&'a str>,
}

macro_rules! checks {
    ($($name:literal: $promise:literal, $run:path;)*) => {
        /// Every check, in the order in which they are made: what the later rely on comes first.
        pub const CHECKS: &[Check] = &[
            $(Check { name: $name, promise: $promise, run: |ground| Box::pin($run(ground)) },)*
        ];
    };
}

checks! {
    "observe-empty": "a new target serves nothing, holds no lease and has an empty journal", steps::observe_empty;
    "fence-one": "while one run holds the fence, another is refused and told by whom", fence::is_one;
    "fence-renew": "the same run renews under its own epoch", fence::renews;
    "fence-rises": "every new lease has a higher epoch, also after a release", fence::rises;
    "fence-race": "of many claims at once exactly one is given", fence::race;
    "fence-release": "a release frees the fence, and only the holder's own does", fence::releases;
    "fence-expiry": "a lease ends by itself, not before its time, and then admits nothing", fence::expires;
    "fence-stale": "no mutation is accepted from an epoch that is no longer the newest", fence::stale;
    "journal-keeps": "what is appended is read back, in order and byte for byte", journal::keeps;
    "journal-hostile": "any text survives in the journal as it was", journal::hostile;
    "journal-head": "an append that does not follow the head is refused and writes nothing", journal::head;
    "journal-race": "of many appends after one head exactly one is kept", journal::race;
    "journal-shared": "every later run reads the same journal", journal::shared;
    "stage-quiet": "staging a revision sends it no request", steps::stage_is_quiet;
    "stage-needs-files": "a revision without files is not staged, and not ready", steps::nothing_is_not_staged;
    "shift-absolute": "a shift names all that get requests, and nothing else does", steps::shift_is_absolute;
    "shift-weights": "shares are what was asked for", steps::shares;
    "settle-true": "after settle the shift is what happens: accepted is not effective", steps::settle_is_true;
    "commit-quiet": "a commit changes nothing that is served", steps::commit_is_quiet;
    "retire-keeps": "retire leaves the live one alone and keeps the way back", steps::retire_keeps;
    "retire-removes": "retire removes what nothing keeps any more", steps::retire_removes;
    "retire-warm": "retire keeps running what is to stay warm, so that it serves again at once", more::retire_keeps_warm;
    "withdraw-keeps-files": "a withdrawn revision can be raised again without its files", steps::withdraw_keeps_files;
    "migrate-once": "a migration runs once for its revision, however often it is asked for", more::migrates_once;
    "hosts-none": "a step for some hosts only is refused where the target has none, and changes nothing", more::no_hosts;
    "apart": "what is done in one environment leaves another alone", steps::apart;
    "twice": "every step applied twice is the step applied once", sweep::twice;
    "kills": "after a kill at any mutation one further run converges to the old or the new", sweep::kills;
}

/// Makes the suite against a driver; `begins` and `tells` are called for each check.
pub async fn run(
    bench: &dyn Bench,
    extent: Extent<'_>,
    begins: &(dyn Fn(&Check) + Sync),
    tells: &(dyn Fn(&Finding) + Sync),
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in CHECKS.iter().filter(|check| extent.only.is_none_or(|only| check.name.contains(only))) {
        begins(check);
        let started = Instant::now();
        let ground = Ground::new(bench, check.name, extent.kills);
        let verdict = (check.run)(&ground).await;
        let took = started.elapsed();
        ground.clean().await;
        let held = match verdict {
            Ok(()) => Held::Kept,
            Err(Not::Kept(why)) => Held::Broken(why),
            Err(Not::Asked(why)) => Held::Skipped(why),
        };
        let finding = Finding { name: check.name, promise: check.promise, held, took };
        tells(&finding);
        findings.push(finding);
    }
    findings
}
