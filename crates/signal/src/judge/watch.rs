//! The loop: probes and readings in their rhythm, each observation recorded and judged.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use windlass_domain::policy::Probe;

use super::settings::{self, Settings};
use super::state::State;
use super::{CancelSignal, Judgement, Source, Tick, Watch};
use crate::probe;
use crate::record::{Ending, Observation, Recording, Scrape, Try};
use crate::source;

/// The shortest time between two tries of a probe.
const SHORTEST_EVERY: Duration = Duration::from_millis(10);

/// Watches until a verdict, the deadline, or `cancel`. `on_tick` is called after every observation. Needs a tokio
/// runtime with time and I/O; whatever it started ends with it. Counts its time by the clock that nobody can set: a wall
/// clock that jumps neither ends a bake nor makes it last.
pub async fn watch(
    watch: &Watch,
    cancel: &CancelSignal,
    on_tick: &mut (dyn FnMut(&Tick) + Send),
) -> Judgement {
    let settings = Settings {
        verify: watch.verify.clone(),
        new: watch.new,
        old: watch.old,
        bake: watch.bake,
        base_url: watch.base_url.clone(),
        measured: watch.source != Source::None,
        history: watch.history.clone(),
        tick: settings::tick(watch.verify.within),
    };
    let mut state = State::new(&settings);
    let mut recording = Recording { settings, observations: Vec::new(), ending: Ending::Judged };
    if watch.offline {
        recording.ending = Ending::Offline;
        return state.judgement(Ending::Offline, recording);
    }
    let started = Instant::now();
    let mut cancel = cancel.clone();
    let (_probes, mut tries) = start_probes(watch);
    let mut rhythm = interval(recording.settings.tick.get());
    rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let seen = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            seen = next(watch, &mut rhythm, &mut tries) => Some(seen),
        };
        let Some((scrape, tries)) = seen else {
            recording.ending = Ending::Cancelled;
            return state.judgement(Ending::Cancelled, recording);
        };
        let at_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let observation = Observation { at_ms, scrape, tries };
        let verdict = state.observe(&observation);
        recording.observations.push(observation);
        on_tick(&state.tick());
        if verdict.is_some() {
            return state.judgement(Ending::Judged, recording);
        }
    }
}

/// What happens next: a reading that is due, with the tries that ended meanwhile, or a try.
async fn next(
    watch: &Watch,
    rhythm: &mut tokio::time::Interval,
    tries: &mut mpsc::Receiver<Try>,
) -> (Scrape, Vec<Try>) {
    let mut ended = Vec::new();
    let scrape = tokio::select! {
        biased;
        Some(one) = tries.recv() => {
            ended.push(one);
            Scrape::None
        }
        _ = rhythm.tick() => match &watch.source {
            Source::None => Scrape::None,
            source @ (Source::UnixSocket(_) | Source::UnixSockets(_) | Source::Url(_)) => {
                match source::read(source, watch.new, watch.old).await {
                    Ok(reading) => Scrape::Read(Box::new(reading)),
                    Err(error) => Scrape::Failed(error.chain()),
                }
            }
        },
    };
    while let Ok(one) = tries.try_recv() {
        ended.push(one);
    }
    (scrape, ended)
}

/// One task a probe, each with its own rhythm; they end when the set is dropped.
fn start_probes(watch: &Watch) -> (JoinSet<()>, mpsc::Receiver<Try>) {
    let (sender, receiver) = mpsc::channel(64);
    let mut set = JoinSet::new();
    for (index, probe) in watch.verify.probes.iter().enumerate() {
        set.spawn(repeat(index, probe.clone(), watch.base_url.clone(), sender.clone()));
    }
    (set, receiver)
}

async fn repeat(index: usize, probe: Probe, base_url: Option<String>, sender: mpsc::Sender<Try>) {
    loop {
        let begun = Instant::now();
        let answer = probe::attempt(&probe, base_url.as_deref()).await;
        let took = begun.elapsed();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if sender.send(Try { probe: index, took_ms, answer }).await.is_err() {
            return;
        }
        sleep(probe.every.get().saturating_sub(took).max(SHORTEST_EVERY)).await;
    }
}
