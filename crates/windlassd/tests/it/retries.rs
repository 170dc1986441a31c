//! A request is asked again where not a byte of it was sent, and nowhere else.

use windlass_domain::digest::Digest;

use super::http::Connection;
use super::support::Agent;

fn retries(agent: &Agent) -> u64 {
    let metrics = agent.text("/metrics");
    let name = "windlass_retries_total{revision=\"r1\"} ";
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

/// Two instances of which one accepts no connection any more, and what became of six requests with and six without a
/// body on one connection, which take turns; `None` where the agent had noticed it meanwhile.
fn asked_of_a_deaf_one() -> Option<u64> {
    let agent = Agent::start();
    let (_, address) = agent.live(2);
    let mut client = Connection::to(address);
    assert_eq!(client.get("/deaf").unwrap().status, 200);
    for _ in 0..6 {
        assert_eq!(client.get("/").unwrap().text(), "v1");
    }
    for _ in 0..6 {
        assert_eq!(client.post("/hash", b"a").unwrap().text(), Digest::of(b"a").to_string());
    }
    let counted = retries(&agent);
    let state = agent.state();
    assert_eq!((state.revisions[0].counts.bad, state.revisions[0].counts.failed), (0, 0));
    state.revisions[0].instances.iter().all(|instance| instance.ready).then_some(counted)
}

#[test]
fn where_no_connection_could_be_made_another_instance_is_asked_and_that_is_counted() {
    // It is looked at every other second, and taken out at the third time: a slow machine may need another try.
    let counted = (0..10).find_map(|_| asked_of_a_deaf_one());
    assert_eq!(counted, Some(6), "each second request came to the one that is deaf, and went on once");
}

#[test]
fn what_was_sent_is_not_sent_again_when_the_service_dies_of_it() {
    let agent = Agent::start();
    let (_, address) = agent.live(2);
    let mut client = Connection::to(address);
    for (number, path) in (1..).zip(["/drop", "/exit"]) {
        assert_eq!(client.get(path).unwrap().status, 502, "{path} without a body");
        assert_eq!(agent.state().revisions[0].counts.bad, 2 * number - 1, "one was asked, not two");
        assert_eq!(client.post(path, b"a").unwrap().status, 502, "{path} with a body");
        assert_eq!(agent.state().revisions[0].counts.bad, 2 * number);
    }
    // Either instance has ended by now, and is started again; no request had a part in that but those two.
    assert_eq!(agent.state().revisions[0].counts.requests, 4);
}
