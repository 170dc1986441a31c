//! An heir that ends at a point of a handover, for the tests: `heir POINT --root DIR …`, with the channel as its
//! standard input.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::os::fd::AsFd as _;

use rustix::net::{RecvFlags, SendFlags, recv, send};

fn main() {
    let point = std::env::args().nth(1).unwrap();
    let input = std::io::stdin();
    let hear = || {
        let mut text = [0; 4096];
        // Descriptors that nobody takes are closed by the system.
        recv(input.as_fd(), &mut text, RecvFlags::empty()).unwrap();
    };
    let say = |text: &str| {
        send(input.as_fd(), text.as_bytes(), SendFlags::NOSIGNAL).unwrap();
    };
    if point == "at-once" {
        return;
    }
    hear();
    match point.as_str() {
        "offered" => return,
        "nonsense" => return say("nonsense"),
        "mine-first" => return say(r#"{"say":"mine"}"#),
        "older" => say(r#"{"say":"ready","version":"0.0.1"}"#),
        _ => say(r#"{"say":"ready","version":"9.0.0"}"#),
    }
    if point == "ready" {
        return;
    }
    hear();
    if point == "mine" {
        say(r#"{"say":"mine"}"#);
    }
}
