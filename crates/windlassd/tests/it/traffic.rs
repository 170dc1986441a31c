//! The router: what a client sends arrives, what a service answers comes back, and each is counted where it belongs.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use windlass_domain::digest::Digest;
use windlass_domain::rollout::Step;

use super::http::{Connection, get};
use super::support::{Agent, Stop, all, await_that, ready, split, stage};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

#[test]
fn bodies_arrive_whole_both_ways() {
    let agent = Agent::start();
    let (_, address) = agent.live(2);
    let mut client = Connection::to(address);
    for size in [0, 1, 100, 8191, 8192, 65_537, 3_000_000] {
        let body = pattern(size);
        let expected = Digest::of(&body).to_string();
        assert_eq!(client.post("/hash", &body).unwrap().text(), expected, "{size} with a length");
        client.send("POST /hash HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for chunk in body.chunks(4093) {
            client.send(format!("{:x}\r\n", chunk.len())).unwrap();
            client.send(chunk).unwrap();
            client.send("\r\n").unwrap();
        }
        client.send("0\r\n\r\n").unwrap();
        assert_eq!(client.reply("POST").unwrap().text(), expected, "{size} chunked");
        for path in ["/sized", "/chunked"] {
            assert_eq!(client.get(&format!("{path}?size={size}")).unwrap().body, body, "{path} {size}");
        }
        assert_eq!(get(address, &format!("/until-close?size={size}")).body, body, "until close, {size}");
    }
}

#[test]
fn answers_without_a_body_leave_the_connection_usable() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    for (method, path, status) in
        [("GET", "/204", 204), ("GET", "/304", 304), ("HEAD", "/sized?size=77", 200)]
    {
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
        let reply = client.reply(method).unwrap();
        assert_eq!(reply.status, status, "{path}");
        if method == "HEAD" {
            assert_eq!(reply.header("content-length"), Some("77"));
        }
        assert_eq!(client.get("/").unwrap().text(), "v1");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let agent = Agent::start();
    let (_, address) = agent.live(2);
    let mut client = Connection::to(address);
    let sizes = [5, 70_000, 0, 12];
    let all: String =
        sizes.map(|size| format!("GET /sized?size={size} HTTP/1.1\r\nhost: a\r\n\r\n")).concat();
    client.send(all).unwrap();
    for size in sizes {
        assert_eq!(client.reply("GET").unwrap().body.len(), size);
    }
}

#[test]
fn old_clients_are_served() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    for path in ["/sized?size=5000", "/chunked?size=5000"] {
        let mut client = Connection::to(address);
        client.send(format!("GET {path} HTTP/1.0\r\n\r\n")).unwrap();
        let reply = client.reply("GET").unwrap();
        assert_eq!((reply.version.as_str(), reply.body), ("HTTP/1.0", pattern(5000)), "{path}");
        assert_eq!(client.input.read(&mut [0; 1]).unwrap(), 0, "and the connection ends");
    }
}

#[test]
fn an_upload_that_waits_is_told_to_go_on() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    client
        .send("POST /hash HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .unwrap();
    assert_eq!(client.head().unwrap().status, 100);
    client.send("hello").unwrap();
    assert_eq!(client.reply("POST").unwrap().text(), Digest::of(b"hello").to_string());
}

#[test]
fn an_early_refusal_reaches_the_client() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    client.send("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 50000000\r\n\r\n").unwrap();
    let _ = client.send(pattern(100_000));
    let reply = client.reply("POST").unwrap();
    assert_eq!((reply.status, reply.text()), (413, "big"));
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn headers_of_one_connection_end_there() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    client
        .send("GET /head HTTP/1.1\r\nhost: shop.example\r\nconnection: x-drop\r\nx-drop: 1\r\nx-forwarded-for: 6.6.6.6\r\n\r\n")
        .unwrap();
    let seen = client.reply("GET").unwrap();
    let seen = seen.text();
    assert!(!seen.contains("x-drop") && !seen.contains("6.6.6.6"), "{seen}");
    for line in ["host: shop.example", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    let reply = client.get("/hop").unwrap();
    assert_eq!((reply.header("x-private"), reply.header("keep-alive")), (None, None));
    assert_eq!(reply.revision(), 1);
}

#[test]
fn a_service_that_breaks_is_counted_and_one_that_hangs_up_is_not_noticed() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    for _ in 0..20 {
        assert_eq!(client.get("/once").unwrap().text(), "once");
        assert_eq!(client.post("/once", b"a").unwrap().text(), "once");
        // The close must be there before the next request: where the two cross on the wire, some of the request was
        // sent, and it may not be sent again. Nothing that a client sees tells when it is.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(client.get("/").unwrap().text(), "v1");
        assert_eq!(client.post("/hash", b"a").unwrap().text(), Digest::of(b"a").to_string());
    }
    assert_eq!(agent.state().revisions[0].counts.bad, 0);
    assert_eq!(client.get("/500").unwrap().status, 500);
    assert_eq!(client.get("/drop").unwrap().status, 502);
    assert!(client.get("/truncated").is_err(), "a cut answer is not made whole");
    await_that("all three are counted", || agent.state().revisions[0].counts.bad == 3);
    assert_eq!(agent.state().revisions[0].counts.failed, 0);
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn weights_are_kept_per_request() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 2);
    agent.apply(epoch, split(2, 3000, 1)).unwrap();
    let mut clients: Vec<Connection> = (0..8).map(|_| Connection::to(address)).collect();
    let mut second = 0;
    for turn in 0..1000 {
        second += u64::from(clients[turn % 8].get("/").unwrap().revision() == 2);
    }
    assert!((290..=310).contains(&second), "{second} of 1000");
    agent.apply(epoch, all(2)).unwrap();
    for client in &mut clients {
        assert_eq!(client.get("/").unwrap().revision(), 2, "also on connections that were there before");
    }
}

#[test]
fn a_switch_under_load_fails_no_request() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(2);
    agent.raise(epoch, 2, 2);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when an assertion below fails: a scope waits for its threads.
        let stopping = Stop(&stop);
        let clients: Vec<_> = (0..4)
            .map(|index| {
                let stop = &stop;
                scope.spawn(move || {
                    let (mut client, mut sent) = (Connection::to(address), 0);
                    while !stop.load(Ordering::Relaxed) {
                        let body = pattern(500 * index);
                        assert_eq!(
                            client.post("/hash", &body).unwrap().text(),
                            Digest::of(&body).to_string()
                        );
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        for turn in 0..10 {
            let (new, old) = if turn % 2 == 0 { (2, 1) } else { (1, 2) };
            agent.apply(epoch, split(new, 2500, old)).unwrap();
            agent.apply(epoch, all(new)).unwrap();
            let note = agent.apply(epoch, Step::Settle).unwrap().note;
            assert!(!note.contains("cut"), "{note}");
        }
        drop(stopping);
        let sent: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(sent > 100, "{sent}");
    });
    let counts: Vec<_> = agent.state().revisions.iter().map(|revision| revision.counts).collect();
    assert!(counts.iter().all(|counts| counts.bad + counts.failed == 0 && counts.requests > 0), "{counts:?}");
}

#[test]
fn settle_waits_for_what_is_in_flight() {
    let agent = Agent::start();
    let epoch = agent.claim("live").unwrap().epoch;
    agent.configure(epoch).unwrap();
    let mut package = agent.package("v1", &[]);
    package.launch.drain = windlass_domain::policy::Span::seconds(20);
    agent.apply_with(epoch, stage(1, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(1, 1)).unwrap();
    agent.apply(epoch, all(1)).unwrap();
    let address = agent.address();
    agent.raise(epoch, 2, 1);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| get(address, "/slow?ms=2000"));
        await_that("it is in flight", || agent.state().revisions[0].in_flight == 1);
        agent.apply(epoch, all(2)).unwrap();
        assert_eq!(agent.state().revisions[0].in_flight, 1);
        agent.apply(epoch, Step::Settle).unwrap();
        assert_eq!(agent.state().revisions[0].in_flight, 0);
        assert_eq!(slow.join().unwrap().text(), "slow");
    });
}

#[test]
fn upgraded_connections_are_tunnelled_and_cut_only_after_the_drain_time() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    let mut client = Connection::to(address);
    client.send("GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").unwrap();
    let reply = client.reply("GET").unwrap();
    assert_eq!((reply.status, reply.header("upgrade")), (101, Some("echo")));
    let mut said = [0; 5];
    client.input.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"hello");
    client.send("ping!").unwrap();
    client.input.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"ping!");
    let since = Instant::now();
    agent.apply(epoch, all(2)).unwrap();
    client.send("still").unwrap();
    client.input.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"still", "the shift does not cut it");
    let note = agent.apply(epoch, Step::Settle).unwrap().note;
    assert!(since.elapsed() >= Duration::from_millis(390), "cut after {:?}", since.elapsed());
    assert!(note.contains("1 cut"), "{note}");
    assert_eq!(client.input.read(&mut said).unwrap_or(0), 0, "and then it ends");
    assert!(agent.text("/metrics").contains("windlass_upgrades_total{revision=\"r1\"} 1"));
}

#[test]
fn a_slow_answer_is_cut_after_the_drain_time() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    let mut client = Connection::to(address);
    client.send("GET /slowly?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    client.head().unwrap();
    agent.apply(epoch, all(2)).unwrap();
    assert!(agent.apply(epoch, Step::Settle).unwrap().note.contains("1 cut"));
    assert_eq!(client.input.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
}

#[test]
fn where_nothing_is_released_the_answer_says_so() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let state = agent.configure(epoch).unwrap();
    assert_eq!(get(state.listening.unwrap().parse().unwrap(), "/").status, 503);
    assert!(agent.text("/metrics").contains("windlass_requests_failed_total{revision=\"none\"} 1"));
}

#[test]
fn an_address_that_somebody_has_is_named_also_where_it_could_be_shared() {
    let first = Agent::start();
    let (_, address) = first.live(1);
    let second = Agent::start();
    let epoch = second.claim("a").unwrap().epoch;
    let place =
        serde_json::json!({ "app": "a", "environment": "b", "listen": address.to_string(), "metrics": null });
    let body = serde_json::json!({ "epoch": epoch, "place": place });
    let error = second.post::<serde_json::Value>("/v1/configure", &body).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains(&format!("cannot listen on {address}")), "{why}");
}

#[test]
fn metrics_are_served_where_the_place_says() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    get(address, "/");
    get(address, "/500");
    let metrics = agent.state().metrics.unwrap().parse().unwrap();
    await_that("both are counted", || agent.state().revisions[0].counts.requests == 2);
    let text = get(metrics, "/metrics");
    let text = text.text();
    for line in [
        "# TYPE windlass_requests_total counter",
        "windlass_requests_total{revision=\"r1\",code=\"2xx\"} 1",
        "windlass_requests_total{revision=\"r1\",code=\"5xx\"} 1",
        "windlass_requests_bad_total{revision=\"r1\"} 1",
        "windlass_requests_failed_total{revision=\"r1\"} 0",
        "windlass_request_duration_seconds_count{revision=\"r1\"} 2",
        "windlass_in_flight{revision=\"r1\"} 0",
        "windlass_instance_ready{revision=\"r1\",index=\"0\"} 1",
        "windlass_instance_restarts_total{revision=\"r1\",index=\"0\"} 0",
        "windlass_weight{revision=\"r1\"} 1",
        "windlass_epoch 1",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
    assert_eq!(get(metrics, "/v1/state").status, 404, "the address serves nothing else");
}
