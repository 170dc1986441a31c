//! What the parts of one client connection, or of one of its streams, know of each other: the bytes' keeper, the
//! request under way, and the worker, which looks at it now and then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use windlass_domain::release::Sequence;

use super::head::Refusal;
use super::tunnel::Handoff;
use crate::access::Note;

/// The worker's time in [`TICK`](super::worker::TICK)s: limits of seconds need no better one.
#[derive(Debug, Default)]
pub(super) struct Clock(Cell<u32>);

impl Clock {
    pub(super) fn tick(&self) {
        self.0.set(self.0.get().wrapping_add(1));
    }

    fn now(&self) -> u32 {
        self.0.get()
    }
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing: the next request has not begun.
    Resting,
    /// The same, and only its socket is left in memory.
    Parked,
    /// TLS is being set up, or a request's head is arriving.
    Beginning,
    /// A request was passed on, or is about to be.
    Asking,
    /// Its answer is on its way.
    Answering,
    /// It is a tunnel.
    Tunnelling,
    /// It is being ended, and what the client still sends is thrown away.
    Ending,
    /// Requests come on streams of their own.
    Carrying,
}

/// What the worker wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Let go of everything but the socket.
    Park,
    /// Answer that it took too long.
    Late,
    /// Take no more streams; a connection without any goes on until its next answer.
    Part,
    /// End what is under way and then close.
    Close,
    /// Close a tunnel in its protocol's way.
    Cut,
}

/// Why something is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The time to drain is over.
    Cut,
    /// It took longer than a request may.
    Late,
}

/// A client's upload, as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upload {
    /// It comes, or is over, or is not asked for.
    Flowing,
    /// It is the client's turn to send.
    Awaited,
    /// The client broke it off.
    Broken,
    /// It is larger than it may be.
    Large,
}

/// A client connection, or a stream of one.
#[derive(Debug)]
pub(super) struct Downstream {
    clock: Rc<Clock>,
    /// Whether it is a stream, whose bytes the connection that carries it sends.
    carried: bool,
    phase: Cell<Phase>,
    /// When the phase began that has a limit as a whole, and when a byte last moved.
    began: Cell<u32>,
    moved: Cell<u32>,
    serving: Cell<Option<Sequence>>,
    broken_off: Cell<Option<Why>>,
    upload: Cell<Upload>,
    /// Whether the client does not take what it is sent, and whether all that it sent was whole requests.
    blocked: Cell<bool>,
    whole: Cell<bool>,
    streams: Cell<u32>,
    order: Cell<Option<Order>>,
    parting: Cell<bool>,
    closing: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Requests that began, and whether the end of this one is waited for.
    requests: Cell<u64>,
    end_awaited: Cell<bool>,
    refusal: Cell<Option<(u64, Refusal)>>,
    handoff: RefCell<Option<Box<Handoff>>>,
    note: RefCell<Option<Box<Note>>>,
}

impl Downstream {
    pub(super) fn new(clock: &Rc<Clock>, phase: Phase) -> Self {
        Self {
            clock: Rc::clone(clock),
            carried: false,
            phase: Cell::new(phase),
            began: Cell::new(clock.now()),
            moved: Cell::new(clock.now()),
            serving: Cell::new(None),
            broken_off: Cell::new(None),
            upload: Cell::new(Upload::Flowing),
            blocked: Cell::new(false),
            whole: Cell::new(true),
            streams: Cell::new(0),
            order: Cell::new(None),
            parting: Cell::new(false),
            closing: Cell::new(false),
            waker: RefCell::new(None),
            requests: Cell::new(0),
            end_awaited: Cell::new(false),
            refusal: Cell::new(None),
            handoff: RefCell::new(None),
            note: RefCell::new(None),
        }
    }

    pub(super) fn stream(clock: &Rc<Clock>) -> Self {
        Self { carried: true, ..Self::new(clock, Phase::Resting) }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Something else begins; orders about what was before are void.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.order.set(None);
        self.began.set(self.clock.now());
        self.moved.set(self.clock.now());
    }

    /// What the access log says of the request that begins.
    pub(super) fn note(&self, note: Note) {
        self.note.replace(Some(Box::new(note)));
    }

    pub(super) fn take_note(&self) -> Option<Box<Note>> {
        self.note.take()
    }

    /// A byte moved.
    pub(super) fn moved(&self) {
        self.moved.set(self.clock.now());
    }

    /// Ticks since the phase began, and since a byte last moved.
    pub(super) fn ages(&self) -> (u32, u32) {
        let now = self.clock.now();
        (now.wrapping_sub(self.began.get()), now.wrapping_sub(self.moved.get()))
    }

    /// The revision whose answer this waits for or takes.
    pub(super) fn serving(&self) -> Option<Sequence> {
        self.serving.get()
    }

    pub(super) fn serve(&self, revision: Option<Sequence>) {
        self.serving.set(revision);
    }

    /// Why what is under way does not end by itself, where it does not.
    pub(super) fn broken_off(&self) -> Option<Why> {
        self.broken_off.get()
    }

    pub(super) fn break_off(&self, why: Why) {
        self.broken_off.set(Some(why));
    }

    pub(super) fn upload(&self) -> Upload {
        self.upload.get()
    }

    pub(super) fn set_upload(&self, upload: Upload) {
        self.upload.set(upload);
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// Whether nothing is left of any request or answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.phase() == Phase::Resting && !self.blocked.get() && self.whole.get()
    }

    pub(super) fn set_whole(&self, whole: bool) {
        self.whole.set(whole);
    }

    /// A part of the answer was handed over for sending, or none is there yet. Of a stream nothing else tells
    /// whether its client takes what it is sent.
    pub(super) fn handed_over(&self, part: bool) {
        self.moved();
        if self.carried {
            self.blocked.set(part);
        }
    }

    /// Whether streams are under way on it.
    pub(super) fn has_streams(&self) -> bool {
        self.streams.get() > 0
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.set(blocked);
    }

    /// Makes whoever waits here look at its orders.
    pub(super) fn order(&self, order: Order) {
        match order {
            Order::Part => self.parting.set(true),
            Order::Close => self.closing.set(true),
            Order::Park | Order::Late | Order::Cut => self.order.set(Some(order)),
        }
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How many requests began.
    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Has the task woken when the request under way is over.
    pub(super) fn await_end(&self) {
        self.end_awaited.set(true);
    }

    /// Whether there is such an order. One to part or to close holds for good, the others until another takes its place or
    /// something else begins.
    pub(super) fn is_ordered(&self, order: Order) -> bool {
        match order {
            Order::Part => self.parting.get(),
            Order::Close => self.closing.get(),
            Order::Park | Order::Late | Order::Cut => self.order.get() == Some(order),
        }
    }

    /// Notes whom an order wakes.
    pub(super) fn attend(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    /// The head with this number, counted from 1, is refused.
    pub(super) fn refuse(&self, number: u64, refusal: Refusal) {
        self.refusal.set(Some((number, refusal)));
    }

    pub(super) fn hand_off(&self, handoff: Handoff) {
        *self.handoff.borrow_mut() = Some(Box::new(handoff));
    }

    pub(super) fn take_handoff(&self) -> Option<Box<Handoff>> {
        self.handoff.borrow_mut().take()
    }
}

/// One request and its answer. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct Exchange(Rc<Downstream>);

impl Exchange {
    /// Begins with a complete head; or says why that was refused.
    pub(super) fn begin(downstream: &Rc<Downstream>) -> (Self, Option<Refusal>) {
        downstream.enter(Phase::Asking);
        downstream.upload.set(Upload::Flowing);
        let number = downstream.requests.get() + 1;
        downstream.requests.set(number);
        let refusal = downstream.refusal.get().filter(|(of, _)| *of == number).map(|(_, refusal)| refusal);
        (Self(Rc::clone(downstream)), refusal)
    }

    pub(super) const fn downstream(&self) -> &Rc<Downstream> {
        &self.0
    }

    /// Its answer begins. The limit of the whole exchange goes on.
    pub(super) fn answers(&self) {
        self.0.phase.set(Phase::Answering);
        self.0.moved();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.enter(Phase::Resting);
        if self.0.end_awaited.take() {
            self.0.wake();
        }
    }
}

/// A stream of a connection, which carries it.
#[derive(Debug)]
pub(super) struct Stream(Rc<Downstream>);

impl Stream {
    pub(super) fn of(connection: &Rc<Downstream>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.moved();
    }
}
