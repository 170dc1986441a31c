//! Upgraded connections: bytes both ways until one end closes, or the revision's drain time is over. A WebSocket is
//! then closed the way its protocol has for it, between two frames.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::downstream::{Exchange, Order, Phase};
use super::flight::Flight;
use super::frames::{Frames, Side};
use super::socket::Socket;

/// How long both ends may take to answer that a WebSocket is closed.
const CLOSE: Duration = Duration::from_secs(1);

/// What is read at once.
const CHUNK: usize = 8 * 1024;

/// A request whose connection becomes another protocol's.
#[derive(Debug)]
pub(super) struct Handoff {
    pub(super) service: OnUpgrade,
    pub(super) protocol: Protocol,
    pub(super) flight: Flight,
    pub(super) exchange: Exchange,
}

/// What an upgraded connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    WebSocket,
    Other,
}

/// Passes bytes both ways until it is over. `read` came from the client already.
pub(super) async fn run(handoff: Box<Handoff>, mut client: Socket, read: Vec<u8>) {
    let Handoff { service, protocol, flight, exchange } = *handoff;
    let downstream = Rc::clone(exchange.downstream());
    downstream.enter(Phase::Tunnelling);
    let Ok(service) = service.await else { return };
    let mut service = TokioIo::new(service);
    let mut up = Pump::new(read);
    let mut down = Pump::new(Vec::new());
    let over = std::future::poll_fn(|cx| {
        downstream.attend(cx);
        if downstream.is_ordered(Order::Cut) {
            return Poll::Ready(Ended::Cut);
        }
        let sent = |count| flight.sent(count);
        let received = |count| flight.shard().received.add(count);
        let up = up.poll(cx, Pin::new(&mut client), Pin::new(&mut service), received);
        let down = down.poll(cx, Pin::new(&mut service), Pin::new(&mut client), sent);
        match (up, down) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(Ended::Alone),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ended::Alone),
            _ => Poll::Pending,
        }
    })
    .await;
    match (over, protocol) {
        (Ended::Alone, _) => return,
        (Ended::Cut, Protocol::Other) => {}
        (Ended::Cut, Protocol::WebSocket) => {
            let _ = tokio::time::timeout(CLOSE, close(&mut client, &mut service, up, down)).await;
        }
    }
    let end = async {
        let _ = client.shutdown().await;
        let _ = service.shutdown().await;
    };
    let _ = tokio::time::timeout(CLOSE, end).await;
}

enum Ended {
    /// One of its ends was closed.
    Alone,
    Cut,
}

/// Ends the frame that is under way each way, says that we go away, and waits until both ends have said so too.
async fn close(client: &mut Socket, service: &mut TokioIo<Upgraded>, mut up: Pump, mut down: Pump) {
    let (mut client, mut service) = (pin!(client), pin!(service));
    up.close(Side::Client);
    down.close(Side::Service);
    std::future::poll_fn(|cx| {
        let up = up.poll_close(cx, client.as_mut(), service.as_mut());
        let down = down.poll_close(cx, service.as_mut(), client.as_mut());
        if up.is_ready() && down.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// One way of a tunnel.
struct Pump {
    buffer: Vec<u8>,
    /// Of the buffer, what is not yet written.
    from: usize,
    frames: Frames,
    way: Way,
    unflushed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Bytes are passed on.
    Open,
    /// The sender is done; the receiver is to be told.
    Ended,
    /// The receiver knows.
    Over,
    /// The frame under way is passed on, then comes ours.
    Closing(Side),
    /// Ours is in the buffer; what the sender still sends is looked through for its own.
    Closed,
}

impl Pump {
    fn new(read: Vec<u8>) -> Self {
        Self { buffer: read, from: 0, frames: Frames::default(), way: Way::Open, unflushed: false }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut impl AsyncRead>,
        mut writer: Pin<&mut impl AsyncWrite>,
        count: impl Fn(u64),
    ) -> Poll<io::Result<()>> {
        loop {
            while self.from < self.buffer.len() {
                let written = ready!(writer.as_mut().poll_write(cx, &self.buffer[self.from..]))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.frames.pass(&self.buffer[self.from..self.from + written]);
                count(written as u64);
                self.from += written;
                self.unflushed = true;
            }
            match self.way {
                Way::Open => {}
                Way::Ended => {
                    ready!(writer.as_mut().poll_shutdown(cx))?;
                    self.way = Way::Over;
                    return Poll::Ready(Ok(()));
                }
                Way::Over | Way::Closing(_) | Way::Closed => return Poll::Ready(Ok(())),
            }
            match self.fill(cx, reader.as_mut()) {
                Poll::Ready(Ok(0)) => self.way = Way::Ended,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    if self.unflushed {
                        ready!(writer.as_mut().poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    // A tunnel at rest needs no buffer.
                    self.buffer = Vec::new();
                    self.from = 0;
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads what is there into the empty buffer.
    fn fill(&mut self, cx: &mut Context<'_>, reader: Pin<&mut impl AsyncRead>) -> Poll<io::Result<usize>> {
        let mut space = [0; CHUNK];
        let mut buf = ReadBuf::new(&mut space);
        ready!(reader.poll_read(cx, &mut buf))?;
        self.buffer.clear();
        self.buffer.extend_from_slice(buf.filled());
        self.from = 0;
        Poll::Ready(Ok(self.buffer.len()))
    }

    /// Passes on no more than the frame that is under way. `side` is who sends this way.
    fn close(&mut self, side: Side) {
        if self.way == Way::Open {
            self.way = Way::Closing(side);
        }
    }

    /// Ready when both the receiver was told, and the sender has told us, or when either is gone.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut impl AsyncRead>,
        mut writer: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Way::Closing(side) = self.way {
                let rest = self.frames.rest(&self.buffer[self.from..]);
                if rest.is_some() || self.frames.is_between() {
                    // What comes after is looked through, and goes nowhere.
                    let end = self.from + rest.unwrap_or(0);
                    let beyond = self.buffer.split_off(end);
                    self.frames.pass(&self.buffer[self.from..]);
                    self.frames.pass(&beyond);
                    self.buffer.extend_from_slice(side.going_away());
                    self.way = Way::Closed;
                }
            }
            while self.from < self.buffer.len() {
                let written = ready!(writer.as_mut().poll_write(cx, &self.buffer[self.from..]))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                if let Way::Closing(_) = self.way {
                    self.frames.pass(&self.buffer[self.from..self.from + written]);
                }
                self.from += written;
            }
            ready!(writer.as_mut().poll_flush(cx))?;
            match self.way {
                Way::Closed if self.frames.was_closed() => return Poll::Ready(Ok(())),
                Way::Ended | Way::Over => return Poll::Ready(Ok(())),
                Way::Open | Way::Closing(_) | Way::Closed => {}
            }
            if ready!(self.fill(cx, reader.as_mut()))? == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.way == Way::Closed {
                self.frames.pass(&self.buffer);
                self.buffer.clear();
            }
        }
    }
}
