//! Several hosts seen as one environment.

use std::collections::{BTreeMap, BTreeSet};

use windlass_domain::digest::Digest;
use windlass_domain::journal::Entry;
use windlass_domain::release::{SecretVersion, Sequence};
use windlass_domain::rollout::Weights;

use crate::driver::{Seen, Tallies, Tally};

/// What is seen on the hosts together, each by its name. The time is the first one's.
pub(super) fn seen(named: Vec<(String, Seen)>) -> Option<Seen> {
    let staged = |seen: &Seen| seen.revisions.iter().map(|(revision, _)| *revision).collect();
    let by_name = named.iter().map(|(name, seen)| (name.clone(), staged(seen))).collect();
    let hosts: Vec<Seen> = named.into_iter().map(|(_, seen)| seen).collect();
    let first = hosts.first()?;
    Some(Seen {
        weights: average(&hosts.iter().map(|host| &host.weights).collect::<Vec<_>>()),
        revisions: everywhere(&hosts),
        url: url(&hosts),
        lease: hosts.iter().find_map(|host| host.lease.clone()),
        now: first.now,
        hosts: by_name,
    })
}

/// The share that each revision has of all requests, if every host gets as many. A host that serves nothing is
/// missing from the whole; where all serve, the shares add up exactly.
pub(super) fn average(hosts: &[&Weights]) -> Weights {
    let count = u32::try_from(hosts.len().max(1)).expect("a policy names few hosts");
    let mut sums = BTreeMap::<Sequence, u32>::new();
    for (revision, weight) in hosts.iter().flat_map(|host| &host.0) {
        *sums.entry(*revision).or_default() += u32::from(*weight);
    }
    let whole = sums.values().sum::<u32>() / count;
    let floor: u32 = sums.values().map(|sum| sum / count).sum();
    // What rounding down took away goes to those that it took the most from.
    let mut by_rest: Vec<Sequence> = sums.keys().copied().collect();
    by_rest.sort_by_key(|revision| (std::cmp::Reverse(sums[revision] % count), *revision));
    let more: BTreeSet<Sequence> =
        by_rest.into_iter().take(usize::try_from(whole - floor).unwrap_or(0)).collect();
    let share = |revision: &Sequence, sum: u32| {
        let share = sum / count + u32::from(more.contains(revision));
        u16::try_from(share).expect("an average of weights is a weight")
    };
    Weights(
        sums.iter()
            .map(|(revision, sum)| (*revision, share(revision, *sum)))
            .filter(|(_, share)| *share > 0)
            .collect(),
    )
}

/// The revisions that every host has, with the number of ready instances on the host that has the fewest.
fn everywhere(hosts: &[Seen]) -> Vec<(Sequence, u16)> {
    let Some((first, others)) = hosts.split_first() else { return Vec::new() };
    let ready = |host: &Seen, revision| {
        host.revisions.iter().find(|(there, _)| *there == revision).map(|(_, ready)| *ready)
    };
    first
        .revisions
        .iter()
        .filter_map(|(revision, here)| {
            others
                .iter()
                .try_fold(*here, |least, host| Some(least.min(ready(host, *revision)?)))
                .map(|least| (*revision, least))
        })
        .collect()
}

/// The address of a host that serves most of the newest revision: what is being judged is asked there.
fn url(hosts: &[Seen]) -> Option<String> {
    let newest = hosts.iter().filter_map(|host| host.weights.0.keys().max()).max().copied();
    let share = |host: &&Seen| newest.map_or(0, |newest| host.weights.of(newest));
    let most = hosts.iter().map(|host| share(&host)).max()?;
    hosts.iter().find(|host| share(host) == most)?.url.clone()
}

/// What all hosts counted.
pub(super) fn tallies(hosts: Vec<Option<Tallies>>) -> Option<Tallies> {
    let mut all = Tallies::new();
    for (revision, tally) in hosts.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten() {
        all.entry(revision).and_modify(|sum| *sum = add(*sum, tally)).or_insert(tally);
    }
    Some(all)
}

fn add(a: Tally, b: Tally) -> Tally {
    let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (one, other) => one.or(other),
    };
    Tally {
        ready: a.ready.saturating_add(b.ready),
        wanted: a.wanted.saturating_add(b.wanted),
        restarts: a.restarts.saturating_add(b.restarts),
        in_flight: a.in_flight.saturating_add(b.in_flight),
        requests: a.requests.saturating_add(b.requests),
        bad: a.bad.saturating_add(b.bad),
        failed: a.failed.saturating_add(b.failed),
        memory_bytes: sum(a.memory_bytes, b.memory_bytes),
        cpu_ms: sum(a.cpu_ms, b.cpu_ms),
        open_files: sum(a.open_files, b.open_files),
        start_ms: a.start_ms.max(b.start_ms),
    }
}

/// The versions of the secrets on all hosts together; none where a host does not tell.
pub(super) fn secrets(hosts: &[Vec<SecretVersion>]) -> Vec<SecretVersion> {
    let Some(first) = hosts.first() else { return Vec::new() };
    let everywhere = |name: &str| {
        let versions = hosts.iter().map(|host| host.iter().find(|one| one.name == name));
        versions.map(|one| one.map(|one| format!("{}\n", one.version))).collect::<Option<String>>()
    };
    let together = |one: &SecretVersion| {
        let version = Digest::of(everywhere(&one.name)?.as_bytes()).to_string();
        Some(SecretVersion { name: one.name.clone(), version })
    };
    // One host's own version is its version: nothing is hidden behind another digest.
    if hosts.len() == 1 { first.clone() } else { first.iter().filter_map(together).collect() }
}

/// How a host's copy of the ledger stands to the ledger of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// It says the same, up to this many entries; what follows is missing.
    Behind(usize),
    /// It says the same and goes on where the other ends.
    Ahead,
    /// From this entry on, counted from 1, it says something else.
    Differs(usize),
}

/// Compares what two ledgers say. Times, epochs and hashes are each host's own.
pub(super) fn compare(record: &[Entry], copy: &[Entry]) -> Copy {
    let differs = record.iter().zip(copy).position(|(a, b)| a.event != b.event);
    match differs {
        Some(at) => Copy::Differs(at + 1),
        None if copy.len() > record.len() => Copy::Ahead,
        None => Copy::Behind(copy.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(new: u16) -> Weights {
        Weights::split(Sequence(2), new, Some(Sequence(1)))
    }

    #[test]
    fn hosts_the_share_of_a_revision_is_the_average_over_all_of_them() {
        let hosts = [weights(10_000), Weights::all(Sequence(1)), Weights::all(Sequence(1))];
        let shares = average(&hosts.iter().collect::<Vec<_>>());
        assert_eq!((shares.of(Sequence(2)), shares.of(Sequence(1))), (3333, 6667));
        let nothing = Weights::none();
        let half = average(&[&Weights::all(Sequence(1)), &nothing]);
        assert_eq!(half.0, BTreeMap::from([(Sequence(1), 5000)]));
        assert_eq!(average(&[&nothing, &nothing]), nothing);
    }

    proptest! {
        #[test]
        fn hosts_shares_add_up_to_the_whole(shares in proptest::collection::vec((1..5_u64, 1..=10_000_u16, 5..9_u64), 1..12)) {
            let each: Vec<Weights> = shares
                .iter()
                .map(|(old, share, new)| Weights::split(Sequence(*new), *share, Some(Sequence(*old))))
                .collect();
            let all = average(&each.iter().collect::<Vec<_>>());
            prop_assert_eq!(all.0.values().map(|share| u32::from(*share)).sum::<u32>(), 10_000);
        }
    }
}
