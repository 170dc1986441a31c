//! Steps: each brings about one effect, and changes nothing when it is there already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use windlass_domain::fence::Epoch;
use windlass_domain::journal::Head;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};
use windlass_target::host::control::{Applied, Apply, Package, Rejected};

use crate::agent::{Agent, fault, superseded};
use crate::handover::NotDone;
use crate::migrate::{self, Migration, NotMigrated};
use crate::stage::{self, NotStaged};
use crate::supervise::{Readiness, Surroundings};

/// How long connections that were cut may take to be gone.
const CUT: Duration = Duration::from_secs(2);

/// How often draining is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Applies one step, after the one that is under way has been called off. It goes on when whoever asked is gone:
/// it ends when it is done, or when a later run claims the fence.
pub(crate) async fn apply(agent: Arc<Agent>, apply: Apply) -> Result<Applied, NotDone> {
    agent.admit_after(apply.epoch, apply.after)?;
    let called_off = agent.take_turn();
    let task = tokio::spawn(async move {
        let _turn = agent.turn.lock().await;
        agent.ours()?;
        let mut permit =
            Permit { agent: Arc::clone(&agent), epoch: apply.epoch, after: apply.after, called_off };
        let word = apply.step.word();
        let result = permit.run(apply.step, apply.package).await;
        match &result {
            Ok(applied) => tracing::info!(epoch = apply.epoch.0, step = word, note = applied.note, "applied"),
            Err(rejected) => tracing::warn!(epoch = apply.epoch.0, step = word, ?rejected, "not applied"),
        }
        Ok(result?)
    });
    task.await
        .unwrap_or_else(|error| Err(Rejected::Fault { why: format!("the step broke off: {error}") }.into()))
}

/// The right to change things, which may end at any moment: it is looked at again before each effect.
struct Permit {
    agent: Arc<Agent>,
    epoch: Epoch,
    after: Option<Head>,
    called_off: watch::Receiver<bool>,
}

impl Permit {
    fn check(&self) -> Result<(), Rejected> {
        self.agent.admit_after(self.epoch, self.after)?;
        if *self.called_off.borrow() { Err(superseded()) } else { Ok(()) }
    }

    /// Waits for the end of the right.
    async fn end(&mut self) -> Rejected {
        off(&mut self.called_off).await;
        self.check().err().unwrap_or_else(superseded)
    }

    async fn run(&mut self, step: Step, package: Option<Package>) -> Result<Applied, Rejected> {
        self.check()?;
        let note = match step {
            Step::Stage { revision, instances, .. } => self.stage(revision, instances, package).await?,
            Step::AwaitReady { revision, instances, .. } => self.await_ready(revision, instances).await?,
            Step::Shift { weights, .. } => self.shift(weights).await?,
            Step::Settle => self.settle().await?,
            Step::Commit { revision } => self.commit(revision)?,
            Step::Retire { live, warm, keep } => self.retire(live, &warm, &keep).await?,
            Step::Withdraw { revision } => self.withdraw(revision).await?,
            Step::Migrate { revision, run, timeout, .. } => self.migrate(revision, &run, timeout).await?,
            Step::Verify { .. } | Step::Pause { .. } | Step::Hook { .. } => {
                return Err(judged(format!("the run itself does `{}`, not the agent", step.word())));
            }
        };
        Ok(Applied { note })
    }

    async fn stage(
        &mut self,
        revision: Sequence,
        instances: u16,
        package: Option<Package>,
    ) -> Result<String, Rejected> {
        let started = Instant::now();
        let known = self.agent.fleet.manifest(revision);
        let launch = package.as_ref().map(|package| &package.launch);
        if let Some(launch) = launch.or_else(|| known.as_ref().map(|known| &known.launch)) {
            self.agent.fleet.admit(launch).map_err(judged)?;
        }
        let root = self.agent.root.clone();
        let running = self.agent.fleet.is_running(revision);
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        let mut work = tokio::task::spawn_blocking(move || {
            stage::stage(&root, revision, package.as_ref(), running, &seen)
        });
        let mut called_off = self.called_off.clone();
        let result = tokio::select! {
            result = &mut work => result,
            () = off(&mut called_off) => {
                flag.store(true, Ordering::Relaxed);
                // Two stagings of one revision at once would spoil each other.
                work.await
            }
        };
        let staged =
            result.unwrap_or_else(|error| Err(NotStaged::Fault(format!("staging broke off: {error}"))));
        let manifest = staged.map_err(|error| match error {
            NotStaged::Judged(why) => judged(why),
            NotStaged::Fault(why) => Rejected::Fault { why },
            NotStaged::CalledOff => superseded(),
        })?;
        self.check()?;
        let artifact = manifest.artifact.short();
        self.agent.fleet.staged(manifest);
        self.agent.fleet.want(revision, instances);
        Ok(format!("{artifact} staged in {} ms", started.elapsed().as_millis()))
    }

    /// Once for each revision: one that has ended is not begun again, and one that runs is waited for. It goes on when
    /// this is called off.
    async fn migrate(&mut self, revision: Sequence, run: &[String], limit: Span) -> Result<String, Rejected> {
        let Some(manifest) = self.agent.fleet.manifest(revision) else {
            return Err(judged(format!("{revision} is not staged here")));
        };
        let migration = Migration::new(&self.agent.root, revision, limit);
        if migration.outcome().map_err(|error| fault(&error))?.is_none() {
            let around = Surroundings::new(&self.agent.root, self.agent.fleet.visible());
            let mut keeper = migration.start(&manifest, run, &around).map_err(judged)?;
            tokio::select! {
                ended = keeper.wait() => {
                    ended.map_err(|error| fault(&error))?;
                }
                rejected = self.end() => return Err(rejected),
            }
        }
        match migration.outcome().map_err(|error| fault(&error))? {
            Some(Ok(note)) => Ok(note),
            Some(Err(NotMigrated { why, log })) => Err(Rejected::Judged { why, log }),
            None => Err(Rejected::Fault {
                why: format!(
                    "how the migration of {revision} ended is not known: its keeper was killed, or cannot write"
                ),
            }),
        }
    }

    async fn await_ready(&mut self, revision: Sequence, instances: u16) -> Result<String, Rejected> {
        let fleet = Arc::clone(&self.agent.fleet);
        let Some(manifest) = fleet.manifest(revision) else {
            return Err(judged(format!("{revision} is not staged here")));
        };
        let within = manifest.launch.ready.within;
        let deadline = Instant::now() + within.get();
        let mut changes = fleet.changes();
        loop {
            changes.mark_unchanged();
            match fleet.readiness(revision, instances) {
                Readiness::Ready(ready, slowest) => {
                    return Ok(format!("{ready} of {instances} ready after {} ms", slowest.as_millis()));
                }
                Readiness::Crashing(why, log) => return Err(Rejected::Judged { why, log }),
                Readiness::Waiting(ready) => tokio::select! {
                    _ = changes.changed() => {}
                    () = tokio::time::sleep_until(deadline) => {
                        let why = format!("only {ready} of {instances} instances of {revision} were ready within {within}");
                        return Err(Rejected::Judged { why, log: fleet.log_tail(revision) });
                    }
                    rejected = self.end() => return Err(rejected),
                },
            }
        }
    }

    async fn shift(&mut self, weights: Weights) -> Result<String, Rejected> {
        let fleet = &self.agent.fleet;
        let sum: u32 = weights.0.values().map(|weight| u32::from(*weight)).sum();
        if !weights.0.is_empty() && sum != u32::from(Weights::WHOLE) {
            return Err(judged(format!("the weights add up to {sum}, not to {}", Weights::WHOLE)));
        }
        let now = fleet.weights();
        for (revision, weight) in &weights.0 {
            if fleet.manifest(*revision).is_none() {
                return Err(judged(format!("{revision} is not staged here")));
            }
            if *weight > now.of(*revision) && !matches!(fleet.readiness(*revision, 1), Readiness::Ready(..)) {
                let why = format!("{revision} has no ready instance to send requests to");
                return Err(Rejected::Judged { why, log: fleet.log_tail(*revision) });
            }
        }
        let started = Instant::now();
        fleet.shift(&weights).await.map_err(|error| fault(&error))?;
        Ok(format!("{weights} after {} ms", started.elapsed().as_millis()))
    }

    async fn settle(&mut self) -> Result<String, Rejected> {
        let fleet = Arc::clone(&self.agent.fleet);
        let started = Instant::now();
        fleet.effective().await;
        let mut cut = 0;
        loop {
            let draining = fleet.draining();
            if draining.is_empty() {
                break;
            }
            for (revision, in_flight, left) in draining {
                if left.is_zero() {
                    self.check()?;
                    fleet.cut(revision).await;
                    cut += in_flight;
                    self.await_cut(revision).await?;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                rejected = self.end() => return Err(rejected),
            }
        }
        let time = started.elapsed().as_millis();
        Ok(if cut == 0 {
            format!("drained after {time} ms")
        } else {
            format!("drained after {time} ms, {cut} cut")
        })
    }

    async fn await_cut(&self, revision: Sequence) -> Result<(), Rejected> {
        let gone = async {
            while self.agent.fleet.draining().iter().any(|(of, ..)| *of == revision) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(CUT, gone).await.map_err(|_| Rejected::Fault {
            why: format!("connections of {revision} are still there {} s after they were cut", CUT.as_secs()),
        })
    }

    /// The ledger's entry is what commits. Here it is only made sure that it says what is.
    fn commit(&self, revision: Sequence) -> Result<String, Rejected> {
        let weights = self.agent.fleet.weights();
        if weights != Weights::all(revision) {
            return Err(judged(format!("{revision} cannot be committed: the weights are {weights}")));
        }
        Ok(format!("{revision} is live"))
    }

    async fn retire(
        &mut self,
        live: Sequence,
        warm: &[Sequence],
        keep: &[Sequence],
    ) -> Result<String, Rejected> {
        let fleet = Arc::clone(&self.agent.fleet);
        let others: Vec<Sequence> =
            fleet.revisions().into_iter().filter(|revision| *revision != live).collect();
        for revision in others.iter().filter(|revision| !warm.contains(revision)) {
            self.stop(*revision).await?;
        }
        let mut removed = 0;
        for revision in
            others.into_iter().filter(|revision| !keep.contains(revision) && !warm.contains(revision))
        {
            self.check()?;
            let fleet = Arc::clone(&fleet);
            let forgotten = tokio::task::spawn_blocking(move || fleet.forget(revision)).await;
            forgotten
                .map_err(|error| Rejected::Fault { why: format!("removing {revision} broke off: {error}") })?
                .map_err(|error| fault(&error))?;
            removed += 1;
        }
        let warm: String = warm.iter().map(|revision| format!(", {revision} stays warm")).collect();
        Ok(format!("{live} runs{warm}; {removed} removed"))
    }

    async fn withdraw(&mut self, revision: Sequence) -> Result<String, Rejected> {
        let root = self.agent.root.clone();
        let waited = tokio::select! {
            waited = migrate::await_end(&root, revision) => waited.map_err(|error| fault(&error))?,
            rejected = self.end() => return Err(rejected),
        };
        self.stop(revision).await?;
        let after = if waited { ", after its migration had ended" } else { "" };
        Ok(format!("{revision} stopped{after}"))
    }

    async fn stop(&mut self, revision: Sequence) -> Result<(), Rejected> {
        self.check()?;
        let fleet = Arc::clone(&self.agent.fleet);
        let weights = fleet.weights();
        if weights.of(revision) > 0 {
            return Err(judged(format!("{revision} cannot be stopped: it gets requests ({weights})")));
        }
        tokio::select! {
            () = fleet.stop(revision) => Ok(()),
            rejected = self.end() => Err(rejected),
        }
    }
}

/// Waits until a step is called off. A sender that is gone never does.
async fn off(called_off: &mut watch::Receiver<bool>) {
    if called_off.wait_for(|off| *off).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn judged(why: String) -> Rejected {
    Rejected::Judged { why, log: Vec::new() }
}
