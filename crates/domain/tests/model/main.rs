//! Every interleaving of two deploys, a rollback and the agent, with messages that are late, lost or sent twice, leases
//! that run out, and an agent that is killed. The fence, the journal, `next` and the strategies are the real ones.
//!
//! A run that is stopped or killed is one whose messages do not come, or come late; so every such stop, at every moment,
//! is among the interleavings. `WINDLASS_MODEL=2,1,1,1` says how many lapses of leases, troubles with messages, deaths of the
//! agent and late renewals there may be in one history.
//!
//! The second test breaks one rule at a time and demands that the model sees it: a check that cannot fail is none.

mod agent;
mod further;
mod run;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};
use windlass_domain::fence::Epoch;
use windlass_domain::outcome::Outcome;

use self::agent::{Agent, Rules, Wrong};
use self::run::{Ask, Errand, Run, Under};
use self::world::{Limits, Stray, World};

/// What is explored.
#[derive(Clone)]
struct Windlass {
    rules: Rules,
    errands: Vec<Errand>,
    limits: Limits,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    /// The agent answers a run, or the run its own judge.
    Answers(usize, Verdict),
    /// The same, and the request comes once more at any later time.
    AnswersAndComesAgain(usize),
    /// The run gives up; its request was answered, or may still come.
    GivesUp(usize, Arrives),
    /// A renewal sets out.
    Renews(usize),
    /// What nobody waits for arrives.
    StrayArrives(usize),
    /// What is under way takes effect.
    Lands,
    /// What was called off ends without effect.
    Ends,
    /// The lease in force runs out.
    Lapses,
    /// The agent is killed; what was under way took effect or not.
    Dies(Arrives),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    IsWorse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrives {
    Yes,
    No,
}

impl Windlass {
    /// With a rule that is broken, and all trouble there is.
    fn broken(rules: Rules) -> Self {
        let errands = vec![Errand::Deploy(1), Errand::Deploy(2), Errand::Rollback];
        Self { rules, errands, limits: Limits { lapses: 1, troubles: 1, deaths: 1, renewals: 1 } }
    }

    /// One undisturbed deploy, so that there is something to go back to.
    fn first(&self) -> Agent {
        let mut agent = Agent::new();
        for artifact in [3, 4] {
            let lease = agent.claim(&Rules::REAL, usize::from(artifact), 0).expect("free");
            let mut run = Run::Under(Under::granted(lease.epoch));
            let errand = Errand::Deploy(artifact);
            while let Run::Under(under) = run {
                let ask = std::sync::Arc::clone(&under.ask);
                run = match &*ask {
                    Ask::Read => under.read(&agent.journal, errand),
                    Ask::Append(events) => {
                        assert!(agent.append(&Rules::REAL, under.epoch, 0, under.knows.head, events));
                        under.appended(errand)
                    }
                    Ask::Apply(step) => under.answered(agent.site.apply(step), errand),
                    Ask::Judge => under.answered(Ok(()), errand),
                };
            }
            agent.fence.release(lease.epoch);
        }
        agent.landed = agent.newest;
        agent
    }
}

impl Model for Windlass {
    type State = World;
    type Action = Happens;

    fn init_states(&self) -> Vec<World> {
        let runs = vec![Run::Fresh; self.errands.len()];
        let left = self.limits;
        vec![World { agent: self.first(), runs, stray: Vec::new(), now: 0, left, refused: false }]
    }

    fn actions(&self, world: &World, happens: &mut Vec<Happens>) {
        for (index, run) in world.runs.iter().enumerate() {
            match run {
                Run::Fresh => happens.push(Happens::Answers(index, Verdict::Holds)),
                Run::Over(_) => {}
                Run::Under(under) => {
                    if !under.waits {
                        happens.push(Happens::Answers(index, Verdict::Holds));
                        if matches!(*under.ask, Ask::Judge) {
                            happens.push(Happens::Answers(index, Verdict::IsWorse));
                        } else if world.left.troubles > 0 {
                            happens.push(Happens::AnswersAndComesAgain(index));
                            happens.push(Happens::GivesUp(index, Arrives::Yes));
                            happens.push(Happens::GivesUp(index, Arrives::No));
                        }
                    }
                    if world.left.renewals > 0 {
                        happens.push(Happens::Renews(index));
                    }
                }
            }
        }
        happens.extend((0..world.stray.len()).map(Happens::StrayArrives));
        if let Some(turn) = &world.agent.turn {
            happens.push(Happens::Lands);
            if turn.off {
                happens.push(Happens::Ends);
            }
        }
        if world.left.lapses > 0 && world.agent.fence.lease.is_some() {
            happens.push(Happens::Lapses);
        }
        if world.left.deaths > 0 {
            happens.push(Happens::Dies(Arrives::No));
            if world.agent.turn.is_some() {
                happens.push(Happens::Dies(Arrives::Yes));
            }
        }
    }

    fn next_state(&self, world: &World, happens: Happens) -> Option<World> {
        let mut world = world.clone();
        match happens {
            Happens::Answers(index, verdict) => world.answers(self, index, verdict)?,
            Happens::AnswersAndComesAgain(index) => {
                let Run::Under(under) = &world.runs[index] else { return None };
                let again = Stray::Request(under.clone());
                world.left.troubles -= 1;
                world.answers(self, index, Verdict::Holds)?;
                world.stray.push(again);
            }
            Happens::GivesUp(index, arrives) => {
                let Run::Under(under) = world.runs[index].clone() else { return None };
                world.left.troubles -= 1;
                match arrives {
                    Arrives::Yes => world.arrives(self, &under, None),
                    Arrives::No => world.stray.push(Stray::Request(under.clone())),
                }
                world.ends(index, under.epoch, Outcome::Unknown);
            }
            Happens::Renews(index) => {
                let Run::Under(under) = &world.runs[index] else { return None };
                world.left.renewals -= 1;
                world.stray.push(Stray::Renewal(index, under.epoch));
            }
            Happens::StrayArrives(index) => match world.stray.remove(index) {
                Stray::Request(under) => world.arrives(self, &under, None),
                Stray::Renewal(run, epoch) => world.agent.renew(&self.rules, run, epoch, world.now),
                Stray::Release(epoch) => world.agent.fence.release(epoch),
            },
            Happens::Lands => world.lands(self),
            Happens::Ends => {
                let turn = world.agent.turn.take()?;
                world.breaks_off(&turn, Outcome::Refused);
            }
            Happens::Lapses => {
                world.left.lapses -= 1;
                world.now += 1;
            }
            Happens::Dies(landed) => {
                world.left.deaths -= 1;
                if let Some(turn) = world.agent.turn.clone() {
                    if landed == Arrives::Yes {
                        world.agent.land();
                    }
                    world.agent.turn = None;
                    world.breaks_off(&turn, Outcome::Unknown);
                }
            }
        }
        // What is on its way has no order.
        let World { stray, agent, .. } = &mut world;
        stray.sort_by_cached_key(|stray| stray.key(&agent.journal));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(STALE, |_, world: &World| !world.agent.wrong.contains(&Wrong::Stale)),
            Property::always(GRANTED, |_, world: &World| !world.agent.wrong.contains(&Wrong::Granted)),
            Property::always(LATE, |_, world: &World| !world.agent.wrong.contains(&Wrong::Late)),
            Property::always(FELL, |_, world: &World| !world.agent.journal.fell),
            Property::always(BROKEN, |_, world: &World| world.agent.journal.broken.is_none()),
            Property::always(COLD, |_, world: &World| !world.agent.site.is_cold()),
            Property::always(ONE, |model: &Self, world: &World| {
                let admitted = world.runs.iter().filter(|run| match run {
                    Run::Under(under) => {
                        (model.rules.admit)(&world.agent.fence, under.epoch, agent::at(world.now))
                    }
                    Run::Fresh | Run::Over(_) => false,
                });
                admitted.count() <= 1
            }),
            Property::always(CONVERGES, |_, world: &World| further::converges(&world.agent)),
            Property::sometimes("a late mutation is refused", |_, world: &World| world.refused),
            Property::sometimes("a release goes in", |_, world: &World| world.ended(Outcome::Passed)),
            Property::sometimes("a release is put back", |_, world: &World| world.ended(Outcome::Failed)),
            Property::sometimes("a run takes over what another left open", |_, world: &World| {
                world.agent.journal.history.rollouts.iter().any(|rollout| rollout.resumed > 0)
            }),
            Property::sometimes("every run had the fence", |_, world: &World| {
                !world.runs.contains(&Run::Fresh)
            }),
        ]
    }
}

const STALE: &str = "no mutation of a stale epoch is admitted";
const GRANTED: &str = "a renewal gives nothing that was not held";
const LATE: &str = "no effect comes after one of a newer epoch";
const FELL: &str = "the journal's epochs never fall";
const BROKEN: &str = "the journal replays, with one open rollout at most";
const COLD: &str = "no revision without an instance gets requests";
const ONE: &str = "one run at a time may change anything";
const CONVERGES: &str = "one further run makes the environment whole";

#[test]
fn every_interleaving_keeps_the_promises() {
    use Errand::{Deploy, Rollback};
    let none = Limits { lapses: 1, troubles: 0, deaths: 0, renewals: 0 };
    let all = vec![Deploy(1), Deploy(2), Rollback];
    let parts = asked().map_or_else(
        || {
            vec![
                (all.clone(), none),
                (vec![Deploy(1), Rollback], Limits { troubles: 1, ..none }),
                (vec![Deploy(1), Deploy(2)], Limits { deaths: 1, renewals: 1, ..none }),
            ]
        },
        |limits| vec![(all.clone(), limits)],
    );
    for (errands, limits) in parts {
        let checker = Windlass { rules: Rules::REAL, errands: errands.clone(), limits }
            .checker()
            .threads(2)
            .spawn_bfs()
            .join();
        println!(
            "model: {errands:?}, {limits:?}: {} states ({} with repetitions), up to {} messages; one further run from {} journals and sites",
            checker.unique_state_count(),
            checker.state_count(),
            checker.max_depth(),
            further::tried(),
        );
        checker.assert_properties();
    }
}

#[test]
fn every_rule_that_is_broken_is_seen() {
    let broken: [(&str, Rules, &[&str]); 5] = [
        ("everything is admitted", Rules { admit: |_, _, _| true, ..Rules::REAL }, &[STALE, LATE, FELL, ONE]),
        (
            "the epoch before the newest still admits",
            Rules { admit: |fence, epoch, _| fence.epoch.0 <= epoch.0 + 1, ..Rules::REAL },
            &[STALE],
        ),
        ("an append need not follow the head", Rules { follows: |_, _| true, ..Rules::REAL }, &[BROKEN]),
        (
            "a renewal claims",
            Rules {
                renew: |fence, lease, now, expires| fence.claim(&lease.owner, now, expires),
                ..Rules::REAL
            },
            &[GRANTED],
        ),
        (
            "a claim does not raise the epoch",
            Rules {
                claim: |fence, owner, now, expires| {
                    let mut lease = fence.claim(owner, now, expires)?;
                    lease.epoch = Epoch(3);
                    fence.epoch = lease.epoch;
                    fence.lease = Some(lease.clone());
                    Ok(lease)
                },
                ..Rules::REAL
            },
            &[ONE],
        ),
    ];
    for (what, rules, seen) in broken {
        let names = seen.iter().copied().collect();
        let checker = Windlass::broken(rules)
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AnyOf(names))
            .spawn_bfs()
            .join();
        let found: Vec<&str> = checker.discoveries().into_keys().collect();
        println!("model: {what}: {found:?} after {} states", checker.unique_state_count());
        assert!(found.iter().any(|name| seen.contains(name)), "{what}: nobody saw it; only {found:?}");
    }
}

/// `WINDLASS_MODEL=2,1,1,1`: so many lapses, troubles, deaths and renewals.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no context; this only says how much it shall explore"
)]
fn asked() -> Option<Limits> {
    let text = std::env::var("WINDLASS_MODEL").ok()?;
    let numbers: Vec<u8> = text.split(',').filter_map(|number| number.parse().ok()).collect();
    let [lapses, troubles, deaths, renewals] = numbers[..] else {
        panic!("WINDLASS_MODEL={text}: four numbers")
    };
    Some(Limits { lapses, troubles, deaths, renewals })
}
