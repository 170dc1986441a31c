//! What the demo claims, each with what was observed; and the table it ends with.

use std::fmt::Write as _;

use serde::Serialize;
use windlass_ci::sink;
use windlass_domain::outcome::Outcome;

/// One claim, computed from what was observed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Claim {
    /// What is claimed.
    pub(super) claim: String,
    /// What was observed.
    pub(super) observed: String,
    /// Whether it holds.
    pub(super) holds: bool,
}

/// One release in production.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    /// What it is called.
    pub(super) release: String,
    /// Its revision in production.
    pub(super) revision: String,
    /// How its deploy ended.
    pub(super) ended: String,
    /// Requests sent through the router while it was deployed, to whichever revision.
    pub(super) sent: u64,
    /// Of these, requests that the router failed.
    pub(super) failed: u64,
    /// Bad answers of this release.
    pub(super) bad: u64,
    /// From its first share of requests to the verdict against it.
    pub(super) caught_ms: Option<u64>,
    /// From the decision to turn back until everything went to the old again.
    pub(super) back_ms: Option<u64>,
}

/// Where things lie.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Places {
    pub(super) ledger: String,
    pub(super) evidence: String,
    pub(super) reports: String,
    pub(super) service: String,
}

/// What the demo ends with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Result {
    pub(super) tool: &'static str,
    pub(super) version: &'static str,
    pub(super) outcome: Outcome,
    pub(super) code: u8,
    pub(super) duration_ms: u64,
    /// Requests that a client sent to production through the whole story.
    pub(super) sent: u64,
    /// Of these, requests that got no complete answer.
    pub(super) lost: u64,
    pub(super) releases: Vec<Row>,
    pub(super) claims: Vec<Claim>,
    pub(super) places: Places,
}

impl Result {
    /// The table, for a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("\n");
        put(&mut text, "release  revision  ended     sent   failed  bad answers  caught after  back after");
        for row in &self.releases {
            let time = |time: Option<u64>| time.map_or_else(|| "–".to_owned(), |time| format!("{time} ms"));
            put(
                &mut text,
                &format!(
                    "{:<8} {:<9} {:<9} {:<6} {:<7} {:<12} {:<13} {}",
                    row.release,
                    row.revision,
                    row.ended,
                    row.sent,
                    row.failed,
                    row.bad,
                    time(row.caught_ms),
                    time(row.back_ms)
                ),
            );
        }
        put(
            &mut text,
            &format!("\nA client sent {} requests; {} got no complete answer.\n", self.sent, self.lost),
        );
        for claim in self.claims.iter().filter(|claim| !claim.holds) {
            put(&mut text, &format!("✗ {}: {}", claim.claim, sink::line(&claim.observed)));
        }
        put(&mut text, &format!("ledger    {}", self.places.ledger));
        put(&mut text, &format!("evidence  {}", self.places.evidence));
        put(&mut text, &format!("reports   {}", self.places.reports));
        if self.places.service.is_empty() {
            put(&mut text, "          (removed with everything else; `windlass demo --keep` leaves them)");
        } else {
            put(&mut text, &format!("service   {}", self.places.service));
        }
        let failed = self.claims.iter().filter(|claim| !claim.holds).count();
        let seconds = self.duration_ms / 1000;
        put(
            &mut text,
            &match failed {
                0 => format!(
                    "\nEvery claim holds ({} of {}), after {seconds} s.",
                    self.claims.len(),
                    self.claims.len()
                ),
                failed => {
                    format!("\n{failed} of {} claims do not hold, after {seconds} s.", self.claims.len())
                }
            },
        );
        text
    }
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}
