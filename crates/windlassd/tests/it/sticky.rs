//! Clients that stay on a revision while its weight allows it.

use windlass_domain::policy::Sticky;

use super::http::{Connection, Reply};
use super::support::{Agent, all, split};

fn ask(client: &mut Connection, header: &str) -> Reply {
    client.send(format!("GET /head HTTP/1.1\r\nhost: a\r\n{header}\r\n")).unwrap();
    client.reply("GET").unwrap()
}

/// Asks for each client and sees which revision answers.
fn places(client: &mut Connection, headers: &[String]) -> Vec<u64> {
    headers.iter().map(|header| ask(client, header).revision()).collect()
}

#[test]
fn a_cookie_keeps_its_client_and_moves_only_who_must() {
    let mut agent = Agent::start();
    agent.place.sticky = Some(Sticky::Cookie("pin".into()));
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    let mut client = Connection::to(address);
    let clients: Vec<String> = (0..200)
        .map(|_| {
            let reply = ask(&mut client, "");
            let cookie = reply.header("set-cookie").unwrap();
            let (pair, rest) = cookie.split_once(';').unwrap();
            assert_eq!(rest, " Path=/; HttpOnly; SameSite=Lax");
            format!("cookie: other=1; {pair}\r\n")
        })
        .collect();
    assert_eq!(ask(&mut client, &clients[0]).header("set-cookie"), None, "it has one");
    let mut before = places(&mut client, &clients);
    assert!(before.iter().all(|revision| *revision == 1));
    for share in [1000, 5000] {
        agent.apply(epoch, split(2, share, 1)).unwrap();
        let after = places(&mut client, &clients);
        assert_eq!(after, places(&mut client, &clients), "each stays");
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "nobody goes back");
        let moved = after.iter().filter(|revision| **revision == 2).count();
        assert!(moved.abs_diff(200 * usize::from(share) / 10_000) < 30, "{moved} of 200 at {share}");
        before = after;
    }
    agent.apply(epoch, all(2)).unwrap();
    assert!(places(&mut client, &clients).iter().all(|revision| *revision == 2));
    let forged = ask(&mut client, "cookie: pin=../../etc/passwd\r\n");
    assert!(forged.header("set-cookie").is_some(), "what is none of ours is as if there were none");
}

#[test]
fn a_header_keeps_its_client_and_without_it_the_weights_decide() {
    let mut agent = Agent::start();
    agent.place.sticky = Some(Sticky::Header("x-tenant".into()));
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    agent.apply(epoch, split(2, 5000, 1)).unwrap();
    let mut client = Connection::to(address);
    let clients: Vec<String> = (0..100).map(|tenant| format!("x-tenant: {tenant}\r\n")).collect();
    let first = places(&mut client, &clients);
    assert_eq!(first, places(&mut client, &clients));
    let second = first.iter().filter(|revision| **revision == 2).count();
    assert!((25..=75).contains(&second), "{second} of 100");
    let none: Vec<u64> = (0..100).map(|_| ask(&mut client, "").revision()).collect();
    let second = none.iter().filter(|revision| **revision == 2).count();
    assert!((48..=52).contains(&second), "{second} of 100");
    assert!(ask(&mut client, &clients[0]).header("set-cookie").is_none());
}
