//! What is live: asked of the agent, read as plain JSON and metrics.

use serde::Deserialize;
use windlass_ci::fail::{Failure, Result};
use windlass_domain::digest::Digest;
use windlass_domain::release::Sequence;
use windlass_signal::judge::Source;
use windlass_signal::source::reading::{pick, weights};
use windlass_signal::source::text::Series;
use windlass_signal::source::{self, SourceError};

use crate::topics;

/// Fewer requests than this are nothing to compare with, in a revision that gets no requests any more.
const FEWEST_BEFORE: u64 = 100;

/// What is live.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Live {
    /// The newest revision that gets requests.
    pub(crate) new: Sequence,
    /// The next older one that gets requests, or did.
    pub(crate) old: Option<Sequence>,
    /// The router's address.
    pub(crate) listening: Option<String>,
    /// The new revision's artifact.
    pub(crate) artifact: Option<Digest>,
}

/// The part of the agent's state that is needed here. Everything else in it is another's business.
#[derive(Debug, Deserialize)]
struct State {
    listening: Option<String>,
    #[serde(default)]
    revisions: Vec<Revision>,
}

#[derive(Debug, Deserialize)]
struct Revision {
    revision: Sequence,
    artifact: Digest,
}

/// Asks the agent.
///
/// # Errors
/// Unknown (3) when it cannot be asked, or nothing gets requests.
pub(crate) async fn ask(agent: &Source) -> Result<Live> {
    let unreachable = |error: SourceError| {
        Failure::unknown(&topics::AGENT, "cannot ask the agent")
            .because(error)
            .hint("is a release deployed there, by this user?")
    };
    let series = source::series(agent).await.map_err(unreachable)?;
    let bytes = source::get(agent, "/v1/state").await.map_err(unreachable)?;
    let state: State = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::unknown(&topics::AGENT, "cannot understand the agent's state").because(error)
    })?;
    let (new, old) = pair(&series).ok_or_else(|| {
        Failure::unknown(&topics::NOTHING_LIVE, "nothing is live: no revision gets requests")
            .hint("deploy first")
    })?;
    let artifact = state.revisions.iter().find(|one| one.revision == new).map(|one| one.artifact);
    Ok(Live { new, old, listening: state.listening, artifact })
}

/// The newest revision with a weight, and the one to compare it with: the next older one with a weight, else the next
/// older one that has served enough.
fn pair(series: &[Series]) -> Option<(Sequence, Option<Sequence>)> {
    let live = weights(series);
    let new = *live.keys().next_back()?;
    let serving = live.keys().rev().nth(1).copied();
    Some((new, serving.or_else(|| served_before(series, new))))
}

fn served_before(series: &[Series], new: Sequence) -> Option<Sequence> {
    let mut older: Vec<Sequence> = series
        .iter()
        .filter(|one| one.name == "windlass_requests_total")
        .filter_map(|one| one.label("revision")?.parse().ok())
        .filter(|one| *one < new)
        .collect();
    older.sort();
    older.dedup();
    let enough = |one: &Sequence| {
        pick(series, *one, None).new.requests.get().is_ok_and(|count| count >= FEWEST_BEFORE)
    };
    older.into_iter().rev().find(enough)
}

#[cfg(test)]
mod tests {
    use windlass_signal::source::text::parse;

    use super::*;

    fn found(text: &str) -> Option<(u64, Option<u64>)> {
        pair(&parse(text).unwrap()).map(|(new, old)| (new.0, old.map(|old| old.0)))
    }

    #[test]
    fn the_newest_with_a_weight_is_judged_against_the_next() {
        let weight =
            |revision: u64, weight: f64| format!("windlass_weight{{revision=\"r{revision}\"}} {weight}\n");
        let served = |revision: u64, count: u64| {
            format!("windlass_requests_total{{revision=\"r{revision}\",code=\"2xx\"}} {count}\n")
        };
        assert_eq!(found(""), None);
        assert_eq!(found(&weight(3, 0.0)), None);
        assert_eq!(found(&(weight(9, 0.05) + &weight(10, 0.0) + &weight(8, 0.95))), Some((9, Some(8))));
        assert_eq!(found(&(weight(10, 1.0) + &served(9, 500) + &served(8, 900))), Some((10, Some(9))));
        assert_eq!(found(&(weight(10, 1.0) + &served(9, 5))), Some((10, None)));
    }
}
