//! A request in flight: counted from its choice of a revision until the last byte of its answer was handed over.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use windlass_domain::release::Sequence;

use super::tally::{ABORTED, Shard, Tally};

/// One client connection, as far as flights concern it.
#[derive(Debug, Default)]
pub(super) struct Downstream {
    serving: Cell<Option<Sequence>>,
}

impl Downstream {
    /// The revision whose answer this connection waits for or takes.
    pub(super) fn serving(&self) -> Option<Sequence> {
        self.serving.get()
    }

    pub(super) fn serve(&self, revision: Sequence) {
        self.serving.set(Some(revision));
    }
}

/// A request in flight. It is counted when this is dropped, on its own worker.
#[derive(Debug)]
pub(super) struct Flight {
    tally: Arc<Tally>,
    worker: usize,
    since: Instant,
    end: End,
    downstream: Rc<Downstream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// No answer yet: if it ends so, the client went.
    Open,
    /// The service answered.
    Answered(StatusCode),
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
        downstream: &Rc<Downstream>,
    ) -> Self {
        tally.shard(worker).in_flight.up();
        downstream.serving.set(Some(revision));
        Self {
            tally: Arc::clone(tally),
            worker,
            since: Instant::now(),
            end: End::Open,
            downstream: Rc::clone(downstream),
        }
    }

    pub(super) fn shard(&self) -> &Shard {
        self.tally.shard(self.worker)
    }

    pub(super) fn answered(&mut self, code: StatusCode) {
        self.end = End::Answered(code);
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

impl Drop for Flight {
    fn drop(&mut self) {
        let shard = self.tally.shard(self.worker);
        shard.in_flight.down();
        self.downstream.serving.set(None);
        match self.end {
            End::Open => shard.codes[ABORTED].up(),
            End::Answered(code) => {
                shard.codes[class(code)].up();
                shard.took(self.since.elapsed());
                if code.is_server_error() {
                    shard.bad.up();
                }
            }
            End::Broken => {
                shard.codes[4].up();
                shard.bad.up();
            }
            End::Failed => {
                shard.codes[4].up();
                shard.failed.up();
            }
            End::Passed => {}
        }
    }
}

/// The place of a code's class in [`CODES`](super::tally::CODES).
fn class(code: StatusCode) -> usize {
    usize::from(code.as_u16() / 100).clamp(1, 5) - 1
}
