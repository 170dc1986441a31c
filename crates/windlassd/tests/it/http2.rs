//! HTTP/2: without TLS by prior knowledge, on the same port as HTTP/1.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use windlass_domain::digest::Digest;
use windlass_domain::rollout::Step;

use super::http::{Connection, get};
use super::support::{Agent, PATIENCE, all, await_that, split};

type Body = Full<Bytes>;

async fn connect<B>(address: SocketAddr) -> SendRequest<B>
where
    B: hyper::body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str, body: &[u8]) -> Request<Body> {
    let uri = format!("http://shop.example{path}");
    Request::post(uri).body(Full::new(Bytes::copy_from_slice(body))).unwrap()
}

#[test]
fn many_streams_of_one_connection_are_answered_and_counted() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    agent.apply(epoch, split(2, 5000, 1)).unwrap();
    agent.block_on(async {
        let mut sender = connect::<Body>(address).await;
        let mut answers = Vec::new();
        for size in (0..100).map(|index| index * 1000) {
            let body = vec![7; size];
            sender.ready().await.unwrap();
            answers.push((Digest::of(&body), sender.send_request(request("/hash", &body))));
        }
        for (hash, answer) in answers {
            let answer = answer.await.unwrap();
            assert_eq!((answer.version(), answer.status()), (Version::HTTP_2, StatusCode::OK));
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, hash.to_string());
        }
        let large = sender.send_request(request("/sized?size=3000000", b"")).await.unwrap();
        assert_eq!(large.into_body().collect().await.unwrap().to_bytes().len(), 3_000_000);
    });
    await_that("all are counted", || {
        let revisions = agent.state().revisions;
        revisions.iter().map(|revision| revision.counts.requests).sum::<u64>() == 101
            && revisions.iter().all(|revision| revision.counts.requests >= 49 && revision.in_flight == 0)
    });
    assert_eq!(get(address, "/").status, 200, "HTTP/1 is served on the same port");
}

#[test]
fn a_service_sees_http1_with_what_it_needs_to_know() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let seen = agent.block_on(async {
        let mut sender = connect::<Body>(address).await;
        let mut request = request("/head", b"");
        for cookie in ["a=1", "b=2"] {
            request.headers_mut().append("cookie", HeaderValue::from_static(cookie));
        }
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["x-windlass-revision"], "r1");
        answer.into_body().collect().await.unwrap().to_bytes()
    });
    let seen = String::from_utf8(seen.to_vec()).unwrap();
    assert!(seen.starts_with("POST /head HTTP/1.1\r\n"), "{seen}");
    for line in [
        "host: shop.example",
        "cookie: a=1; b=2",
        "te: trailers",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop.example",
        "forwarded: for=127.0.0.1;host=\"shop.example\";proto=http",
    ] {
        assert!(seen.lines().any(|have| have == line), "{line} in {seen}");
    }
}

#[test]
fn trailers_pass_both_ways() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    agent.block_on(async {
        let mut sender = connect(address).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("6"));
        trailers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        let frames = [
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"abc"))),
            Ok(Frame::trailers(trailers)),
        ];
        let body = Frames(frames.into_iter().collect());
        let request =
            Request::post("http://a/body").header("trailer", "x-sum, x-forwarded-for").body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let seen = answer.into_body().collect().await.unwrap().to_bytes();
        let seen = String::from_utf8(seen.to_vec()).unwrap();
        assert_eq!(seen, "3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n", "and says nothing that a header says");
    });
    agent.block_on(async {
        let mut sender = connect::<Body>(address).await;
        let answer = sender.send_request(request("/trailers", b"")).await.unwrap();
        let whole = answer.into_body().collect().await.unwrap();
        assert_eq!(whole.trailers().unwrap()["x-sum"], "6");
        assert_eq!(whole.to_bytes(), "abc");
    });
}

/// The frames of a body, one after the other.
struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, std::convert::Infallible>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

#[test]
fn a_stream_is_cut_without_its_neighbours() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    let (mut sender, slow, half) = agent.block_on(async {
        let mut sender = connect::<Body>(address).await;
        let slow = tokio::spawn(sender.send_request(request("/slow?ms=60000", b"")));
        let half = sender.send_request(request("/slowly?ms=60000", b"")).await.unwrap();
        (sender, slow, half)
    });
    await_that("they are in flight", || agent.state().revisions[0].in_flight >= 2);
    agent.apply(epoch, all(2)).unwrap();
    let note = agent.apply(epoch, Step::Settle).unwrap().note;
    assert!(note.contains("cut"), "{note}");
    agent.block_on(async {
        assert!(slow.await.unwrap().is_err(), "no answer");
        assert!(half.into_body().collect().await.is_err(), "half an answer is not made whole");
        let answer = sender.send_request(request("/", b"")).await.unwrap();
        assert_eq!(answer.headers()["x-windlass-revision"], "r2", "the connection serves on");
    });
    assert!(agent.state().revisions[0].counts.cut >= 2);
}

/// A frame's head: length, type, flags and stream (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A header field that no table knows (RFC 7541, section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

#[test]
fn what_belongs_to_one_connection_of_http1_breaks_the_stream() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let cases: [&[(&str, &str)]; 6] = [
        &[(":method", "GET"), ("connection", "x")],
        &[(":method", "GET"), ("transfer-encoding", "chunked")],
        &[(":method", "GET"), ("upgrade", "websocket")],
        &[(":method", "GET"), ("te", "gzip")],
        &[(":method", "GET"), ("Upper", "case")],
        &[(":method", "CONNECT"), (":protocol", "websocket")],
    ];
    for case in cases {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).unwrap();
        let pseudo = [(":scheme", "http"), (":authority", "a"), (":path", "/")];
        let (first, rest) = case.split_first().unwrap();
        let (before, after): (Vec<_>, Vec<_>) = rest.iter().partition(|(name, _)| name.starts_with(':'));
        let fields: Vec<u8> = std::iter::once(first)
            .chain(before)
            .chain(&pseudo)
            .chain(after)
            .flat_map(|(name, value)| literal(name, value))
            .collect();
        stream.write_all(&frame(1, 0x5, 1, &fields)).unwrap();
        let broken = loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            let mut payload = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
            stream.read_exact(&mut payload).unwrap();
            match head[3] {
                1 => break None,
                3 => break Some(payload[3]),
                7 => break Some(payload[7]),
                _ => {}
            }
        };
        assert!(broken.is_some(), "{case:?} is answered");
    }
    assert_eq!(agent.state().revisions[0].counts.requests, 0, "none reached the service");
    let mut plain = Connection::to(address);
    plain.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").unwrap();
    assert_eq!(plain.reply("GET").unwrap().status, 505, "what only looks like a preface is HTTP/1");
}

#[test]
fn connect_is_refused_and_two_hosts_are() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    agent.block_on(async {
        let mut sender = connect::<Body>(address).await;
        let connect = Request::connect("a:80").body(Full::default()).unwrap();
        assert_eq!(sender.send_request(connect).await.unwrap().status(), StatusCode::NOT_IMPLEMENTED);
        let mut two = request("/", b"");
        two.headers_mut().insert("host", HeaderValue::from_static("other"));
        assert_eq!(sender.send_request(two).await.unwrap().status(), StatusCode::BAD_REQUEST);
        assert_eq!(sender.send_request(request("/", b"")).await.unwrap().status(), StatusCode::OK);
    });
}

#[test]
fn an_agent_that_ends_says_so_and_answers_what_is_under_way() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut sender = connect::<Body>(address).await;
                let slow = sender.send_request(request("/slow?ms=1500", b"")).await.unwrap();
                (slow.status(), sender.ready().await.is_err())
            })
        });
        await_that("it is in flight", || agent.state().revisions[0].in_flight == 1);
        assert!(agent.terminate().success());
        let (status, is_over) = client.join().unwrap();
        assert_eq!(status, StatusCode::OK);
        assert!(is_over, "and no stream is opened any more");
    });
    agent.spawn();
}
