//! What a client may take: bytes, time and connections.

use std::io::Read as _;
use std::time::{Duration, Instant};

use windlass_domain::digest::Digest;
use windlass_domain::policy::{Limits, Size, Span};

use super::http::{Connection, get};
use super::support::{Agent, await_that};

fn limited(limits: Limits) -> Agent {
    let mut agent = Agent::start();
    agent.place.limits = limits;
    agent
}

fn count(agent: &Agent, name: &str) -> u64 {
    let metrics = agent.text("/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let agent = limited(Limits { body: Some(Size::kibibytes(10)), ..Limits::default() });
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    let head = "POST /hash HTTP/1.1\r\nhost: a\r\ncontent-length: 10241\r\nexpect: 100-continue\r\n\r\n";
    client.send(head).unwrap();
    assert_eq!(client.head().unwrap().status, 413, "instead of 100");
    assert_eq!(agent.state().revisions[0].counts.requests, 0, "no service saw it");
    let mut client = Connection::to(address);
    client.send("POST /hash HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..100 {
        if client.send(format!("400\r\n{}\r\n", "x".repeat(0x400))).is_err() {
            break;
        }
    }
    assert_eq!(client.reply("POST").unwrap().status, 413, "also where it says its length nowhere");
    let body = [7; 10240];
    let mut client = Connection::to(address);
    assert_eq!(client.post("/hash", &body).unwrap().text(), Digest::of(&body).to_string());
    assert_eq!(agent.state().revisions[0].counts.bad, 0, "none of it is the revision's fault");
}

#[test]
fn a_large_upload_is_answered_early_and_the_answer_arrives() {
    let agent = limited(Limits { body: Some(Size::kibibytes(10)), ..Limits::default() });
    let (_, address) = agent.live(1);
    for _ in 0..10 {
        let mut client = Connection::to(address);
        client.send("POST /hash HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n").unwrap();
        // Whatever of it is sent is read, so that no reset overtakes the answer.
        let _ = client.send(vec![7; 3_000_000]);
        assert_eq!(client.reply("POST").unwrap().status, 413);
    }
}

#[test]
fn a_head_has_its_limit() {
    let agent = limited(Limits { header: Size::kibibytes(1), ..Limits::default() });
    let (_, address) = agent.live(1);
    let send = |length: usize| {
        let mut client = Connection::to(address);
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(length))).unwrap();
        if length < 1000 {
            client.send("\r\n\r\n").unwrap();
        }
        client.reply("GET").unwrap().status
    };
    assert_eq!((send(500), send(2000)), (200, 431));
}

#[test]
fn who_is_slow_is_let_go_and_who_waits_for_the_service_is_not() {
    let agent = limited(Limits { idle: Span::seconds(1), ..Limits::default() });
    let (_, address) = agent.live(1);
    let since = Instant::now();
    // A head, byte by byte; a body that stops; a connection that says nothing, and one that has said something.
    let mut slow = Connection::to(address);
    let mut stopped = Connection::to(address);
    stopped.send("POST /hash HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").unwrap();
    let mut silent = Connection::to(address);
    let mut resting = Connection::to(address);
    assert_eq!(resting.get("/").unwrap().text(), "v1");
    std::thread::scope(|scope| {
        let service = scope.spawn(|| get(address, "/slow?ms=2500").text().to_owned());
        scope.spawn(|| {
            for byte in
                "GET / HTTP/1.1\r\nhost: a\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".bytes()
            {
                if slow.send([byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            assert_eq!(slow.reply("GET").map_or(408, |reply| reply.status), 408);
        });
        assert_eq!(stopped.reply("POST").unwrap().status, 408);
        assert_eq!(silent.input.read(&mut [0; 1]).unwrap(), 0);
        assert_eq!(resting.input.read(&mut [0; 1]).unwrap(), 0);
        assert!(since.elapsed() >= Duration::from_millis(700), "not before its time");
        assert_eq!(service.join().unwrap(), "slow");
    });
    let counts = agent.state().revisions[0].counts;
    assert_eq!((counts.bad, counts.failed), (0, 0));
    assert!(count(&agent, "windlass_connections_expired_total") >= 4);
    drop(stopped);
    await_that("all are closed", || count(&agent, "windlass_connections") == 0);
}

#[test]
fn a_stream_that_is_not_taken_is_ended_and_a_connection_without_streams_is() {
    let agent = limited(Limits { idle: Span::seconds(1), ..Limits::default() });
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    // SETTINGS, and a request for more than the window that nobody enlarges.
    let path = "/sized?size=3000000";
    let fields =
        [b"\x82\x86\x04", &[u8::try_from(path.len()).unwrap()][..], path.as_bytes(), b"\x01\x01a"].concat();
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let length = u8::try_from(fields.len()).unwrap();
    client.send([&[0, 0, length, 1, 5, 0, 0, 0, 1], &fields[..]].concat()).unwrap();
    await_that("it is asked for", || agent.state().revisions[0].in_flight == 1);
    await_that("it is ended", || agent.state().revisions[0].in_flight == 0);
    let mut sent = Vec::new();
    client.input.read_to_end(&mut sent).unwrap();
    assert!((65_000..70_000).contains(&sent.len()), "{} bytes came", sent.len());
    let reset = sent.windows(9).any(|frame| frame[..4] == [0, 0, 4, 3] && frame[8] == 1);
    assert!(reset, "the stream was reset before the connection was closed");
    assert_eq!(agent.state().revisions[0].counts.bad, 0);
}

#[test]
fn a_request_that_takes_too_long_is_ended_and_counted() {
    let agent = limited(Limits { request: Some(Span::seconds(1)), ..Limits::default() });
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    assert_eq!(client.get("/slow?ms=60000").unwrap().status, 504);
    let mut client = Connection::to(address);
    client.send("GET /slowly?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(client.head().unwrap().status, 200);
    assert!(client.input.read_to_end(&mut Vec::new()).unwrap_or(0) < 10, "the answer is broken off");
    let late = "windlass_late_total{revision=\"r1\"}";
    await_that("both are counted", || count(&agent, late) == 2);
    assert_eq!(agent.state().revisions[0].counts.bad, 1, "the one that was not answered");
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn more_connections_than_allowed_are_told_so() {
    let agent = limited(Limits { connections: 3, ..Limits::default() });
    let (_, address) = agent.live(1);
    let mut clients: Vec<Connection> = (0..3).map(|_| Connection::to(address)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").unwrap().status, 200);
    }
    let reply = Connection::to(address).reply("GET").unwrap();
    assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    assert_eq!(count(&agent, "windlass_connections_excess_total"), 1);
    await_that("the one too many is closed", || count(&agent, "windlass_connections") == 3);
    clients.pop();
    await_that("there is room again", || count(&agent, "windlass_connections") == 2);
    assert_eq!(get(address, "/").status, 200);
}

#[test]
fn a_connection_that_rested_is_served_on() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    for _ in 0..3 {
        assert_eq!(client.post("/hash", b"a").unwrap().text(), Digest::of(b"a").to_string());
        // Longer than it takes until only the socket is left of it.
        std::thread::sleep(Duration::from_millis(1200));
    }
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    for _ in 0..2 {
        assert_eq!(client.reply("GET").unwrap().text(), "v1");
    }
    assert_eq!(count(&agent, "windlass_connections_total"), 1);
}
