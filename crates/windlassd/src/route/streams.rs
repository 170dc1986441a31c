//! The streams of HTTP/2 connections: each is a task of its own, and can be ended without its neighbours.

use std::cell::RefCell;
use std::rc::Rc;

use hyper::rt::Executor;
use tokio::task::spawn_local;

use super::downstream::{Downstream, Stream};
use super::local::Local;

/// The streams of one connection.
#[derive(Clone)]
pub(super) struct Streams {
    local: Rc<Local>,
    connection: Rc<Downstream>,
    /// The stream whose task is about to be started: hyper starts it in the same breath as it asks for its answer.
    opened: Rc<RefCell<Option<Rc<Downstream>>>>,
}

impl Streams {
    pub(super) fn new(local: &Rc<Local>, connection: &Rc<Downstream>) -> Self {
        Self { local: Rc::clone(local), connection: Rc::clone(connection), opened: Rc::default() }
    }

    /// One more stream.
    pub(super) fn open(&self) -> Rc<Downstream> {
        let stream = self.local.stream();
        *self.opened.borrow_mut() = Some(Rc::clone(&stream));
        stream
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + 'static,
{
    fn execute(&self, work: F) {
        match self.opened.borrow_mut().take() {
            Some(stream) => {
                let carried = Stream::of(&self.connection);
                let of = Rc::clone(&stream);
                self.local.start(stream, async move {
                    let _carried = carried;
                    let mut work = std::pin::pin!(work);
                    std::future::poll_fn(|cx| {
                        of.attend(cx);
                        work.as_mut().poll(cx)
                    })
                    .await;
                });
            }
            None => {
                spawn_local(work);
            }
        }
    }
}
