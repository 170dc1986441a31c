//! What the tasks of one worker share, and how it looks after their connections.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use hyper::client::conn::http1::SendRequest;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, spawn_local};
use windlass_domain::release::Sequence;

use super::body::Upload;
use super::direct::{self, Line, Space};
use super::door::Door;
use super::downstream::{Clock, Downstream, Order, Phase, Why};
use super::patience::{Verdict, judge};
use super::pool::{Borrowed, Pool};
use super::sticky::Keys;
use super::table::{Points, Table};
use super::tally::Tally;

/// What the tasks of one worker share.
pub(super) struct Local {
    index: usize,
    table: Arc<ArcSwap<Table>>,
    points: RefCell<Points>,
    keys: Keys,
    turns: RefCell<HashMap<Sequence, usize>>,
    pool: Rc<Pool<SendRequest<Upload>>>,
    lines: Rc<Pool<Line>>,
    space: Rc<Space>,
    nowhere: Arc<Tally>,
    door: Arc<Door>,
    clock: Rc<Clock>,
    connections: RefCell<HashMap<u64, (Rc<Downstream>, AbortHandle)>>,
    accepted: Cell<u64>,
    /// Whether each connection ends with its next answer, and whether those that rest are closed.
    parting: Cell<bool>,
    closing: Cell<bool>,
}

impl Local {
    pub(super) fn new(
        index: usize,
        table: Arc<ArcSwap<Table>>,
        nowhere: Arc<Tally>,
        door: Arc<Door>,
    ) -> Self {
        let pool = Rc::new(Pool::new(Arc::clone(&table)));
        let lines = Rc::new(Pool::new(Arc::clone(&table)));
        Self {
            index,
            table,
            points: RefCell::new(Points::of_worker(index)),
            keys: Keys::default(),
            turns: RefCell::default(),
            pool,
            lines,
            space: direct::space(),
            nowhere,
            door,
            clock: Rc::default(),
            connections: RefCell::default(),
            accepted: Cell::new(0),
            parting: Cell::new(false),
            closing: Cell::new(false),
        }
    }

    pub(super) const fn index(&self) -> usize {
        self.index
    }

    pub(super) fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    pub(super) fn next_point(&self) -> u64 {
        self.points.borrow_mut().next()
    }

    pub(super) const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Counts up, so that the instances of a revision take turns.
    pub(super) fn turn(&self, revision: Sequence) -> usize {
        let mut turns = self.turns.borrow_mut();
        let turn = turns.entry(revision).or_insert(self.index);
        *turn = turn.wrapping_add(1);
        *turn
    }

    /// Idle connections of hyper's.
    pub(super) const fn pool(&self) -> &Rc<Pool<SendRequest<Upload>>> {
        &self.pool
    }

    /// Idle connections of our own.
    pub(super) const fn lines(&self) -> &Rc<Pool<Line>> {
        &self.lines
    }

    /// A line on a connection that was just made.
    pub(super) fn line(&self, upstream: u64, stream: TcpStream) -> Borrowed<Line> {
        self.lines.lend(upstream, Line::new(stream, &self.space))
    }

    /// Closes idle connections that are of no use any more.
    pub(super) fn sweep(&self) {
        self.pool.sweep();
        self.lines.sweep();
    }

    pub(super) const fn nowhere(&self) -> &Arc<Tally> {
        &self.nowhere
    }

    pub(super) const fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// What is known of a connection that begins.
    pub(super) fn connection(&self) -> Rc<Downstream> {
        Rc::new(Downstream::new(&self.clock, Phase::Parked))
    }

    /// What is known of a stream that begins.
    pub(super) fn stream(&self) -> Rc<Downstream> {
        Rc::new(Downstream::stream(&self.clock))
    }

    /// Starts the task of a connection or a stream.
    pub(super) fn start(
        self: &Rc<Self>,
        downstream: Rc<Downstream>,
        work: impl Future<Output = ()> + 'static,
    ) {
        let id = self.accepted.replace(self.accepted.get() + 1);
        let local = Rc::clone(self);
        let task = spawn_local(async move {
            let _listed = Listed { local, id };
            work.await;
        });
        if self.parting.get() {
            downstream.order(Order::Part);
        }
        if self.closing.get() {
            downstream.order(Order::Close);
        }
        self.connections.borrow_mut().insert(id, (downstream, task.abort_handle()));
    }

    /// Whether a client shall ask no more on its connection.
    pub(super) fn is_parting(&self) -> bool {
        self.parting.get()
    }

    /// Each connection ends with the answer to its next request.
    pub(super) fn part(&self) {
        self.parting.set(true);
        self.order(Order::Part);
    }

    /// Each connection ends when it rests.
    pub(super) fn close(&self) {
        self.closing.set(true);
        self.order(Order::Close);
    }

    /// Ends everything that this revision has in flight.
    pub(super) fn cut(&self, revision: Sequence) {
        for (downstream, task) in self.connections.borrow().values() {
            if downstream.serving() == Some(revision) {
                downstream.break_off(Why::Cut);
                match downstream.phase() {
                    Phase::Tunnelling => downstream.order(Order::Cut),
                    _ => task.abort(),
                }
            }
        }
    }

    /// Looks at every connection: one that rests gives its memory back, one that takes too long is ended.
    pub(super) fn look(&self) {
        self.clock.tick();
        let table = self.table();
        let limits = &table.settings().limits;
        for (downstream, task) in self.connections.borrow().values() {
            match judge(downstream, limits) {
                Verdict::Fine => {}
                Verdict::Order(order) => {
                    if order != Order::Park {
                        self.door.expired();
                    }
                    downstream.order(order);
                }
                Verdict::End(why) => {
                    self.door.expired();
                    if let Some(why) = why {
                        downstream.break_off(why);
                    }
                    task.abort();
                }
            }
        }
    }

    /// Tells every connection.
    pub(super) fn order(&self, order: Order) {
        for (downstream, _) in self.connections.borrow().values() {
            downstream.order(order);
        }
    }

    /// Whether there is none.
    pub(super) fn is_idle(&self) -> bool {
        self.connections.borrow().is_empty()
    }
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
