//! One worker: a thread with its own listener, runtime, connections and place in every tally.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::MissedTickBehavior;
use windlass_domain::release::Sequence;

use super::Leave;
use super::door::Door;
use super::downstream::{Downstream, Order};
use super::local::Local;
use super::serve::serve;
use super::table::Table;
use super::tally::Tally;

/// How often connections are looked at, and how often idle ones to instances.
pub(super) const TICK: Duration = Duration::from_millis(250);
const SWEEP: Duration = Duration::from_secs(1);

/// How long tunnels may take to end at the end of the agent.
const FAREWELL: Duration = Duration::from_millis(1500);

/// What a client that is turned away is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 31\r\nconnection: close\r\n\r\nthere are too many connections\n";

/// What a worker is told.
pub(super) enum Command {
    /// Accept from these, instead of those before.
    Listen(Vec<std::net::TcpListener>),
    /// Accept no more.
    Unlisten,
    /// Close the connections on which this revision has something in flight.
    Cut(Sequence, oneshot::Sender<()>),
    /// Say that it works.
    Pulse(oneshot::Sender<()>),
    /// End, with this much time for what is there.
    Stop(Leave),
}

/// What a worker is started with.
pub(super) struct Seat {
    pub(super) index: usize,
    pub(super) cpu: Option<usize>,
    pub(super) table: Arc<ArcSwap<Table>>,
    pub(super) published: watch::Receiver<u64>,
    pub(super) saw: watch::Sender<u64>,
    pub(super) orders: mpsc::UnboundedReceiver<Command>,
    pub(super) nowhere: Arc<Tally>,
    pub(super) door: Arc<Door>,
}

/// Works until it is told to stop.
pub(super) fn run(seat: Seat) {
    if let Some(cpu) = seat.cpu {
        let mut set = CpuSet::new();
        set.set(cpu);
        if let Err(error) = sched_setaffinity(None, &set) {
            tracing::warn!(cpu, %error, "cannot pin a worker; it runs wherever the system likes");
        }
    }
    match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime.block_on(work(seat)),
        Err(error) => tracing::error!(%error, "cannot start a worker's runtime"),
    }
}

async fn work(seat: Seat) {
    let Seat { index, table, mut published, saw, mut orders, nowhere, door, .. } = seat;
    let local = Rc::new(Local::new(index, table, nowhere, door));
    let mut accepting: Vec<JoinHandle<()>> = Vec::new();
    let mut leaving: Option<Leaving> = None;
    let mut sweep = tokio::time::interval(SWEEP);
    let mut look = tokio::time::interval(TICK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = sweep.tick() => local.sweep(),
            _ = look.tick() => local.look(),
            Ok(()) = published.changed() => {
                published.mark_unchanged();
                // Choosing a revision does not wait, so every later choice on this thread is made by this table.
                let version = local.table().version();
                local.sweep();
                saw.send_replace(version);
            }
            order = orders.recv() => match order {
                Some(Command::Listen(listeners)) => accepting = accept_from(&local, accepting, listeners),
                Some(Command::Unlisten) => end(std::mem::take(&mut accepting)),
                Some(Command::Cut(revision, done)) => {
                    local.cut(revision);
                    let _ = done.send(());
                }
                Some(Command::Pulse(alive)) => {
                    let _ = alive.send(());
                }
                Some(Command::Stop(leave)) => {
                    end(std::mem::take(&mut accepting));
                    local.part();
                    leaving = Some(Leaving::from_now(leave));
                }
                None => break,
            },
            () = tokio::time::sleep(LOOK), if leaving.is_some() => {}
        }
        if leaving.as_mut().is_some_and(|leaving| leaving.is_over(&local)) {
            break;
        }
    }
    end(accepting);
}

/// How often a worker that ends looks whether there is anything left.
const LOOK: Duration = Duration::from_millis(10);

/// What is left at the end, and until when.
struct Leaving {
    /// What happens next, and when: what rests is closed, tunnels are, and what is left is given up.
    next: Farewell,
    at: Instant,
    grace: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Close,
    Cut,
    GiveUp,
}

impl Leaving {
    fn from_now(leave: Leave) -> Self {
        Self { next: Farewell::Close, at: Instant::now() + leave.parting, grace: leave.grace }
    }

    fn is_over(&mut self, local: &Local) -> bool {
        if Instant::now() >= self.at {
            match self.next {
                Farewell::Close => {
                    local.close();
                    (self.next, self.at) = (Farewell::Cut, self.at + self.grace);
                }
                Farewell::Cut => {
                    local.order(Order::Cut);
                    (self.next, self.at) = (Farewell::GiveUp, self.at + FAREWELL);
                }
                Farewell::GiveUp => return true,
            }
        }
        local.is_idle()
    }
}

fn accept_from(
    local: &Rc<Local>,
    before: Vec<JoinHandle<()>>,
    listeners: Vec<std::net::TcpListener>,
) -> Vec<JoinHandle<()>> {
    let mut accepting = Vec::with_capacity(listeners.len());
    for listener in listeners {
        match TcpListener::from_std(listener) {
            Ok(listener) => accepting.push(spawn_local(accept(Rc::clone(local), listener))),
            Err(error) => tracing::error!(%error, "a worker cannot listen"),
        }
    }
    if !accepting.is_empty() {
        end(before);
        return accepting;
    }
    before
}

fn end(accepting: Vec<JoinHandle<()>>) {
    for accepting in accepting {
        accepting.abort();
    }
}

async fn accept(local: Rc<Local>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&local, stream, peer),
            Err(error) => {
                // Out of descriptors, or a connection that was gone at once: neither is a reason to stop accepting.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn admit(local: &Rc<Local>, stream: TcpStream, peer: SocketAddr) {
    let entered = Entered(Arc::clone(local.door()));
    if !local.door().enter(local.table().settings().limits.connections) {
        if local.table().settings().tls.is_none() {
            // It fits into a new socket's buffer.
            let _ = stream.try_write(FULL);
        }
        return;
    }
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let downstream = local.connection();
    let here = Rc::clone(local);
    let of = Rc::clone(&downstream);
    local.start(downstream, async move {
        let _entered = entered;
        let handoff = Handoffs(Rc::clone(&of));
        serve(here, stream, peer.ip(), of).await;
        drop(handoff);
    });
}

/// A connection that is counted as open.
struct Entered(Arc<Door>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A handoff that nobody took holds on to the connection that holds it.
struct Handoffs(Rc<Downstream>);

impl Drop for Handoffs {
    fn drop(&mut self) {
        drop(self.0.take_handoff());
    }
}
