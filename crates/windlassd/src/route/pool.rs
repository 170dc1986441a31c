//! Idle connections to instances, one worker's own, by the start of the instance they lead to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hyper::client::conn::http1::SendRequest;

use super::body::Upload;
use super::table::Table;

/// How long a connection may lie idle. Services close theirs after five seconds or more; one that is closed just as
/// a request is written to it is the one race that cannot be repaired.
const IDLE: Duration = Duration::from_secs(3);

/// The most idle connections kept to one instance.
const MOST: usize = 256;

/// A connection that can lie idle.
pub(super) trait Idle {
    /// Whether it can be used now.
    fn readiness(&self) -> Readiness;
}

/// Whether an idle connection can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Soon: its task has not yet seen that the answer is over.
    Busy,
    /// Never again.
    Closed,
}

impl Idle for SendRequest<Upload> {
    fn readiness(&self) -> Readiness {
        if self.is_ready() {
            Readiness::Ready
        } else if self.is_closed() {
            Readiness::Closed
        } else {
            Readiness::Busy
        }
    }
}

/// Idle connections of one kind.
pub(super) struct Pool<C> {
    table: Arc<ArcSwap<Table>>,
    idle: RefCell<HashMap<u64, Vec<Waiting<C>>>>,
}

struct Waiting<C> {
    connection: C,
    since: Instant,
}

/// A connection in use.
pub(super) struct Borrowed<C> {
    pool: Rc<Pool<C>>,
    upstream: u64,
    connection: C,
}

impl<C: Idle> Pool<C> {
    pub(super) fn new(table: Arc<ArcSwap<Table>>) -> Self {
        Self { table, idle: RefCell::default() }
    }

    /// The connection that was used last and is still open.
    pub(super) fn take(self: &Rc<Self>, upstream: u64) -> Option<Borrowed<C>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&upstream)?;
        let mut busy = Vec::new();
        let mut found = None;
        while let Some(last) = list.pop() {
            if last.since.elapsed() > IDLE {
                // Those below it have been idle for longer.
                list.clear();
                break;
            }
            match last.connection.readiness() {
                Readiness::Ready => {
                    found = Some(last.connection);
                    break;
                }
                Readiness::Busy => busy.push(last),
                Readiness::Closed => {}
            }
        }
        list.extend(busy.into_iter().rev());
        drop(idle);
        found.map(|connection| self.lend(upstream, connection))
    }

    /// Takes a new connection into account.
    pub(super) fn lend(self: &Rc<Self>, upstream: u64, connection: C) -> Borrowed<C> {
        Borrowed { pool: Rc::clone(self), upstream, connection }
    }

    /// Closes the idle connections to instances that get no more requests, and those that lay idle for too long.
    pub(super) fn sweep(&self) {
        let table = self.table.load();
        self.idle.borrow_mut().retain(|upstream, list| {
            list.retain(|idle| {
                idle.since.elapsed() <= IDLE && idle.connection.readiness() != Readiness::Closed
            });
            !list.is_empty() && table.routes_to(*upstream)
        });
    }
}

impl<C: Idle> Borrowed<C> {
    pub(super) fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Makes it idle, unless its instance gets no more requests.
    pub(super) fn give_back(self) {
        let Self { pool, upstream, connection } = self;
        if connection.readiness() == Readiness::Closed || !pool.table.load().routes_to(upstream) {
            return;
        }
        let mut idle = pool.idle.borrow_mut();
        let list = idle.entry(upstream).or_default();
        if list.len() < MOST {
            list.push(Waiting { connection, since: Instant::now() });
        }
    }
}

impl<C> std::fmt::Debug for Borrowed<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Borrowed").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
