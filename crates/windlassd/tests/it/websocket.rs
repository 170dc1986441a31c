//! WebSockets: tunnelled, and closed the way their protocol has for it when the time to drain is over.

use std::io::Read as _;

use windlass_domain::rollout::Step;

use super::http::{Connection, get};
use super::support::{Agent, all, await_that};

/// A masked frame, as a client sends it.
fn frame(text: &str) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap()];
    frame.extend(mask);
    frame.extend(text.bytes().enumerate().map(|(index, byte)| byte ^ mask[index % 4]));
    frame
}

fn open(address: std::net::SocketAddr) -> Connection {
    let mut client = Connection::to(address);
    let head =
        "GET /websocket HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n";
    client.send(head).unwrap();
    let reply = client.reply("GET").unwrap();
    assert_eq!((reply.status, reply.header("upgrade")), (101, Some("websocket")));
    client
}

fn hear(client: &mut Connection, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    client.input.read_exact(&mut heard).unwrap();
    assert_eq!(heard, expected);
}

fn say(client: &mut Connection, text: &str) {
    client.send(frame(text)).unwrap();
    hear(client, &[&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat());
}

#[test]
fn a_websocket_is_told_that_we_go_away_at_both_ends_between_two_frames() {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    let mut whole = open(address);
    say(&mut whole, "hello");
    let mut halfway = open(address);
    say(&mut halfway, "hello");
    let last = frame("the rest comes late");
    halfway.send(&last[..10]).unwrap();
    agent.apply(epoch, all(2)).unwrap();
    say(&mut whole, "the shift does not cut it");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The close frame arrives when the time to drain is over; only then is the frame's rest sent.
            hear(&mut halfway, &[0x88, 2, 0x03, 0xe9]);
            halfway.send(&last[10..]).unwrap();
            assert_eq!(halfway.input.read_to_end(&mut Vec::new()).unwrap(), 0, "and then it ends");
        });
        scope.spawn(|| {
            hear(&mut whole, &[0x88, 2, 0x03, 0xe9]);
            whole.send([0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe9 ^ 2]).unwrap();
            assert_eq!(whole.input.read_to_end(&mut Vec::new()).unwrap(), 0, "and then it ends");
        });
        let note = agent.apply(epoch, Step::Settle).unwrap().note;
        assert!(note.contains("2 cut"), "{note}");
    });
    assert_eq!(agent.state().revisions[0].counts.cut, 2);
    agent.apply(epoch, all(1)).unwrap();
    await_that("the service was told both times", || get(address, "/closes").text() == "2");
    let metrics = agent.text("/metrics");
    for line in ["windlass_cut_total{revision=\"r1\"} 2", "windlass_upgrades_total{revision=\"r1\"} 2"] {
        assert!(metrics.lines().any(|have| have == line), "{line} in {metrics}");
    }
}

#[test]
fn an_upgrade_that_is_declined_leaves_the_connection_usable() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = Connection::to(address);
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: something\r\n\r\n";
    for _ in 0..2 {
        client.send(format!("{ask}{ask}GET / HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
        for _ in 0..3 {
            assert_eq!(client.reply("GET").unwrap().text(), "v1");
        }
    }
}

#[test]
fn bytes_of_tunnels_and_bodies_are_counted() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    let mut client = open(address);
    say(&mut client, "hello");
    drop(client);
    let mut client = Connection::to(address);
    client.post("/hash", &[7; 1000]).unwrap();
    client.get("/sized?size=3000").unwrap();
    let sent = 7 + 71 + 3000;
    for line in [
        "windlass_received_bytes_total{revision=\"r1\"} 1011".to_owned(),
        format!("windlass_sent_bytes_total{{revision=\"r1\"}} {sent}"),
    ] {
        await_that(&line, || agent.text("/metrics").lines().any(|have| have == line));
    }
}
