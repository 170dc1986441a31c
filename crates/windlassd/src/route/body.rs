//! Bodies on their way through: the client's upload, and the answer.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;

use super::direct::Answer;
use super::downstream::{Downstream, Exchange, Upload as State};
use super::flight::{Flight, Meter};
use super::headers;
use super::pool::Borrowed;

/// A client's upload. What becomes of it is noted in its [`Downstream`].
#[derive(Debug)]
pub(super) struct Upload {
    body: Incoming,
    downstream: Rc<Downstream>,
    /// Where its bytes are counted.
    meter: Option<Meter>,
    /// How much more there may be.
    left: u64,
}

/// Why an upload ends before it is whole.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The client broke it off.
    Broken(hyper::Error),
    /// It is larger than it may be.
    Large,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(_) => write!(f, "the client broke its upload off"),
            Self::Large => write!(f, "the upload is too large"),
        }
    }
}

impl Error for Unsent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Broken(error) => Some(error),
            Self::Large => None,
        }
    }
}

impl Upload {
    pub(super) fn new(body: Incoming, downstream: &Rc<Downstream>, most: Option<u64>) -> Self {
        let left = most.unwrap_or(u64::MAX);
        Self { body, downstream: Rc::clone(downstream), meter: None, left }
    }

    /// Its bytes are counted there from now on.
    pub(super) fn count_in(&mut self, flight: &Flight) {
        if !self.body.is_end_stream() {
            self.meter = Some(flight.meter());
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Unsent;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unsent>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let (state, frame) = match frame {
            Poll::Pending => (State::Awaited, Poll::Pending),
            Poll::Ready(None) => (State::Flowing, Poll::Ready(None)),
            Poll::Ready(Some(Err(error))) => (State::Broken, Poll::Ready(Some(Err(Unsent::Broken(error))))),
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    headers::clean_trailers(trailers);
                }
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        if let Some(meter) = &self.meter {
                            meter.received(length);
                        }
                        self.downstream.moved();
                        (State::Flowing, Poll::Ready(Some(Ok(frame))))
                    }
                    None => (State::Large, Poll::Ready(Some(Err(Unsent::Large)))),
                }
            }
        };
        self.downstream.set_upload(state);
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
pub(super) struct Outgoing {
    kind: Kind,
    /// Last, so that it is over when its flight has been counted. A handed-off one goes on elsewhere.
    exchange: Option<Exchange>,
}

#[derive(Debug)]
enum Kind {
    /// Our own.
    Text(Option<Bytes>),
    /// A service's.
    Stream(Box<Stream>),
}

#[derive(Debug)]
struct Stream {
    source: Source,
    flight: Flight,
}

/// The body of a service's answer. Its connection goes back to the pool when it has ended.
#[derive(Debug)]
pub(super) enum Source {
    /// By a connection of our own, which the body holds.
    Line(Answer),
    /// By one of hyper's.
    Hyper(Incoming, Option<Borrowed<SendRequest<Upload>>>),
}

/// Why an answer breaks off.
type Broken = Box<dyn Error + Send + Sync>;

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self {
            Self::Line(answer) => answer.poll_frame(cx).map_err(Into::into),
            Self::Hyper(body, connection) => {
                let frame = Pin::new(body).poll_frame(cx);
                match &frame {
                    Poll::Ready(Some(Err(_))) => *connection = None,
                    Poll::Ready(None) => self.give_back(),
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                frame.map_err(Into::into)
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Line(answer) => answer.is_end_stream(),
            Self::Hyper(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Line(answer) => answer.size_hint(),
            Self::Hyper(body, _) => body.size_hint(),
        }
    }

    fn give_back(&mut self) {
        match self {
            // It has done so itself.
            Self::Line(_) => {}
            Self::Hyper(_, connection) => {
                if let Some(connection) = connection.take() {
                    connection.give_back();
                }
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // A body with a length is not asked again after its last byte.
        if self.is_end_stream() {
            self.give_back();
        }
    }
}

impl Outgoing {
    pub(super) fn text(text: &'static str, exchange: Exchange) -> Self {
        exchange.answers();
        let text = (!text.is_empty()).then_some(Bytes::from_static(text.as_bytes()));
        Self { kind: Kind::Text(text), exchange: Some(exchange) }
    }

    /// The end of HTTP on this connection.
    pub(super) const fn handed_off() -> Self {
        Self { kind: Kind::Text(None), exchange: None }
    }

    pub(super) fn stream(source: Source, flight: Flight, exchange: Exchange) -> Self {
        exchange.answers();
        let stream = Stream { source, flight };
        Self { kind: Kind::Stream(Box::new(stream)), exchange: Some(exchange) }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let outgoing = self.get_mut();
        match &mut outgoing.kind {
            Kind::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Kind::Stream(stream) => {
                let frame = stream.source.poll_frame(cx);
                if let Some(exchange) = &outgoing.exchange {
                    exchange.downstream().handed_over(frame.is_ready());
                }
                match &frame {
                    Poll::Ready(Some(Err(_))) => stream.flight.broken(),
                    Poll::Ready(Some(Ok(frame))) => {
                        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                        stream.flight.sent(length);
                    }
                    Poll::Ready(None) | Poll::Pending => {}
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Text(text) => text.is_none(),
            Kind::Stream(stream) => stream.source.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Kind::Stream(stream) => stream.source.size_hint(),
        }
    }
}
