//! Two simulated hosts as one environment: either is cut off at any mutation.

use windlass_domain::digest::Digest;
use windlass_domain::rollout::{Takeover, compile};

use super::*;
use crate::driver::Package;
use crate::hosts::{Hosts, Member};

/// Two hosts, `a` and `b`.
struct Pair([World; 2]);

impl Pair {
    fn new() -> Self {
        Self([World::new(), World::new()])
    }

    /// Both on which release 1 is live.
    async fn with_one() -> Self {
        let pair = Self::new();
        let driven = pair.run(&rolling(1, None), &good()).await.expect("new hosts");
        assert_eq!(driven.outcome, Outcome::Passed);
        pair
    }

    /// The same hosts for another run, of which the one at this place has a fate.
    fn again(&self, fate: Fate, at: usize) -> Self {
        let of = |host: usize| if host == at { fate.clone() } else { Fate::default() };
        Self([self.0[0].again(of(0)), self.0[1].again(of(1))])
    }

    fn driver(&self) -> Arc<dyn Driver> {
        let member =
            |name: &str, world: &World| Member { name: name.into(), driver: Arc::new(world.clone()) };
        Arc::new(Hosts::of(vec![member("a", &self.0[0]), member("b", &self.0[1])]))
    }

    /// One run, as the tools do it.
    async fn run(&self, plan: &Plan, judge: &Says) -> Result<Driven, DriverError> {
        self.run_by(self.driver(), plan, judge).await
    }

    /// The same, which brings the files of the plan's release with it.
    async fn run_supplied(&self, plan: &Plan, judge: &Says) -> Result<Driven, DriverError> {
        let driver = self.driver();
        driver.supply(plan.release.sequence, package());
        self.run_by(driver, plan, judge).await
    }

    async fn run_by(
        &self,
        driver: Arc<dyn Driver>,
        plan: &Plan,
        judge: &Says,
    ) -> Result<Driven, DriverError> {
        driver.wake().await?;
        let run = format!("run {}", self.0[0].state.lock().unwrap().fence.epoch.0);
        let mut fenced = Fenced::claim(driver, Owner { who: run.clone(), run }).await?;
        let (_keep, stop) = watch::channel(false);
        if fenced.history.open().is_some() {
            return resume(&mut fenced, judge, stop, None, &|_| {}).await;
        }
        if fenced.history.live().map(|commit| commit.revision) == Some(plan.release.sequence) {
            return Ok(Driven { outcome: Outcome::Passed, why: None });
        }
        start(&mut fenced, plan.clone(), judge, stop, &|_| {}).await
    }

    fn events(&self, at: usize) -> Vec<Event> {
        self.0[at].state.lock().unwrap().journal.iter().map(|entry| entry.event.clone()).collect()
    }

    #[track_caller]
    fn check(&self, outcome: Outcome, case: &str) {
        assert_eq!(self.events(0), self.events(1), "{case}: the ledgers differ");
        self.0.iter().for_each(|world| check_world(world, outcome, case));
    }
}

/// The files of a release, which a simulated host only counts.
fn package() -> Package {
    let parameters = serde_json::json!({});
    let artifact = Digest::of(b"files");
    Package { artifact, artifact_path: None, config: None, config_paths: Vec::new(), parameters }
}

fn rolling(new: u64, old: Option<u64>) -> Plan {
    let strategy = Strategy::Rolling { batch: 1, bake: Span::seconds(1) };
    let replaced = old.map(|old| (Sequence(old), 2));
    let takeover = Takeover {
        hosts: vec!["a".into(), "b".into()],
        verify: true,
        ..Takeover::bare(Sequence(new), replaced, 2)
    };
    Plan { steps: compile(&strategy, &takeover), ..deploy(&strategy, new, old) }
}

/// One is cut off for good in a run; the next run finds it again.
#[tokio::test(start_paused = true)]
async fn hosts_cut_off_at_any_mutation_converge_in_one_further_run() {
    let (mut cuts, mut stuck) = (0, 0);
    for (host, holds) in [(0, true), (0, false), (1, true), (1, false)] {
        let (judge, expected) = if holds { (good(), Outcome::Passed) } else { (bad(), Outcome::Failed) };
        for mutation in 0.. {
            let mut was_cut = false;
            for moment in [Moment::Before, Moment::After] {
                let case = format!("host {host} at {mutation} {moment:?}, holds={holds}");
                let base = Pair::with_one().await;
                let cut = base.again(Fate { death: Some((mutation, moment)), ..Fate::default() }, host);
                match cut.run(&rolling(2, Some(1)), &judge).await {
                    Err(DriverError::Unreachable { attempt, .. }) => {
                        assert!(
                            attempt.starts_with(["on the host a: ", "on the host b: "][host]),
                            "{case}: {attempt}"
                        );
                    }
                    Err(other) => panic!("{case}: {other}"),
                    Ok(driven) if driven.outcome == Outcome::Stuck => {
                        let why = driven.why.unwrap_or_default();
                        assert!(host == 1 && why.contains("b was left out"), "{case}: {why}");
                        let other = cut.0[0].state.lock().unwrap();
                        assert_eq!(
                            other.weights,
                            Weights::all(Sequence(1)),
                            "{case}: a is put back all the same"
                        );
                        stuck += 1;
                    }
                    Ok(driven) => {
                        // Either nothing was cut, or only the copy of the last entries was.
                        assert_eq!(driven.outcome, expected, "{case}");
                        let reached = cut.0[host].state.lock().unwrap().mutations > mutation;
                        if !reached && moment == Moment::Before && cut.events(0) == cut.events(1) {
                            continue;
                        }
                    }
                }
                was_cut = true;
                cuts += 1;
                let next = cut.again(Fate::default(), 0);
                let driven = next.run(&rolling(2, Some(1)), &judge).await;
                let driven = driven.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(driven.outcome, expected, "{case}");
                next.check(driven.outcome, &case);
            }
            if !was_cut || mutation > 200 {
                break;
            }
        }
    }
    assert!(cuts > 100 && stuck > 0, "only {cuts} cuts, {stuck} of them on the way back");
}

/// Release 1 is live on `a`; `b` is new, and nothing lies on it.
async fn with_a_new_host() -> Pair {
    let pair = Pair::new();
    let alone =
        Plan { steps: steps_to_one(), ..deploy(&Strategy::BlueGreen { bake: Span::millis(0) }, 1, None) };
    let driver: Arc<dyn Driver> =
        Arc::new(Hosts::of(vec![Member { name: "a".into(), driver: Arc::new(pair.0[0].clone()) }]));
    let mut fenced =
        Fenced::claim(driver, Owner { run: "first".into(), who: "first".into() }).await.expect("free");
    fenced.driver.supply(Sequence(1), package());
    let (_keep, stop) = watch::channel(false);
    let driven = start(&mut fenced, alone, &good(), stop, &|_| {}).await.expect("drives");
    assert_eq!(driven.outcome, Outcome::Passed);
    pair
}

fn steps_to_one() -> Vec<Step> {
    compile(&Strategy::BlueGreen { bake: Span::millis(0) }, &Takeover::bare(Sequence(1), None, 2))
}

fn joining() -> Plan {
    let strategy = Strategy::Rolling { batch: 1, bake: Span::seconds(1) };
    let takeover = Takeover {
        hosts: vec!["a".into(), "b".into()],
        lacking: vec!["b".into()],
        verify: true,
        ..Takeover::bare(Sequence(2), Some((Sequence(1), 2)), 2)
    };
    Plan { steps: compile(&strategy, &takeover), ..deploy(&strategy, 2, Some(1)) }
}

/// Wherever either host is cut off while one joins, the next run leaves both with the new or both with the old.
#[tokio::test(start_paused = true)]
async fn hosts_of_which_one_is_new_converge_wherever_either_is_cut_off() {
    let files = || Fate { needs_files: true, ..Fate::default() };
    let again = |pair: &Pair, fate: Fate, at: usize| {
        let of = |host: usize| if host == at { fate.clone() } else { files() };
        Pair([pair.0[0].again(of(0)), pair.0[1].again(of(1))])
    };
    let mut cuts = 0;
    for (host, holds) in [(0, true), (0, false), (1, true), (1, false)] {
        let (judge, expected) = if holds { (good(), Outcome::Passed) } else { (bad(), Outcome::Failed) };
        for mutation in 0..200 {
            let mut reached = false;
            for moment in [Moment::Before, Moment::After] {
                let case = format!("host {host} at {mutation} {moment:?}, holds={holds}");
                let base = with_a_new_host().await;
                let cut = again(&base, Fate { death: Some((mutation, moment)), ..files() }, host);
                let first = cut.run_supplied(&joining(), &judge).await;
                let was_cut = cut.0[host].state.lock().unwrap().mutations > mutation || first.is_err();
                reached |= was_cut;
                cuts += usize::from(was_cut);
                let next = again(&cut, files(), 0);
                let driven = next.run_supplied(&joining(), &judge).await;
                let driven = driven.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(driven.outcome, expected, "{case}");
                next.check(driven.outcome, &case);
            }
            if !reached {
                break;
            }
        }
    }
    assert!(cuts > 100, "only {cuts} cuts");
}

#[tokio::test(start_paused = true)]
async fn hosts_that_cannot_run_the_old_do_not_join_and_nothing_is_undone() {
    let pair = with_a_new_host().await;
    let files = || Fate { needs_files: true, ..Fate::default() };
    let never = Fate { never_ready: vec![Sequence(1)], ..files() };
    let pair = Pair([pair.0[0].again(files()), pair.0[1].again(never)]);
    let driven = pair.run_supplied(&joining(), &good()).await.expect("drives");
    assert_eq!(driven.outcome, Outcome::Failed);
    let why = driven.why.unwrap_or_default();
    assert!(why.contains("b: r1 does not get ready"), "{why}");
    let (a, b) = (pair.0[0].state.lock().unwrap(), pair.0[1].state.lock().unwrap());
    assert_eq!(
        (&a.weights, &a.staged, &b.weights),
        (&Weights::all(Sequence(1)), &vec![Sequence(1)], &Weights::none())
    );
}

#[tokio::test(start_paused = true)]
async fn hosts_that_do_not_all_get_well_are_put_back_as_far_as_they_can_be() {
    let pair = Pair::with_one().await;
    // The old went away on b and does not come up again.
    pair.0[1].state.lock().unwrap().running.remove(&Sequence(1));
    pair.0[1].state.lock().unwrap().weights = Weights::none();
    let pair = pair.again(Fate { never_ready: vec![Sequence(1)], ..Fate::default() }, 1);
    let driven = pair.run(&rolling(2, Some(1)), &bad()).await.expect("drives");
    assert_eq!(driven.outcome, Outcome::Stuck);
    let why = driven.why.unwrap_or_default();
    assert!(why.contains("b was left out (b: r1 does not get ready)"), "{why}");
    assert_eq!(pair.0[0].state.lock().unwrap().weights, Weights::all(Sequence(1)));
}

#[tokio::test(start_paused = true)]
async fn hosts_give_each_other_the_ledger_that_one_has_lost() {
    let pair = Pair::with_one().await;
    let ledger = pair.events(0);
    for lost in [0, 1] {
        pair.0[lost].state.lock().unwrap().journal.clear();
        let next = pair.again(Fate::default(), 0);
        let fenced = Fenced::claim(next.driver(), Owner { run: "next".into(), who: "next".into() });
        let fenced = fenced.await.expect("free");
        assert_eq!(fenced.history.live().map(|commit| commit.revision), Some(Sequence(1)));
        assert_eq!((next.events(0), next.events(1)), (ledger.clone(), ledger.clone()));
    }
    // One that says something else is nobody's copy: it is left alone, and told.
    let other = Event::Hold { reason: "somebody else's".into(), until: None };
    pair.0[1].state.lock().unwrap().journal[0].event = other.clone();
    let next = pair.again(Fate::default(), 0);
    next.run(&rolling(2, Some(1)), &good()).await.expect("drives");
    assert_eq!((next.events(1)[0].clone(), next.events(1).len()), (other, ledger.len()));
}

#[tokio::test(start_paused = true)]
async fn hosts_are_fenced_all_or_none() {
    let pair = Pair::with_one().await.again(Fate::default(), 0);
    let owner = |run: &str| Owner { run: run.into(), who: run.into() };
    let other = pair.0[1].claim(&owner("other"), Span::seconds(15)).await.expect("free");
    let hosts = pair.driver();
    let refused = hosts.claim(&owner("ours"), Span::seconds(15)).await;
    assert!(matches!(refused, Err(DriverError::Fence(Refusal::Held { .. }))), "{refused:?}");
    assert_eq!(pair.0[0].state.lock().unwrap().fence.lease, None, "a is given back");

    pair.0[1].release(&other).await.expect("held");
    let lease = hosts.claim(&owner("ours"), Span::seconds(15)).await.expect("free");
    hosts.renew(&lease, Span::seconds(15)).await.expect("held");
    // Whoever takes one of them has taken all from us.
    let ours = pair.0[1].state.lock().unwrap().fence.epoch;
    pair.0[1].state.lock().unwrap().fence.release(ours);
    pair.0[1].claim(&owner("other"), Span::seconds(15)).await.expect("free");
    let refused = hosts.renew(&lease, Span::seconds(15)).await;
    assert!(matches!(refused, Err(DriverError::Fence(Refusal::Held { .. }))), "{refused:?}");
    let stale = hosts.apply(&lease, &Step::shift(Weights::none())).await;
    assert!(matches!(stale, Err(DriverError::Fence(Refusal::Stale { .. }))), "{stale:?}");
}
