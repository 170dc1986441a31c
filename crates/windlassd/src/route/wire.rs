//! What stands between a client's socket and hyper: hyper sees a head only when it is complete and clear.
//!
//! A head that is refused is replaced by one of our own, so that its answer takes its turn after those before it; the
//! connection's [`Downstream`] knows which request that is. Nothing that follows it is read.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::downstream::{Downstream, Order, Phase};
use super::framing::{Framing, Rest};
use super::head::Refusal;
use super::socket::Socket;

/// What hyper is shown instead of a head that is refused.
const REPLACEMENT: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// How long, and how much, of what a client still sends is read and thrown away when its connection ends early.
/// Closed at once, the connection would be reset, and the answer lost that says why.
const LINGER: Duration = Duration::from_secs(2);
const LEFTOVER: usize = 64 * 1024 * 1024;

/// A client's bytes.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    mode: Mode,
    downstream: Rc<Downstream>,
    /// What arrived and was not handed on yet; of this, so many bytes are clear.
    held: Vec<u8>,
    clear: usize,
}

#[derive(Debug)]
enum Mode {
    /// Any bytes.
    Raw,
    /// HTTP/1, with heads of at most so many bytes.
    Framed { framing: Framing, limit: usize },
    /// What is held is handed on, then nothing more.
    Refused,
    /// What is held is handed on, then an error.
    Broken,
}

impl Wire {
    /// HTTP/1; `held` is what was read already.
    pub(super) fn framed(socket: Socket, held: Vec<u8>, downstream: &Rc<Downstream>, limit: usize) -> Self {
        let mut wire = Self::raw(socket, held, downstream);
        wire.mode = Mode::Framed { framing: Framing::new(), limit };
        wire.clear = 0;
        wire.judge();
        wire
    }

    /// Whatever the bytes are.
    pub(super) fn raw(socket: Socket, held: Vec<u8>, downstream: &Rc<Downstream>) -> Self {
        let clear = held.len();
        let downstream = Rc::clone(downstream);
        Self { socket, mode: Mode::Raw, downstream, held, clear }
    }

    /// Whether nothing is left of any request.
    pub(super) fn is_whole(&self) -> bool {
        let between = match &self.mode {
            Mode::Framed { framing, .. } => framing.is_between(),
            Mode::Raw => true,
            Mode::Refused | Mode::Broken => false,
        };
        between && self.held.is_empty()
    }

    /// The socket, and what was read from it and not handed on.
    pub(super) fn into_parts(self) -> (Socket, Vec<u8>) {
        (self.socket, self.held)
    }

    /// Throws away what the client still sends, so that it gets to read our last answer.
    pub(super) async fn linger(mut self) {
        let read_on = async {
            let (mut scratch, mut left) = (vec![0; 8 * 1024], LEFTOVER);
            while let Ok(count @ 1..) = self.socket.read(&mut scratch).await {
                left = left.saturating_sub(count);
                if left == 0 {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, read_on).await;
    }

    /// Looks at what is held beyond the clear bytes.
    fn judge(&mut self) {
        let Mode::Framed { framing, limit } = &mut self.mode else { return };
        let taken = framing.take(&self.held[self.clear..]);
        self.clear += taken.clear;
        match taken.rest {
            Rest::Nothing | Rest::Upgrade => {}
            Rest::Head if self.held.len() - self.clear > *limit => self.refuse(Refusal::LARGE),
            Rest::Head => {}
            Rest::Refused(refusal) => self.refuse(refusal),
            Rest::Broken => {
                self.held.truncate(self.clear);
                self.mode = Mode::Broken;
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        let Mode::Framed { framing, .. } = &self.mode else { return };
        self.downstream.refuse(framing.heads() + 1, refusal);
        self.held.truncate(self.clear);
        self.held.extend_from_slice(REPLACEMENT);
        self.clear = self.held.len();
        self.mode = Mode::Refused;
    }

    /// Hands on what is held and clear.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.clear.min(buf.remaining());
        buf.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.clear -= count;
        if self.held.is_empty() {
            // It is seldom used; a connection at rest does without it.
            self.held = Vec::new();
        }
    }

    /// Judges what was read behind `before`, and keeps back what hyper may not see yet.
    fn receive(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let Mode::Framed { framing, .. } = &mut self.mode else { return };
        let arrived = &buf.filled()[before..];
        if self.held.is_empty() {
            let taken = framing.take(arrived);
            if taken == (super::framing::Taken { clear: arrived.len(), rest: Rest::Head })
                || (taken.rest == Rest::Nothing)
            {
                return;
            }
            self.held.extend_from_slice(&arrived[taken.clear..]);
            buf.set_filled(before + taken.clear);
            match taken.rest {
                Rest::Nothing | Rest::Head | Rest::Upgrade => {
                    // Shown again from its beginning, now or later.
                    self.judge();
                }
                Rest::Refused(refusal) => self.refuse(refusal),
                Rest::Broken => {
                    self.held.clear();
                    self.mode = Mode::Broken;
                }
            }
        } else {
            self.held.extend_from_slice(arrived);
            buf.set_filled(before);
            self.judge();
        }
    }

    /// Lets go of an upgrade that was declined, and notes the time that a head takes.
    fn look_round(&mut self) {
        let Mode::Framed { framing, .. } = &mut self.mode else { return };
        match self.downstream.phase() {
            Phase::Resting if framing.is_undecided() && framing.heads() == self.downstream.requests() => {
                framing.decline();
                self.judge();
            }
            Phase::Resting if self.held.len() > self.clear => self.downstream.enter(Phase::Beginning),
            Phase::Beginning if self.downstream.is_ordered(Order::Late) => self.refuse(Refusal::LATE),
            _ => {}
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let read = wire.read(cx, buf);
        wire.downstream.set_whole(wire.is_whole());
        read
    }
}

impl Wire {
    fn read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            self.look_round();
            if self.clear > 0 {
                self.hand_on(buf);
                return Poll::Ready(Ok(()));
            }
            match &self.mode {
                // Its answer is the last one. The end of what is read would mean that the client went.
                Mode::Refused => return Poll::Pending,
                Mode::Broken => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "no chunked body")));
                }
                Mode::Framed { framing, .. } if framing.is_undecided() => {
                    self.downstream.await_end();
                    return Poll::Pending;
                }
                Mode::Framed { .. } | Mode::Raw => {}
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            self.downstream.moved();
            self.receive(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = Pin::new(&mut wire.socket).poll_write(cx, bytes);
        wire.wrote(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = Pin::new(&mut wire.socket).poll_write_vectored(cx, bytes);
        wire.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let flushed = Pin::new(&mut wire.socket).poll_flush(cx);
        wire.downstream.set_blocked(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

impl Wire {
    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.downstream.set_blocked(written.is_pending());
        if written.is_ready() {
            self.downstream.moved();
        }
        written
    }
}
