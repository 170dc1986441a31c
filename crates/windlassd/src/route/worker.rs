//! One worker: a thread with its own listener, runtime, connections and place in every tally.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle, spawn_local};
use windlass_domain::release::Sequence;

use super::Leave;
use super::flight::{Downstream, Flight};
use super::forward::forward;
use super::headers::Peer;
use super::pool::Pool;
use super::table::{Points, Table};
use super::tally::Tally;
use super::tunnel::Tunnels;

/// How long a client may take over the head of a request, or keep a connection idle.
const HEAD: Duration = Duration::from_secs(75);

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// What a worker is told.
pub(super) enum Command {
    /// Accept from these, instead of those before.
    Listen(Vec<std::net::TcpListener>),
    /// Accept no more.
    Unlisten,
    /// Close the connections on which this revision has something in flight.
    Cut(Sequence, oneshot::Sender<()>),
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
}

/// What the tasks of one worker share.
pub(super) struct Local {
    index: usize,
    table: Arc<ArcSwap<Table>>,
    points: RefCell<Points>,
    turns: RefCell<HashMap<Sequence, usize>>,
    pool: Rc<Pool>,
    tunnels: Rc<Tunnels>,
    nowhere: Arc<Tally>,
    connections: RefCell<HashMap<u64, (Rc<Downstream>, AbortHandle)>>,
    accepted: Cell<u64>,
    /// Whether each connection ends with its next answer.
    parting: Cell<bool>,
    closing: watch::Sender<bool>,
}

impl Local {
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    pub(super) fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    pub(super) fn next_point(&self) -> u64 {
        self.points.borrow_mut().next()
    }

    /// Counts up, so that the instances of a revision take turns.
    pub(super) fn turn(&self, revision: Sequence) -> usize {
        let mut turns = self.turns.borrow_mut();
        let turn = turns.entry(revision).or_insert(self.index);
        *turn = turn.wrapping_add(1);
        *turn
    }

    pub(super) const fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    pub(super) const fn nowhere(&self) -> &Arc<Tally> {
        &self.nowhere
    }

    pub(super) fn tunnel(&self, revision: Sequence, client: OnUpgrade, service: OnUpgrade, flight: Flight) {
        self.tunnels.join(revision, client, service, flight);
    }

    fn cut(&self, revision: Sequence) {
        self.tunnels.cut(revision);
        for (downstream, task) in self.connections.borrow().values() {
            if downstream.serving() == Some(revision) {
                task.abort();
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.connections.borrow().is_empty() && self.tunnels.is_empty()
    }
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
    let Seat { index, table, mut published, saw, mut orders, nowhere, .. } = seat;
    let pool = Rc::new(Pool::new(Arc::clone(&table)));
    let local = Rc::new(Local {
        index,
        table,
        points: RefCell::new(Points::of_worker(index)),
        turns: RefCell::default(),
        pool,
        tunnels: Rc::default(),
        nowhere,
        connections: RefCell::default(),
        accepted: Cell::new(0),
        parting: Cell::new(false),
        closing: watch::Sender::new(false),
    });
    let mut accepting: Vec<JoinHandle<()>> = Vec::new();
    let mut sweep = tokio::time::interval(SWEEP);
    let mut leaving: Option<Leaving> = None;
    loop {
        tokio::select! {
            _ = sweep.tick() => local.pool.sweep(),
            Ok(()) = published.changed() => {
                published.mark_unchanged();
                // Choosing a revision does not wait, so every later choice on this thread is made by this table.
                let version = local.table().version();
                local.pool.sweep();
                saw.send_replace(version);
            }
            order = orders.recv() => match order {
                Some(Command::Listen(listeners)) => accepting = accept_from(&local, accepting, listeners),
                Some(Command::Unlisten) => end(std::mem::take(&mut accepting)),
                Some(Command::Cut(revision, done)) => {
                    local.cut(revision);
                    let _ = done.send(());
                }
                Some(Command::Stop(leave)) => {
                    end(std::mem::take(&mut accepting));
                    local.parting.set(true);
                    leaving = Some(Leaving::from_now(leave));
                }
                None => break,
            },
            () = tokio::time::sleep(LOOK), if leaving.is_some() => {}
        }
        if leaving.as_ref().is_some_and(|leaving| leaving.is_over(&local)) {
            break;
        }
    }
    end(accepting);
}

/// How often a worker that ends looks whether there is anything left.
const LOOK: Duration = Duration::from_millis(10);

/// When what is left is closed, and when it is given up.
struct Leaving {
    close: Instant,
    give_up: Instant,
}

impl Leaving {
    fn from_now(leave: Leave) -> Self {
        let close = Instant::now() + leave.parting;
        Self { close, give_up: close + leave.grace }
    }

    fn is_over(&self, local: &Local) -> bool {
        let now = Instant::now();
        if now >= self.close {
            local.closing.send_replace(true);
        }
        now >= self.give_up || local.is_idle()
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
    let id = local.accepted.replace(local.accepted.get() + 1);
    let downstream = Rc::new(Downstream::default());
    let here = Rc::clone(local);
    let serving = Rc::clone(&downstream);
    let task = spawn_local(async move {
        let _listed = Listed { local: Rc::clone(&here), id };
        serve(here, stream, peer, serving).await;
    });
    local.connections.borrow_mut().insert(id, (downstream, task.abort_handle()));
}

struct Listed {
    local: Rc<Local>,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.local.connections.borrow_mut().remove(&self.id);
    }
}

async fn serve(local: Rc<Local>, stream: TcpStream, peer: SocketAddr, downstream: Rc<Downstream>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut closing = local.closing.subscribe();
    let peer = Rc::new(Peer::new(peer.ip()));
    let service = service_fn(move |request| {
        let local = Rc::clone(&local);
        let answer = forward(Rc::clone(&local), Rc::clone(&peer), Rc::clone(&downstream), request);
        async move {
            let mut answer = answer.await?;
            // A client that is told so does not ask again on this connection; one that finds it closed might have.
            if local.parting.get() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        // What goes wrong on a client's connection was counted where it was noticed.
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
