//! One client connection from its first byte to its last.
//!
//! A connection at rest is its socket and nothing else. With the first bytes that arrive hyper is put on it, HTTP/2
//! where they are its preface, and taken off again when it has rested for a while.

use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::downstream::{Downstream, Order, Phase};
use super::forward::forward;
use super::headers::{Peer, Scheme};
use super::local::Local;
use super::socket::Socket;
use super::streams::Streams;
use super::wire::Wire;
use super::{tls, tunnel};

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most streams that a client may have open on a connection.
const STREAMS: u32 = 128;

/// What is read at once before it is known what it is.
const FIRST: usize = 4096;

/// Serves a connection until it ends.
pub(super) async fn serve(local: Rc<Local>, stream: TcpStream, address: IpAddr, downstream: Rc<Downstream>) {
    let is_secure = local.table().settings().tls.is_some();
    let (mut socket, scheme) = if is_secure {
        downstream.enter(Phase::Beginning);
        // Boxed, since it needs much memory once.
        match Box::pin(greet(&local, stream, &downstream)).await {
            Some(stream) => (Socket::Tls(stream), Scheme::Https),
            None => return local.door().not_greeted(),
        }
    } else {
        (Socket::Plain(stream), Scheme::Http)
    };
    let mut protocol = Protocol::Unknown;
    loop {
        downstream.enter(Phase::Parked);
        let Some(mut bytes) = arrive(&mut socket, &downstream, Vec::new()).await else { return };
        downstream.enter(Phase::Beginning);
        while protocol == Protocol::Unknown {
            protocol = match judge(&bytes) {
                Protocol::Unknown => {
                    let Some(more) = arrive(&mut socket, &downstream, bytes).await else { return };
                    bytes = more;
                    continue;
                }
                known => known,
            };
        }
        let peer = Peer::new(address, scheme);
        let here = (Rc::clone(&local), Rc::clone(&downstream));
        // Boxed, so that they take no memory while the connection rests.
        match protocol {
            Protocol::Http2 => return Box::pin(carry(here, socket, bytes, peer)).await,
            Protocol::Http1 | Protocol::Unknown => match Box::pin(talk(here, socket, bytes, peer)).await {
                Some(back) => socket = back,
                None => return,
            },
        }
    }
}

/// Sets TLS up, unless that takes too long.
async fn greet(
    local: &Local,
    stream: TcpStream,
    downstream: &Downstream,
) -> Option<Box<TlsStream<TcpStream>>> {
    let config = local.table().settings().tls.as_ref()?.get().as_deref().map(Arc::clone)?;
    let mut work = pin!(tls::greet(stream, config));
    std::future::poll_fn(|cx| {
        downstream.attend(cx);
        if downstream.is_ordered(Order::Late) || downstream.is_ordered(Order::Close) {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx)
    })
    .await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    Http2,
}

fn judge(bytes: &[u8]) -> Protocol {
    if bytes.starts_with(PREFACE) {
        Protocol::Http2
    } else if PREFACE.starts_with(bytes) {
        Protocol::Unknown
    } else {
        Protocol::Http1
    }
}

/// Waits for bytes, and adds them. `None` when there will be none, or none are wanted any more.
async fn arrive(socket: &mut Socket, downstream: &Downstream, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let more = std::future::poll_fn(|cx| {
        downstream.attend(cx);
        let mut space = [0; FIRST];
        let mut buf = ReadBuf::new(&mut space);
        match Pin::new(&mut *socket).poll_read(cx, &mut buf) {
            // Bytes that are there already are served even now.
            Poll::Pending if downstream.is_ordered(Order::Close) || downstream.is_ordered(Order::Late) => {
                Poll::Ready(Ok(Vec::new()))
            }
            polled => {
                ready!(polled)?;
                Poll::Ready(Ok::<_, io::Error>(buf.filled().to_vec()))
            }
        }
    })
    .await
    .ok()?;
    bytes.extend_from_slice(&more);
    (!more.is_empty()).then_some(bytes)
}

type Here = (Rc<Local>, Rc<Downstream>);

/// Speaks HTTP/1 until the connection rests, and gives its socket back; or until it ends.
async fn talk((local, downstream): Here, socket: Socket, bytes: Vec<u8>, peer: Peer) -> Option<Socket> {
    let limit = local.table().settings().limits.header;
    let wire = Wire::framed(socket, bytes, &downstream, limit);
    let peer = Rc::new(peer);
    let (here, of) = (Rc::clone(&local), Rc::clone(&downstream));
    let service = service_fn(move |request| forward(Rc::clone(&here), Rc::clone(&peer), &of, request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
    let mut told = false;
    std::future::poll_fn(|cx| {
        downstream.attend(cx);
        loop {
            // What goes wrong on a client's connection was counted where it was noticed.
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if downstream.is_quiet() && downstream.is_ordered(Order::Park) {
                return Poll::Ready(());
            }
            // Only now, so that a request that is there already is answered.
            if told || !downstream.is_ordered(Order::Close) {
                return Poll::Pending;
            }
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
    })
    .await;
    let parts = connection.into_parts();
    let wire = parts.io.into_inner();
    if let Some(handoff) = downstream.take_handoff() {
        let (socket, held) = wire.into_parts();
        let read = [&parts.read_buf[..], &held[..]].concat();
        tunnel::run(handoff, socket, read).await;
        return None;
    }
    if downstream.is_ordered(Order::Park) && wire.is_whole() && parts.read_buf.is_empty() {
        return Some(wire.into_parts().0);
    }
    if !wire.is_whole() {
        downstream.enter(Phase::Ending);
        wire.linger().await;
    }
    None
}

/// Speaks HTTP/2 until the connection ends.
async fn carry((local, downstream): Here, socket: Socket, bytes: Vec<u8>, peer: Peer) {
    let limit = local.table().settings().limits.header;
    let wire = Wire::raw(socket, bytes, &downstream);
    let peer = Rc::new(peer);
    let streams = Streams::new(&local, &downstream);
    let of = streams.clone();
    let service = service_fn(move |request| {
        let stream = of.open();
        forward(Rc::clone(&local), Rc::clone(&peer), &stream, request)
    });
    let mut connection = http2::Builder::new(streams)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limit).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(wire), service);
    downstream.enter(Phase::Carrying);
    let mut told = false;
    std::future::poll_fn(|cx| {
        downstream.attend(cx);
        let is_over = downstream.is_ordered(Order::Part) || downstream.is_ordered(Order::Close);
        if !told && is_over {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx).map(drop)
    })
    .await;
}
