//! The access log: what is in it, and what never is.

use std::fs;

use serde_json::Value;
use windlass_target::host::control::{AgentState, Configure, Place};

use super::http::{Connection, get};
use super::support::{Agent, await_that};

fn lines(agent: &Agent) -> Vec<Value> {
    let text = fs::read_to_string(agent.root().join("access.log")).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn log(agent: &Agent, access_log: bool) {
    let epoch = agent.claim("live").unwrap().epoch;
    let place = agent.state().place.unwrap();
    let place = Place { access_log, ..place };
    agent.post::<AgentState>("/v1/configure", &Configure { epoch, place }).unwrap();
}

#[test]
fn each_request_is_one_line_without_its_query_and_hostile_text_stays_in_it() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    get(address, "/");
    log(&agent, true);
    get(address, "/sized?n=1000");
    get(address, "/500?token=hunter2");
    get(address, "/drop");
    get(address, "/a%22%0a%5cb\"{}");
    await_that("four lines", || lines(&agent).len() == 4);
    let told = lines(&agent);
    let of = |index: usize, name: &str| told[index][name].clone();
    let instance = agent.state().revisions[0].instances[0].port;
    assert_eq!(
        (of(0, "method"), of(0, "path"), of(0, "status")),
        ("GET".into(), "/sized".into(), 200.into())
    );
    assert_eq!(
        (of(0, "revision"), of(0, "bytes"), of(0, "client")),
        ("r1".into(), 1000.into(), "127.0.0.1".into())
    );
    assert_eq!(of(0, "instance"), Value::from(format!("127.0.0.1:{instance}")));
    assert!(of(0, "duration_ms").as_f64().unwrap() > 0.0);
    assert!(of(0, "at").as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!((of(1, "status"), of(2, "status")), (500.into(), 502.into()));
    assert_eq!(of(3, "path"), "/a%22%0a%5cb\"{}");
    assert!(!fs::read_to_string(agent.root().join("access.log")).unwrap().contains("hunter2"));
    agent.kill();
    agent.spawn();
    get(address, "/after");
    await_that("the next agent writes on", || {
        lines(&agent).last().is_some_and(|line| line["path"] == "/after")
    });
    log(&agent, false);
    get(address, "/unseen");
    get(address, "/unseen");
    assert!(agent.text("/metrics").contains("windlass_access_log_lost_total 0\n"));
    assert_eq!(lines(&agent).len(), 5, "it is off again");
}

#[test]
fn a_client_that_went_leaves_a_line_without_a_status() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    log(&agent, true);
    let mut client = Connection::to(address);
    client.send("GET /slow?n=60000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    await_that("it is under way", || agent.state().revisions[0].in_flight == 1);
    drop(client);
    await_that("the line is there", || !lines(&agent).is_empty());
    assert_eq!(
        (lines(&agent)[0]["status"].clone(), lines(&agent)[0]["path"].clone()),
        (Value::Null, "/slow".into())
    );
}
