//! Testers reach a revision before anybody else does; whoever does not know the token learns nothing.

use windlass_domain::policy::Testers;
use windlass_target::driver::DriverError;

use super::http::{Connection, Reply};
use super::support::{Agent, all, await_that};

const TOKEN: &str = "correct-horse-battery";

fn ask(client: &mut Connection, value: &str) -> Reply {
    client.send(format!("GET /head HTTP/1.1\r\nhost: a\r\nX-Windlass-Revision: {value}\r\n\r\n")).unwrap();
    client.reply("GET").unwrap()
}

fn tested(agent: &mut Agent) -> std::path::PathBuf {
    let token = agent.folder().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    agent.place.testers =
        Some(Testers { token: token.display().to_string(), header: "X-Windlass-Revision".into() });
    token
}

#[test]
fn a_tester_reaches_a_staged_revision_and_is_not_counted_for_it() {
    let mut agent = Agent::start();
    let token = tested(&mut agent);
    let (epoch, address) = agent.live(1);
    agent.raise(epoch, 2, 1);
    let mut client = Connection::to(address);
    let reply = ask(&mut client, &format!("r2; token={TOKEN}"));
    assert_eq!((reply.status, reply.revision()), (200, 2));
    assert!(!reply.text().to_lowercase().contains("windlass"), "the service sees nothing of it");
    for wrong in ["r2", "r2; token=wrong-horse-battery", "r2; token=", "nonsense"] {
        let reply = ask(&mut client, wrong);
        assert_eq!((reply.status, reply.revision()), (200, 1), "{wrong}: as if there were no such header");
        assert!(!reply.text().to_lowercase().contains("windlass"), "{wrong}");
    }
    for unknown in ["r9", "what"] {
        let reply = ask(&mut client, &format!("{unknown}; token={TOKEN}"));
        assert_eq!((reply.status, reply.header("x-windlass-revision")), (404, None), "{unknown}");
    }
    let counts = agent.state().revisions[1].counts;
    assert_eq!((counts.requests, counts.bad), (0, 0));
    let metrics = agent.text("/metrics");
    for line in [
        "windlass_forced_requests_total{revision=\"r2\"} 1",
        "windlass_requests_total{revision=\"r2\",code=\"2xx\"} 0",
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line} in {metrics}");
    }
    // The old one too, when it has no weight any more and still runs.
    agent.apply(epoch, all(2)).unwrap();
    assert_eq!(ask(&mut client, &format!("r1; token={TOKEN}")).revision(), 1);
    // Another token takes the old one's place without a restart.
    std::fs::write(&token, "another-horse-battery").unwrap();
    await_that("the new token counts", || {
        ask(&mut client, "r1; token=another-horse-battery").revision() == 1
    });
    assert_eq!(ask(&mut client, &format!("r1; token={TOKEN}")).revision(), 2);
}

#[test]
fn a_token_that_is_none_is_refused_with_its_file() {
    let mut agent = Agent::start();
    let token = tested(&mut agent);
    let epoch = agent.claim("a").unwrap().epoch;
    std::fs::write(&token, "short").unwrap();
    let error = agent.configure(epoch).unwrap_err();
    let DriverError::Judged { why, .. } = &error else { panic!("{error:?}") };
    assert!(why.contains(&token.display().to_string()) && why.contains("shorter"), "{why}");
    assert!(agent.state().listening.is_none());
}
