//! Bodies on their way through: the client's upload, and the answer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::flight::Flight;
use super::pool::Borrowed;

/// A client's upload, which notes when it was the client that broke it off.
#[derive(Debug)]
pub(super) struct Upload {
    body: Incoming,
    broken: Rc<Cell<bool>>,
}

impl Upload {
    pub(super) fn new(body: Incoming, broken: &Rc<Cell<bool>>) -> Self {
        Self { body, broken: Rc::clone(broken) }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(_))) = &frame {
            self.broken.set(true);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Our own.
    Text(Option<Bytes>),
    /// A service's. Its connection goes back to the pool when it has ended.
    Stream(Box<Stream>),
}

#[derive(Debug)]
pub(super) struct Stream {
    body: Incoming,
    flight: Flight,
    connection: Option<Borrowed>,
}

impl Outgoing {
    pub(super) fn text(text: &'static str) -> Self {
        Self::Text((!text.is_empty()).then_some(Bytes::from_static(text.as_bytes())))
    }

    pub(super) fn stream(body: Incoming, flight: Flight, connection: Borrowed) -> Self {
        Self::Stream(Box::new(Stream { body, flight, connection: Some(connection) }))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Stream(stream) => {
                let frame = Pin::new(&mut stream.body).poll_frame(cx);
                match &frame {
                    Poll::Ready(Some(Err(_))) => {
                        stream.flight.broken();
                        stream.connection = None;
                    }
                    Poll::Ready(None) => give_back(stream),
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Stream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Stream(stream) => stream.body.size_hint(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A body with a length is not asked again after its last byte.
        if self.body.is_end_stream() {
            give_back(self);
        }
    }
}

fn give_back(stream: &mut Stream) {
    if let Some(connection) = stream.connection.take() {
        connection.give_back();
    }
}
