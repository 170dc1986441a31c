//! Requests that two readers could read differently: refused with a reason, and what follows them is read by nobody.

use super::http::{Connection, get};
use super::support::{Agent, await_that};

/// What somebody wants to pass for a request of its own; `/500` would be counted.
const SMUGGLED: &str = "GET /500 HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_request_that_is_not_clear_is_refused_with_a_reason_and_reaches_no_service() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let post = |fields: &str, body: &str| format!("POST /hash HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{body}");
    let cases = [
        (400, post("content-length: 4\r\ntransfer-encoding: chunked", "0\r\n\r\n")),
        (400, post("transfer-encoding: chunked\r\ncontent-length: 4", "0\r\n\r\n")),
        (400, post("content-length: 0\r\ncontent-length: 40", "")),
        (400, post("content-length: +4", "")),
        (400, post("transfer-encoding: chunked, identity", "0\r\n\r\n")),
        (501, post("transfer-encoding: gzip, chunked", "0\r\n\r\n")),
        (400, post("transfer-encoding : chunked", "0\r\n\r\n")),
        (400, post("x: a\r\n transfer-encoding: chunked", "0\r\n\r\n")),
        (400, post("x: a\rtransfer-encoding: chunked", "0\r\n\r\n")),
        (400, "GET / HTTP/1.1\nhost: a\n\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (501, "CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (505, "GET / HTTP/3.0\r\nhost: a\r\n\r\n".to_owned()),
    ];
    for (status, case) in &cases {
        let mut client = Connection::to(address);
        client.send(format!("{case}{SMUGGLED}")).unwrap();
        let reply = client.reply("GET").unwrap();
        assert_eq!(reply.status, *status, "{case:?}: {}", reply.text());
        assert_eq!(reply.header("connection"), Some("close"), "{case:?}");
        assert!(reply.text().ends_with('\n') && reply.header("x-windlass-revision").is_none(), "{case:?}");
        assert!(client.head().is_err(), "what follows is not answered: {case:?}");
    }
    let metrics = agent.text("/metrics");
    let line = format!("windlass_requests_refused_total {}", cases.len());
    assert!(metrics.lines().any(|have| have == line), "{line} in {metrics}");
    let counts = agent.state().revisions[0].counts;
    assert_eq!((counts.requests, counts.bad), (0, 0), "none reached the service");
}

#[test]
fn a_refusal_takes_its_turn_after_the_answers_before_it() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    let clear = "GET /slow?ms=50 HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(format!("{clear}{clear}GET / HTTP/1.1\r\nhost : a\r\n\r\n{SMUGGLED}")).unwrap();
    assert_eq!(client.reply("GET").unwrap().text(), "slow");
    assert_eq!(client.reply("GET").unwrap().text(), "slow");
    assert_eq!(client.reply("GET").unwrap().status, 400);
    assert!(client.head().is_err());
}

#[test]
fn chunks_that_two_readers_could_end_differently_break_the_request() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0\r\n\n",
    ] {
        let mut client = Connection::to(address);
        let head = "POST /hash HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        client.send(format!("{head}{body}{SMUGGLED}")).unwrap();
        assert_eq!(client.reply("POST").map_or(0, |reply| reply.status), 400, "{body:?}");
        assert!(client.head().is_err(), "what follows is not answered: {body:?}");
    }
    await_that("all are over", || agent.state().revisions[0].in_flight == 0);
    let counts = agent.state().revisions[0].counts;
    assert_eq!(counts.bad, 0, "a client's mistake is none of the revision's");
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn a_head_in_small_pieces_is_a_head() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    for _ in 0..2 {
        for byte in "POST /hash HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi".bytes() {
            client.send([byte]).unwrap();
        }
        let hash = windlass_domain::digest::Digest::of(b"hi").to_string();
        assert_eq!(client.reply("POST").unwrap().text(), hash);
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    for fields in ["a: b\r\n".repeat(200), format!("a: {}\r\n", "b".repeat(100_000))] {
        let mut client = Connection::to(address);
        let _ = client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        assert_eq!(client.reply("GET").unwrap().status, 431);
        assert!(client.head().is_err());
    }
    let mut client = Connection::to(address);
    let large = format!("GET /head HTTP/1.1\r\nhost: a\r\na: {}\r\n\r\n", "b".repeat(50_000));
    client.send(large).unwrap();
    assert!(client.reply("GET").unwrap().body.len() > 50_000, "what is allowed is passed on whole");
}
