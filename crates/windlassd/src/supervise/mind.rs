//! Minding one place: start, ask whether it is ready, start again when it ends by itself, stop when told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::fleet::Fleet;
use super::instance::Seat;
use super::pauses::Pauses;
use super::running::Running;
use super::{launch, ready};
use crate::stage::Manifest;

/// The shortest time between two questions to an instance that is ready.
const CALM: Duration = Duration::from_secs(2);

/// The shortest time that an instance has to answer: a busy machine is no broken release.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many questions in a row unanswered, and a ready instance gets no more requests.
const UNANSWERED: u32 = 3;

/// Begins minding a place.
pub(super) fn begin(
    fleet: &Arc<Fleet>,
    seat: Seat,
    manifest: &Arc<Manifest>,
    running: Option<Running>,
    stop: &watch::Sender<bool>,
    nudge: &Arc<Notify>,
) {
    let mind = Mind {
        fleet: Arc::clone(fleet),
        seat,
        manifest: Arc::clone(manifest),
        stop: stop.subscribe(),
        nudge: Arc::clone(nudge),
    };
    tokio::spawn(mind.run(running));
}

struct Mind {
    fleet: Arc<Fleet>,
    seat: Seat,
    manifest: Arc<Manifest>,
    stop: watch::Receiver<bool>,
    nudge: Arc<Notify>,
}

enum Over {
    Stopped,
    Ended(String),
}

impl Mind {
    async fn run(mut self, mut adopted: Option<Running>) {
        let mut pauses = Pauses::new();
        loop {
            let next = match adopted.take() {
                Some(running) => Ok(running),
                None => {
                    tokio::select! {
                        () = self.fleet.reins.free() => {}
                        () = told(&mut self.stop) => break,
                    }
                    self.start()
                }
            };
            let over = match next {
                Ok(running) => {
                    let since = running.since;
                    let over = self.watch(running).await;
                    pauses.ran(since.elapsed());
                    over
                }
                Err(why) => Over::Ended(why),
            };
            match over {
                Over::Stopped => break,
                Over::Ended(how) => {
                    tracing::warn!(revision = %self.seat.revision, index = self.seat.index, how, "an instance ended");
                    self.fleet.ended(self.seat, how);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pauses.next()) => {}
                () = self.nudge.notified() => pauses = Pauses::new(),
                () = told(&mut self.stop) => break,
            }
        }
        self.fleet.gone(self.seat);
    }

    fn start(&self) -> Result<Running, String> {
        if *self.stop.borrow() {
            // The next look at `stop` ends this.
            return Err("it was stopped before it was started".to_owned());
        }
        let fleet = &self.fleet;
        let group = fleet.groups.make(self.seat, &self.manifest.launch)?;
        let started =
            launch::start(&fleet.root, &self.manifest, self.seat.index, &fleet.visible, group.as_ref())?;
        let launch::Started { child, process, port } = started;
        fleet.began(self.seat, process, group.clone(), port);
        tracing::info!(revision = %self.seat.revision, index = self.seat.index, pid = process.pid, port, "started");
        Ok(Running { process, group, port, since: Instant::now(), child: Some(child) })
    }

    async fn watch(&mut self, mut running: Running) -> Over {
        let (port, since) = (running.port, running.since);
        let asking = ask_on(Arc::clone(&self.fleet), self.seat, Arc::clone(&self.manifest), port, since);
        let ended = tokio::select! {
            how = running.end() => Some(how),
            () = told(&mut self.stop) => None,
            never = asking => match never {},
        };
        match ended {
            Some(how) => {
                let how = running.out_of_memory(self.manifest.launch.memory).unwrap_or(how);
                running.finish().await;
                Over::Ended(how)
            }
            None => {
                running.stop(self.manifest.launch.stop.get()).await;
                Over::Stopped
            }
        }
    }
}

/// Waits for the order to stop. A sender that is gone gives none.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Asks whether it is ready, for as long as it runs.
async fn ask_on(
    fleet: Arc<Fleet>,
    seat: Seat,
    manifest: Arc<Manifest>,
    port: u16,
    since: Instant,
) -> std::convert::Infallible {
    let question = &manifest.launch.ready;
    let every = question.every.get().max(Duration::from_millis(10));
    let mut is_ready = false;
    let mut unanswered = 0;
    loop {
        match ready::ask(question, port, every.max(PATIENCE)).await {
            Ok(()) => {
                unanswered = 0;
                if !is_ready {
                    is_ready = true;
                    fleet.ready(seat, since.elapsed());
                }
            }
            Err(why) => {
                unanswered += 1;
                if unanswered == UNANSWERED {
                    if is_ready {
                        tracing::warn!(revision = %seat.revision, index = seat.index, why, "no longer ready");
                    }
                    is_ready = false;
                    fleet.unready(seat);
                }
            }
        }
        tokio::time::sleep(if is_ready { every.max(CALM) } else { every }).await;
    }
}
