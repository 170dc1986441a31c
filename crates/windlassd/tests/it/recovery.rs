//! The agent ends, well or badly, and another goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use windlass_target::host::control::Shutdown;

use super::http::{Connection, get};
use super::support::{Agent, await_that, is_alive, pid};

#[test]
fn a_killed_agent_is_followed_by_one_that_adopts_and_serves_on() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(2);
    let before = agent.pids();
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let reply = Connection::try_to(address).and_then(|mut client| client.get("/"));
                answered
                    .fetch_add(u64::from(reply.is_ok_and(|reply| reply.status == 200)), Ordering::Relaxed);
            }
        });
        await_that("there is load", || answered.load(Ordering::Relaxed) > 50);
        agent.kill();
        assert!(before.iter().all(|pid| is_alive(*pid)), "instances outlive the agent");
        agent.spawn();
        let then = answered.load(Ordering::Relaxed);
        await_that("requests go on", || answered.load(Ordering::Relaxed) > then + 50);
        stop.store(true, Ordering::Relaxed);
    });
    let state = agent.state();
    assert_eq!(agent.pids(), before, "the same processes");
    assert_eq!(state.listening.unwrap(), address.to_string());
    assert_eq!(state.revisions[0].instances.iter().map(|instance| instance.restarts).sum::<u32>(), 0);
    assert_eq!(state.revisions[0].counts.failed + state.revisions[0].counts.bad, 0);
}

#[test]
fn an_adopted_instance_that_ends_is_started_again() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    agent.spawn();
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    await_that("another process is ready", || {
        let instance = &agent.state().revisions[0].instances[0];
        instance.ready && instance.pid.is_some_and(|pid| pid != before[0])
    });
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn an_instance_that_died_with_the_agent_is_started_again() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    await_that("it is gone", || !is_alive(before[0]));
    agent.spawn();
    await_that("another process is ready", || {
        agent.state().revisions[0].instances.iter().all(|one| one.ready)
    });
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn an_instance_that_ends_is_started_again_and_says_how_it_ended() {
    let agent = Agent::start();
    let (_, address) = agent.live(1);
    assert_eq!(get(address, "/exit").status, 502);
    await_that("it is ready again", || {
        let instance = &agent.state().revisions[0].instances[0];
        instance.ready && instance.restarts == 1
    });
    let state = agent.state();
    assert_eq!(state.revisions[0].instances[0].ended.as_deref(), Some("exit code 7"));
    assert_eq!(get(address, "/").text(), "v1");
    assert_eq!(state.revisions[0].counts.bad, 1);
}

#[test]
fn a_terminated_agent_leaves_its_instances_running() {
    let mut agent = Agent::start();
    agent.live(1);
    let pids = agent.pids();
    assert!(agent.terminate().success());
    assert!(is_alive(pids[0]));
    assert!(!agent.root().join("control.sock").exists());
    agent.spawn();
    assert_eq!(agent.pids(), pids);
}

#[test]
fn a_terminated_agent_ends_each_connection_with_an_answer() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let busy = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Connection::to(address);
                    loop {
                        let reply = client.get("/").expect("no connection ends without an answer");
                        assert_eq!(reply.status, 200);
                        busy.fetch_add(1, Ordering::Relaxed);
                        if reply.header("connection") == Some("close") {
                            break;
                        }
                        // Most of the time the connection is idle, which is when it must not be closed.
                        std::thread::sleep(Duration::from_millis(5));
                    }
                })
            })
            .collect();
        await_that("there is load", || busy.load(Ordering::Relaxed) > 20);
        assert!(agent.terminate().success());
        for client in clients {
            client.join().expect("it was told that its connection ends");
        }
    });
}

#[test]
fn shutdown_stops_the_instances_where_that_is_asked() {
    let agent = Agent::start();
    agent.live(2);
    let pids = agent.pids();
    agent.post::<()>("/v1/shutdown", &Shutdown { stop_instances: true }).unwrap();
    await_that("all are gone", || pids.iter().all(|pid| !is_alive(*pid)));
}

#[test]
fn a_process_that_was_never_written_down_is_ended_and_replaced() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    std::fs::write(agent.root().join("instances.json"), r#"{"wanted":{"1":1},"instances":[]}"#).unwrap();
    agent.spawn();
    await_that("the stray is gone", || !is_alive(before[0]));
    await_that("another is ready", || agent.state().revisions[0].instances.iter().any(|one| one.ready));
    assert_ne!(agent.pids(), before);
    assert_eq!(get(address, "/").text(), "v1");
}
