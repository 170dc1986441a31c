//! Requests without a body, asked on plain connections.
//!
//! Nothing flows to the service while its answer comes, so the client's own task writes the head and reads the answer:
//! no second task, no channel between the two, and no buffer that a connection keeps. A request that has a body, or asks
//! for another protocol, needs both ways at once, and has hyper's connections.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::body::{Bytes, Frame, SizeHint};
use hyper::{Request, Response};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use super::answer::{Body, Head, NoAnswer, Part};
use super::pool::{Borrowed, Idle, Readiness};

/// What is read into before it is known how much there is, one worker's own. Zeros at first.
pub(super) type Space = RefCell<Vec<u8>>;

/// How much is read at once.
const AT_ONCE: usize = 64 * 1024;

/// Room for a worker's lines.
pub(super) fn space() -> Rc<Space> {
    Rc::new(RefCell::new(vec![0; AT_ONCE]))
}

/// A connection to an instance on which requests and answers take turns.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    space: Rc<Space>,
}

impl Idle for Line {
    /// What comes unasked, be it the end, makes it unusable.
    fn readiness(&self) -> Readiness {
        match self.stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Readiness::Ready,
            Ok(_) | Err(_) => Readiness::Closed,
        }
    }
}

/// What comes of asking.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a request, of its usual kind, and a box costs more"
)]
pub(super) enum Asked {
    Answered(Response<Answer>),
    /// Not a byte was sent.
    Unsent,
    /// Something was sent, and no answer came.
    Broken,
}

impl Line {
    pub(super) fn new(stream: TcpStream, space: &Rc<Space>) -> Self {
        Self { stream, space: Rc::clone(space) }
    }

    /// Appends what arrives to `bytes`; at least a byte, or the service has closed the connection.
    fn poll_more(&mut self, cx: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Broken>> {
        let mut space = self.space.borrow_mut();
        let mut buf = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)).map_err(Broken::Connection)?;
        let arrived = buf.filled();
        if arrived.is_empty() {
            return Poll::Ready(Err(Broken::Ended));
        }
        *bytes = match &bytes[..] {
            [] => Bytes::copy_from_slice(arrived),
            held => Bytes::from([held, arrived].concat()),
        };
        Poll::Ready(Ok(()))
    }
}

/// Asks, and waits until the answer begins.
pub(super) async fn ask<B>(mut line: Borrowed<Line>, request: &Request<B>) -> Asked {
    let head = written(request);
    let mut sent = 0;
    while sent < head.len() {
        let write =
            |cx: &mut Context<'_>| Pin::new(&mut line.connection().stream).poll_write(cx, &head[sent..]);
        match std::future::poll_fn(write).await {
            Ok(count @ 1..) => sent += count,
            Ok(_) | Err(_) if sent == 0 => return Asked::Unsent,
            Ok(_) | Err(_) => return Asked::Broken,
        }
    }
    let mut held = Bytes::new();
    loop {
        let more = std::future::poll_fn(|cx| line.connection().poll_more(cx, &mut held));
        if more.await.is_err() {
            return Asked::Broken;
        }
        match Head::take(&mut held, request.method()) {
            Ok(None) => {}
            Ok(Some(Head { response, body, keep })) => {
                let keep = keep && body != Body::UntilClose;
                let mut answer = Answer { line: Some(line), held, body, keep };
                answer.give_back_where_over();
                return Asked::Answered(response.map(|()| answer));
            }
            Err(NoAnswer) => return Asked::Broken,
        }
    }
}

/// The head as it is sent.
fn written<B>(request: &Request<B>) -> Vec<u8> {
    let headers = request.headers();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let length = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    let mut head = Vec::with_capacity(length + path.len() + 64);
    head.extend_from_slice(request.method().as_str().as_bytes());
    // An absolute target may have a query and no path.
    head.extend_from_slice(if path.starts_with('?') { b" /" } else { b" " });
    head.extend_from_slice(path.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The body of an answer. Its connection goes back to the pool with the last byte.
#[derive(Debug)]
pub(super) struct Answer {
    line: Option<Borrowed<Line>>,
    held: Bytes,
    body: Body,
    keep: bool,
}

/// Why an answer ends before it is whole.
#[derive(Debug)]
pub(super) enum Broken {
    /// The service ended it.
    Ended,
    /// The connection broke.
    Connection(io::Error),
    /// It breaks its own rules.
    Garbled,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => write!(f, "the service closed the connection in its answer"),
            Self::Connection(_) => write!(f, "the connection to the service broke"),
            Self::Garbled => write!(f, "the service's answer is no HTTP/1.1"),
        }
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connection(error) => Some(error),
            Self::Ended | Self::Garbled => None,
        }
    }
}

impl Answer {
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            let part = self.body.take(&mut self.held).map_err(|NoAnswer| Broken::Garbled);
            self.give_back_where_over();
            match part? {
                Part::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Part::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Part::End => return Poll::Ready(None),
                Part::More => {}
            }
            let Some(line) = &mut self.line else { return Poll::Ready(None) };
            match ready!(line.connection().poll_more(cx, &mut self.held)) {
                Ok(()) => {}
                Err(Broken::Ended) if self.body == Body::UntilClose => {
                    self.line = None;
                    return Poll::Ready(None);
                }
                Err(broken) => return Poll::Ready(Some(Err(broken))),
            }
        }
    }

    pub(super) const fn is_end_stream(&self) -> bool {
        self.body.is_over()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self.body {
            Body::Fixed(left) => SizeHint::with_exact(left),
            Body::Chunked(_) | Body::UntilClose => SizeHint::new(),
        }
    }

    /// What follows an answer unasked is nobody's, and closes the connection.
    fn give_back_where_over(&mut self) {
        if self.body.is_over()
            && let Some(line) = self.line.take()
            && self.keep
            && self.held.is_empty()
        {
            line.give_back();
        }
    }
}
