//! The router: requests to revisions by weight, on one pinned thread for each usable CPU.
//!
//! Each worker has its own listener (`SO_REUSEPORT`), its own runtime and its own idle connections, so that a request
//! never leaves its thread. What all workers share is the [`Table`], swapped whole, and the tallies, whose shards
//! have one writer each.

#[cfg(any(test, fuzzing))]
pub(crate) mod agreement;
mod answer;
mod body;
mod direct;
mod door;
mod downstream;
mod files;
mod flight;
mod forward;
mod frames;
mod framing;
mod head;
mod headers;
mod local;
mod patience;
mod pool;
mod serve;
mod settings;
mod socket;
mod sticky;
mod streams;
mod table;
mod tally;
mod testers;
mod tls;
mod tunnel;
mod wire;
mod worker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::thread::{CpuSet, sched_getaffinity};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use windlass_domain::release::Sequence;

use self::door::Door;
pub(crate) use self::door::DoorSum;
pub(crate) use self::settings::Settings;
pub(crate) use self::table::{Lane, Table, Upstream};
pub(crate) use self::tally::{BUCKETS, CODES, Sum, Tally};
use self::worker::Command;
use crate::locked::lock;

/// The most threads that are used unless more are asked for.
const MOST: usize = 4;

/// The queue of connections that wait for a worker.
const BACKLOG: u32 = 4096;

/// All workers.
pub(crate) struct Router {
    table: Arc<ArcSwap<Table>>,
    version: AtomicU64,
    published: watch::Sender<u64>,
    workers: Vec<Worker>,
    settings: Mutex<Arc<Settings>>,
    nowhere: Arc<Tally>,
    /// What the workers accept from. They hold copies, so that another agent can be given these.
    listeners: Mutex<Vec<TcpListener>>,
    door: Arc<Door>,
}

struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    seen: watch::Receiver<u64>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// How long connections have when the router ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    /// For each to end with the answer to its next request; one that asks nothing meanwhile is closed then. A client
    /// that asks at the moment of such a close cannot know whether its request arrived, so this is not 0.
    pub(crate) parting: Duration,
    /// After that, for requests that are still under way.
    pub(crate) grace: Duration,
}

/// Where the workers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Each on a CPU of its own.
    Pinned,
    /// Wherever the system likes.
    Free,
}

impl Router {
    /// Starts the workers, at least `least`; they listen nowhere yet.
    pub(crate) fn start(threads: Option<u16>, least: usize, placement: Placement) -> io::Result<Self> {
        let cpus = usable_cpus();
        let count = threads.map_or(cpus.len().clamp(1, MOST), usize::from).max(least);
        let nowhere = Arc::new(Tally::new(count));
        let door = Arc::<Door>::default();
        let table = Arc::new(ArcSwap::from_pointee(Table::empty()));
        let (published, _) = watch::channel(0);
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let (commands, orders) = mpsc::unbounded_channel();
            let (saw, seen) = watch::channel(0);
            let cpu = (placement == Placement::Pinned && count <= cpus.len()).then(|| cpus[index]);
            let seat = worker::Seat {
                index,
                cpu,
                table: Arc::clone(&table),
                published: published.subscribe(),
                saw,
                orders,
                nowhere: Arc::clone(&nowhere),
                door: Arc::clone(&door),
            };
            let thread = std::thread::Builder::new()
                .name(format!("route-{index}"))
                .spawn(move || worker::run(seat))?;
            workers.push(Worker { commands, seen, thread: Mutex::new(Some(thread)) });
        }
        Ok(Self {
            table,
            version: AtomicU64::new(0),
            published,
            workers,
            settings: Mutex::default(),
            nowhere,
            door,
            listeners: Mutex::default(),
        })
    }

    /// A tally for one more revision.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::new(Tally::new(self.workers.len()))
    }

    /// What was counted of requests that no revision was there for.
    pub(crate) fn nowhere(&self) -> &Tally {
        &self.nowhere
    }

    /// What was counted of connections.
    pub(crate) fn door(&self) -> DoorSum {
        self.door.sum()
    }

    /// Listens on an address, by one listener a worker, and returns the real one. An address that anybody else
    /// listens on is an error, also where the system would share it with us.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        // The first is bound alone and shared out only then: an address that anybody else has, also another agent of
        // this user that shares it out among its own workers, is refused, and port 0 never gives such a one.
        let first = socket(address, Sharing::Alone)?;
        first.set_reuseport(true)?;
        let address = first.local_addr()?;
        let mut sockets = vec![first];
        for _ in 1..self.workers.len() {
            sockets.push(socket(address, Sharing::Workers)?);
        }
        let mut listeners = Vec::with_capacity(sockets.len());
        for socket in sockets {
            listeners.push(socket.listen(BACKLOG)?.into_std()?);
        }
        self.listen_by(listeners)?;
        Ok(address)
    }

    /// Accepts from listeners that are there already. Where they are fewer than the workers, some share one; where
    /// they are more, some workers accept from several: what waits in the queue of a listener is never left there.
    pub(crate) fn listen_by(&self, listeners: Vec<TcpListener>) -> io::Result<()> {
        let mut shares: Vec<Vec<TcpListener>> = self.workers.iter().map(|_| Vec::new()).collect();
        let count = self.workers.len();
        for turn in 0..listeners.len().max(if listeners.is_empty() { 0 } else { count }) {
            let listener = listeners[turn % listeners.len()].try_clone()?;
            listener.set_nonblocking(true)?;
            shares[turn % count].push(listener);
        }
        for (worker, share) in self.workers.iter().zip(shares) {
            // A worker ends only with the agent.
            let _ = worker.commands.send(Command::Listen(share));
        }
        *self.listeners() = listeners;
        Ok(())
    }

    /// What it listens by.
    pub(crate) fn listeners(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        lock(&self.listeners)
    }

    /// Stops accepting; connections that are there go on.
    pub(crate) fn unlisten(&self) {
        self.listeners().clear();
        for worker in &self.workers {
            let _ = worker.commands.send(Command::Unlisten);
        }
    }

    /// Makes a table the one that the next requests go by, and returns its version.
    pub(crate) fn publish(&self, lanes: Vec<Lane>) -> u64 {
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        // Held meanwhile, so that other settings are not overwritten by these.
        let settings = lock(&self.settings);
        self.table.store(Arc::new(Table::new(version, lanes, Arc::clone(&settings))));
        drop(settings);
        self.published.send_replace(version);
        version
    }

    /// Treats connections and requests so from now on.
    pub(crate) fn set(&self, settings: Settings) {
        let mut current = lock(&self.settings);
        *current = Arc::new(settings);
        let settings = Arc::clone(&current);
        // The version stays: where requests go is the same.
        self.table.rcu(|table| Arc::new(Table::new(table.version(), table.all(), Arc::clone(&settings))));
    }

    /// Reads the place's files again where they changed.
    pub(crate) fn look(&self) {
        let settings = Arc::clone(&lock(&self.settings));
        settings.look(&self.door);
    }

    /// Waits until every worker goes by the table of that version or a newer one.
    pub(crate) async fn effective(&self, version: u64) {
        for worker in &self.workers {
            // An error means that the worker is gone, and with it everything that it could send anywhere.
            let _ = worker.seen.clone().wait_for(|seen| *seen >= version).await;
        }
    }

    /// Waits for a sign of life of every worker.
    pub(crate) async fn pulse(&self) {
        for worker in &self.workers {
            let (alive, pulse) = oneshot::channel();
            let _ = worker.commands.send(Command::Pulse(alive));
            if pulse.await.is_err() {
                // A worker that is gone gives none, ever.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Closes every connection on which a revision's request or tunnel is in flight.
    pub(crate) async fn cut(&self, revision: Sequence) {
        for worker in &self.workers {
            let (done, cut) = oneshot::channel();
            let _ = worker.commands.send(Command::Cut(revision, done));
            let _ = cut.await;
        }
    }

    /// Stops accepting, lets connections end, and ends the workers.
    pub(crate) async fn stop(&self, leave: Leave) {
        self.listeners().clear();
        for worker in &self.workers {
            let _ = worker.commands.send(Command::Stop(leave));
        }
        for worker in &self.workers {
            let thread = lock(&worker.thread).take();
            if let Some(thread) = thread {
                let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            }
        }
    }
}

enum Sharing {
    Alone,
    Workers,
}

fn socket(address: SocketAddr, sharing: Sharing) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    match sharing {
        Sharing::Alone => {}
        Sharing::Workers => socket.set_reuseport(true)?,
    }
    socket.bind(address)?;
    Ok(socket)
}

/// The CPUs that this process may use.
fn usable_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return vec![0] };
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}
