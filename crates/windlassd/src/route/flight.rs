//! A request in flight: counted from its choice of a revision until the last byte of its answer was handed over.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use windlass_domain::release::Sequence;

use super::downstream::{Downstream, Why};
use super::tally::{ABORTED, Shard, Tally};
use crate::access::Ended;

/// A request in flight. It is counted when this is dropped, on its own worker.
#[derive(Debug)]
pub(super) struct Flight {
    tally: Arc<Tally>,
    worker: usize,
    since: Instant,
    end: End,
    cause: Cause,
    downstream: Rc<Downstream>,
    revision: Sequence,
    instance: Cell<Option<SocketAddr>>,
    sent: Cell<u64>,
}

/// Why a request is sent to its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The weights say so.
    Weight,
    /// A tester does.
    Tester,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// No answer yet: if it ends so, the client went.
    Open,
    /// The service answered.
    Answered(StatusCode),
    /// The service made it another protocol's connection.
    Upgraded,
    /// We answered in its place, because of the client.
    Refused(StatusCode),
    /// The service took longer than a request may.
    Late,
    /// The service broke the connection, before or in its answer.
    Broken,
    /// There was no instance, or no connection to one.
    Failed,
    /// Another revision has taken it over, and counts it.
    Passed,
}

impl Flight {
    pub(super) fn begin(
        tally: &Arc<Tally>,
        worker: usize,
        revision: Sequence,
        cause: Cause,
        downstream: &Rc<Downstream>,
    ) -> Self {
        downstream.serve(Some(revision));
        let flight = Self {
            tally: Arc::clone(tally),
            worker,
            since: Instant::now(),
            end: End::Open,
            cause,
            downstream: Rc::clone(downstream),
            revision,
            instance: Cell::new(None),
            sent: Cell::new(0),
        };
        flight.shard().in_flight.up();
        flight
    }

    pub(super) fn shard(&self) -> &Shard {
        match self.cause {
            Cause::Weight => self.tally.shard(self.worker),
            Cause::Tester => self.tally.forced(self.worker),
        }
    }

    /// This instance is asked.
    pub(super) fn asks(&self, instance: SocketAddr) {
        self.instance.set(Some(instance));
    }

    /// So many bytes went to the client.
    pub(super) fn sent(&self, bytes: u64) {
        self.shard().sent.add(bytes);
        self.sent.set(self.sent.get() + bytes);
    }

    /// Where the upload's bytes are counted.
    pub(super) fn meter(&self) -> Meter {
        Meter { tally: Arc::clone(&self.tally), worker: self.worker, cause: self.cause }
    }

    pub(super) fn answered(&mut self, code: StatusCode) {
        self.end = End::Answered(code);
    }

    pub(super) fn upgraded(&mut self) {
        self.end = End::Upgraded;
        self.shard().upgrades.up();
    }

    pub(super) fn refused(&mut self, code: StatusCode) {
        self.end = End::Refused(code);
    }

    pub(super) fn late(&mut self) {
        self.end = End::Late;
    }

    pub(super) fn broken(&mut self) {
        self.end = End::Broken;
    }

    pub(super) fn failed(&mut self) {
        self.end = End::Failed;
    }

    /// Nothing was sent to this revision; the request goes to another.
    pub(super) fn pass(mut self) {
        self.end = End::Passed;
    }
}

/// Counts what comes from the client.
#[derive(Debug)]
pub(super) struct Meter {
    tally: Arc<Tally>,
    worker: usize,
    cause: Cause,
}

impl Meter {
    pub(super) fn received(&self, bytes: u64) {
        if self.cause == Cause::Weight {
            self.tally.shard(self.worker).received.add(bytes);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let shard = self.shard();
        shard.in_flight.down();
        self.downstream.serve(None);
        match self.downstream.broken_off() {
            Some(Why::Cut) => shard.cut.up(),
            Some(Why::Late) => shard.late.up(),
            None => {}
        }
        match self.end {
            End::Open => shard.codes[ABORTED].up(),
            End::Answered(code) => {
                shard.codes[class(code)].up();
                shard.took(self.since.elapsed());
                if code.is_server_error() {
                    shard.bad.up();
                }
            }
            // Its duration is not that of an answer.
            End::Upgraded => shard.codes[0].up(),
            End::Refused(code) => shard.codes[class(code)].up(),
            End::Late => {
                shard.codes[4].up();
                shard.bad.up();
                shard.late.up();
            }
            End::Broken => {
                shard.codes[4].up();
                shard.bad.up();
            }
            End::Failed => {
                shard.codes[4].up();
                shard.failed.up();
            }
            End::Passed => return,
        }
        if let Some(note) = self.downstream.take_note() {
            note.end(Ended {
                status: self.end.status(),
                revision: (self.revision.0 > 0).then_some(self.revision),
                instance: self.instance.get(),
                time: self.since.elapsed(),
                sent: self.sent.get(),
            });
        }
    }
}

impl End {
    /// The code that the client was given; `None` where it had gone.
    fn status(self) -> Option<u16> {
        match self {
            Self::Open | Self::Passed => None,
            Self::Answered(code) | Self::Refused(code) => Some(code.as_u16()),
            Self::Upgraded => Some(StatusCode::SWITCHING_PROTOCOLS.as_u16()),
            Self::Late => Some(StatusCode::GATEWAY_TIMEOUT.as_u16()),
            Self::Broken => Some(StatusCode::BAD_GATEWAY.as_u16()),
            Self::Failed => Some(StatusCode::SERVICE_UNAVAILABLE.as_u16()),
        }
    }
}

/// The place of a code's class in [`CODES`](super::tally::CODES).
fn class(code: StatusCode) -> usize {
    usize::from(code.as_u16() / 100).clamp(1, 5) - 1
}
