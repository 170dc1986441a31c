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

/// Idle connections.
pub(super) struct Pool {
    table: Arc<ArcSwap<Table>>,
    idle: RefCell<HashMap<u64, Vec<Idle>>>,
}

struct Idle {
    sender: SendRequest<Upload>,
    since: Instant,
}

/// A connection in use.
pub(super) struct Borrowed {
    pool: Rc<Pool>,
    upstream: u64,
    sender: SendRequest<Upload>,
}

impl Pool {
    pub(super) fn new(table: Arc<ArcSwap<Table>>) -> Self {
        Self { table, idle: RefCell::default() }
    }

    /// The connection that was used last and is still open.
    pub(super) fn take(self: &Rc<Self>, upstream: u64) -> Option<Borrowed> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&upstream)?;
        let mut busy = Vec::new();
        let mut found = None;
        while let Some(last) = list.pop() {
            if last.since.elapsed() > IDLE {
                // Those below it have been idle for longer.
                list.clear();
            } else if last.sender.is_ready() {
                found = Some(last.sender);
                break;
            } else if !last.sender.is_closed() {
                // Its task has not yet seen that the answer is over.
                busy.push(last);
            }
        }
        list.extend(busy.into_iter().rev());
        drop(idle);
        found.map(|sender| self.lend(upstream, sender))
    }

    /// Takes a new connection into account.
    pub(super) fn lend(self: &Rc<Self>, upstream: u64, sender: SendRequest<Upload>) -> Borrowed {
        Borrowed { pool: Rc::clone(self), upstream, sender }
    }

    /// Closes the idle connections to instances that get no more requests, and those that lay idle for too long.
    pub(super) fn sweep(&self) {
        let table = self.table.load();
        self.idle.borrow_mut().retain(|upstream, list| {
            list.retain(|idle| idle.since.elapsed() <= IDLE && !idle.sender.is_closed());
            !list.is_empty() && table.routes_to(*upstream)
        });
    }
}

impl Borrowed {
    pub(super) fn sender(&mut self) -> &mut SendRequest<Upload> {
        &mut self.sender
    }

    /// Makes it idle, unless its instance gets no more requests.
    pub(super) fn give_back(self) {
        let Self { pool, upstream, sender } = self;
        if sender.is_closed() || !pool.table.load().routes_to(upstream) {
            return;
        }
        let mut idle = pool.idle.borrow_mut();
        let list = idle.entry(upstream).or_default();
        if list.len() < MOST {
            list.push(Idle { sender, since: Instant::now() });
        }
    }
}

impl std::fmt::Debug for Borrowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Borrowed").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}
