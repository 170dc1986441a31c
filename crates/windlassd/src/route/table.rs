//! Where requests go: immutable, swapped whole.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::HeaderValue;
use windlass_domain::release::Sequence;

use super::settings::Settings;
use super::sticky::draw;
use super::tally::Tally;

/// The weights and the instances behind them.
#[derive(Debug)]
pub(crate) struct Table {
    version: u64,
    lanes: Vec<Lane>,
    /// Those without a weight, which only testers get to.
    resting: Vec<Lane>,
    whole: u64,
    settings: Arc<Settings>,
}

/// One revision.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// The revision.
    pub(crate) revision: Sequence,
    /// Its weight.
    pub(crate) weight: u16,
    /// Its instances that are ready.
    pub(crate) upstreams: Vec<Upstream>,
    /// Where it is counted.
    pub(crate) tally: Arc<Tally>,
    /// Its name, for the header of its answers.
    pub(crate) tag: HeaderValue,
}

/// One start of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// Never given again, so that a connection to an earlier process on the same port is never used.
    pub(crate) id: u64,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Lane {
    pub(crate) fn new(revision: Sequence, weight: u16, upstreams: Vec<Upstream>, tally: Arc<Tally>) -> Self {
        let tag =
            HeaderValue::from_str(&revision.to_string()).expect("a revision's name is a letter and digits");
        Self { revision, weight, upstreams, tally, tag }
    }
}

impl Table {
    /// Nothing is served.
    pub(crate) fn empty() -> Self {
        Self::new(0, Vec::new(), Arc::default())
    }

    pub(crate) fn new(version: u64, lanes: Vec<Lane>, settings: Arc<Settings>) -> Self {
        let (lanes, resting): (Vec<Lane>, Vec<Lane>) = lanes.into_iter().partition(|lane| lane.weight > 0);
        let whole = lanes.iter().map(|lane| u64::from(lane.weight)).sum();
        Self { version, lanes, resting, whole, settings }
    }

    /// How requests are treated, wherever they go.
    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Whether requests may go to this start of an instance.
    pub(crate) fn routes_to(&self, upstream: u64) -> bool {
        self.lanes.iter().flat_map(|lane| &lane.upstreams).any(|known| known.id == upstream)
    }

    /// All lanes, also those without a weight.
    pub(super) fn all(&self) -> Vec<Lane> {
        self.lanes.iter().chain(&self.resting).cloned().collect()
    }

    /// A revision, whatever its weight.
    pub(super) fn lane(&self, revision: Sequence) -> Option<&Lane> {
        self.lanes.iter().chain(&self.resting).find(|lane| lane.revision == revision)
    }

    /// The lanes for a request, the one to try first, first: the lane at `point` of the whole, then the others, and
    /// of all these only those with a ready instance. Where none has one, the lane at `point` alone, which tells
    /// whose failure it is.
    pub(crate) fn lanes_for(&self, point: u64) -> impl Iterator<Item = &Lane> {
        self.lanes_from(self.lane_at(point))
    }

    /// The same for a client's key: the lane that is its own comes first.
    pub(super) fn lanes_of(&self, key: u64) -> impl Iterator<Item = &Lane> {
        let draws = self.lanes.iter().map(|lane| draw(key, lane.revision, lane.weight)).enumerate();
        self.lanes_from(draws.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(index, _)| index))
    }

    fn lanes_from(&self, chosen: Option<usize>) -> impl Iterator<Item = &Lane> {
        let others = (0..self.lanes.len()).filter(move |index| Some(*index) != chosen);
        let nobody = self.lanes.iter().all(|lane| lane.upstreams.is_empty());
        chosen
            .into_iter()
            .chain(others)
            .map(|index| &self.lanes[index])
            .filter(move |lane| nobody || !lane.upstreams.is_empty())
            .take(if nobody { 1 } else { usize::MAX })
    }

    fn lane_at(&self, point: u64) -> Option<usize> {
        let mut at =
            u64::try_from((u128::from(point) * u128::from(self.whole)) >> 64).expect("less than the whole");
        for (index, lane) in self.lanes.iter().enumerate() {
            match at.checked_sub(u64::from(lane.weight)) {
                None => return Some(index),
                Some(rest) => at = rest,
            }
        }
        None
    }
}

/// The points of the whole that requests fall on, one after the other: multiples of the golden ratio. Among any `n`
/// in a row the share of an interval is its length to within a few requests, and there is no period that a client's
/// own pattern could meet.
#[derive(Debug)]
pub(super) struct Points(u64);

impl Points {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// A sequence that differs from those of the other workers.
    pub(super) fn of_worker(index: usize) -> Self {
        Self((index as u64).wrapping_mul(0x5851_f42d_4c95_7f2d))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(revision: u64, weight: u16, ready: bool) -> Lane {
        let upstreams = if ready {
            vec![Upstream { id: revision, address: ([127, 0, 0, 1], 1).into() }]
        } else {
            Vec::new()
        };
        Lane::new(Sequence(revision), weight, upstreams, Arc::new(Tally::new(1)))
    }

    fn shares(table: &Table, requests: usize) -> [usize; 3] {
        let mut points = Points::of_worker(0);
        let mut shares = [0; 3];
        for _ in 0..requests {
            let lane = table.lanes_for(points.next()).next().unwrap();
            shares[usize::try_from(lane.revision.0).unwrap()] += 1;
        }
        shares
    }

    #[test]
    fn small_samples_are_fair() {
        let table = Table::new(1, vec![lane(1, 7000, true), lane(2, 3000, true)], Arc::default());
        for requests in [10, 20, 50, 100, 1000] {
            let [_, first, _] = shares(&table, requests);
            assert!(first.abs_diff(requests * 7 / 10) <= 1, "{first} of {requests}");
        }
        let canary = Table::new(1, vec![lane(1, 9900, true), lane(2, 100, true)], Arc::default());
        assert!(shares(&canary, 1000)[2].abs_diff(10) <= 1);
    }

    #[test]
    fn a_client_that_alternates_meets_both_revisions_with_both_kinds() {
        let table = Table::new(1, vec![lane(1, 5000, true), lane(2, 5000, true)], Arc::default());
        let mut points = Points::of_worker(0);
        let even: Vec<u64> = (0..200)
            .map(|_| (points.next(), points.next()).0)
            .map(|point| table.lanes_for(point).next().unwrap().revision.0)
            .collect();
        let first = even.iter().filter(|revision| **revision == 1).count();
        assert!((90..=110).contains(&first), "{first} of 200");
    }

    #[test]
    fn a_revision_without_a_ready_instance_is_passed_over() {
        let table = Table::new(1, vec![lane(1, 5000, false), lane(2, 5000, true)], Arc::default());
        assert_eq!(shares(&table, 100), [0, 0, 100]);
    }

    #[test]
    fn where_nobody_is_ready_the_failure_is_the_chosen_ones() {
        let table = Table::new(1, vec![lane(1, 5000, false), lane(2, 5000, false)], Arc::default());
        let [_, first, second] = shares(&table, 100);
        assert!(first.abs_diff(50) <= 1 && second.abs_diff(50) <= 1);
        assert!(Table::empty().lanes_for(7).next().is_none());
    }
}
