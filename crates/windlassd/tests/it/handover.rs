//! The agent hands over to another one, under load and in the middle of things.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use windlass_domain::digest::Digest;
use windlass_domain::fence::Epoch;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;
use windlass_target::driver::DriverError;

use super::http::{Connection, get};
use super::support::{Agent, Stop, all, await_that, command, is_alive, pid, ready, stage};

#[test]
fn an_heir_has_listeners_instances_and_fence_of_the_agent_before() {
    let mut agent = Agent::start();
    let (epoch, address) = agent.live(2);
    let (before, state) = (agent.pids(), agent.state());
    agent.take_over();
    let heir = agent.state();
    assert_ne!(heir.pid, state.pid);
    assert_eq!(agent.pids(), before, "the same processes");
    assert_eq!((heir.listening, heir.metrics), (state.listening, state.metrics.clone()));
    assert_eq!((heir.weights, heir.epoch, heir.head), (state.weights, epoch, state.head));
    let held =
        |lease: Option<windlass_domain::fence::Lease>| lease.map(|lease| (lease.epoch, lease.owner.run));
    assert_eq!(held(heir.lease), held(state.lease), "the lease is still held");
    assert!(heir.revisions[0].instances.iter().all(|instance| instance.ready && instance.restarts == 0));
    assert!(agent.await_end().success());
    assert_eq!(get(address, "/").text(), "v1");
    let metrics = state.metrics.unwrap().parse().unwrap();
    assert!(
        get(metrics, "/metrics").text().contains("windlass_requests_total{revision=\"r1\",code=\"2xx\"} 1")
    );
    let said = command(&agent.root()).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains(&format!("the agent with pid {}", heir.pid)), "{said}");
    // It is not the parent of what it adopted, and notices an end all the same.
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    await_that("another process is ready", || {
        let instance = &agent.state().revisions[0].instances[0];
        instance.ready && instance.pid.is_some_and(|pid| pid != before[0])
    });
    agent.apply(epoch, Step::Settle).unwrap();
}

#[test]
fn twenty_handovers_under_load_fail_no_request() {
    let mut agent = Agent::start();
    let (epoch, address) = agent.live(2);
    let before = agent.pids();
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // Also when an assertion below fails: a scope waits for its threads.
        let stopping = Stop(&stop);
        let clients: Vec<_> = (0..6)
            .map(|index| {
                let (stop, sent) = (&stop, &sent);
                scope.spawn(move || {
                    let body = vec![b'x'; 700 * index];
                    let expected = Digest::of(&body).to_string();
                    let mut client = Connection::to(address);
                    while !stop.load(Ordering::Relaxed) {
                        let reply = match index {
                            0 | 1 => client.get("/"),
                            _ => client.post("/hash", &body),
                        };
                        let reply = reply.expect("no request is lost");
                        assert_eq!(reply.status, 200);
                        assert_eq!(reply.text(), if index < 2 { "v1" } else { expected.as_str() });
                        sent.fetch_add(1, Ordering::Relaxed);
                        if reply.header("connection") == Some("close") {
                            client = Connection::try_to(address).expect("no connection is refused");
                        }
                        if index == 5 {
                            // A connection for each request, which waits in the listeners' queues.
                            client = Connection::try_to(address).expect("no connection is refused");
                        }
                    }
                })
            })
            .collect();
        for _ in 0..20 {
            let then = sent.load(Ordering::Relaxed);
            await_that("there is load", || sent.load(Ordering::Relaxed) > then + 50);
            agent.take_over();
            // Also what a run asks meanwhile.
            agent.claim("live").expect("the fence is renewed across agents");
        }
        drop(stopping);
        for client in clients {
            client.join().expect("no client saw a failure");
        }
    });
    assert_eq!(agent.pids(), before, "none was started twice");
    let state = agent.state();
    assert_eq!(state.epoch, epoch);
    assert!(state.revisions[0].instances.iter().all(|instance| instance.restarts == 0));
    assert_eq!(state.revisions[0].counts.failed + state.revisions[0].counts.bad, 0);
    await_that("those before have ended", || agent.state().formers.is_empty());
}

fn tunnel(agent: &Agent) -> Connection {
    let mut client = Connection::to(agent.address());
    client.send("GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").unwrap();
    assert_eq!(client.reply("GET").unwrap().status, 101);
    assert!(echoes(&mut client, None));
    client
}

fn echoes(client: &mut Connection, say: Option<&[u8; 5]>) -> bool {
    let mut said = [0; 5];
    say.is_none_or(|say| client.send(say).is_ok())
        && client.input.read_exact(&mut said).is_ok()
        && said == *say.unwrap_or(b"hello")
}

#[test]
fn an_upgraded_connection_outlives_a_handover_until_its_drain_time() {
    let mut agent = Agent::start();
    let epoch = agent.claim("live").unwrap().epoch;
    agent.configure(epoch).unwrap();
    let mut package = agent.package("v1", &[]);
    package.launch.drain = windlass_domain::policy::Span::seconds(3);
    agent.apply_with(epoch, stage(1, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(1, 1)).unwrap();
    agent.apply(epoch, all(1)).unwrap();
    let mut client = tunnel(&agent);
    let first = agent.pid();
    agent.take_over();
    assert!(echoes(&mut client, Some(b"still")), "the handover does not cut it");
    assert_eq!(agent.state().formers, [first]);
    agent.take_over();
    assert!(echoes(&mut client, Some(b"again")), "nor does the next");
    let state = agent.state();
    assert!(state.formers.contains(&first), "{:?}", state.formers);
    assert_eq!(state.revisions[0].in_flight, 1, "it is counted where it is asked for");
    assert_eq!(client.input.read(&mut [0; 5]).unwrap_or(0), 0, "and then it ends");
    assert!(agent.await_end().success());
    await_that("those before have ended", || agent.state().formers.is_empty());
}

#[test]
fn what_drains_at_an_agent_before_is_waited_for_and_cut() {
    let mut agent = Agent::start();
    let (epoch, address) = agent.live(1);
    let mut package = agent.package("v2", &[]);
    package.launch.drain = windlass_domain::policy::Span::seconds(20);
    agent.apply_with(epoch, stage(2, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(2, 1)).unwrap();
    let mut client = tunnel(&agent);
    let mut idle = Connection::to(address);
    assert_eq!(idle.get("/").unwrap().revision(), 1);
    agent.take_over();
    agent.apply(epoch, all(2)).unwrap();
    // It came to the agent before, and goes where the one that runs says.
    let reply = idle.get("/").unwrap();
    assert_eq!((reply.revision(), reply.header("connection")), (2, Some("close")));
    let note = agent.apply(epoch, Step::Settle).unwrap().note;
    assert!(note.contains("1 cut"), "{note}");
    assert_eq!(client.input.read(&mut [0; 5]).unwrap_or(0), 0, "it was cut at the agent before");
    agent
        .apply(epoch, Step::Retire { live: Sequence(2), keep: vec![Sequence(2)], warm: Vec::new() })
        .unwrap();
    assert_eq!(get(address, "/").revision(), 2);
}

#[test]
fn a_step_under_way_is_not_left_to_another_agent() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    agent.configure(epoch).unwrap();
    agent.apply_with(epoch, stage(1, 1), Some(agent.package("v1", &["--unready"]))).unwrap();
    std::thread::scope(|scope| {
        let client = agent.client();
        scope.spawn(move || {
            let apply = serde_json::json!({ "epoch": epoch, "step": ready(1, 1), "package": null });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let waited = runtime.block_on(client.post::<serde_json::Value>(
                "/v1/apply",
                &apply,
                Duration::from_secs(60),
            ));
            assert!(waited.is_err(), "it is called off in the end");
        });
        await_that("the step is under way", || agent.log().contains("\"started\""));
        std::thread::sleep(Duration::from_millis(200));
        let withdrawn = Withdrawn(&agent, epoch);
        match agent.hand_over_to(&[env!("CARGO_BIN_EXE_windlassd")]) {
            Err(DriverError::Judged { why, .. }) => assert!(why.contains("a step is under way"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(agent.state().pid, agent.pid());
        drop(withdrawn);
    });
}

/// Calls the step off that a thread waits for, also when an assertion fails.
struct Withdrawn<'a>(&'a Agent, Epoch);

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        let _ = self.0.apply(self.1, Step::Withdraw { revision: Sequence(1) });
    }
}

#[test]
fn a_stop_that_an_agent_did_not_live_to_see_is_brought_to_its_end() {
    let mut agent = Agent::start();
    let (epoch, address) = agent.live(1);
    let mut package = agent.package("v2", &[]);
    // What is ignored stays ignored by the program that a shell becomes.
    let deaf = "trap '' TERM; exec bin/service --port \"$PORT\"";
    package.launch.run = ["/bin/sh", "-c", deaf].map(str::to_owned).to_vec();
    package.launch.stop = windlass_domain::policy::Span::seconds(2);
    agent.apply_with(epoch, stage(2, 1), Some(package)).unwrap();
    agent.apply(epoch, ready(2, 1)).unwrap();
    let deaf = agent.pids()[1];
    let client = agent.client();
    let asking = std::thread::spawn(move || {
        let step = Step::Withdraw { revision: Sequence(2) };
        let apply = serde_json::json!({ "epoch": epoch, "step": step, "package": null });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ =
            runtime.block_on(client.post::<serde_json::Value>("/v1/apply", &apply, Duration::from_secs(60)));
    });
    await_that("it is being stopped", || agent.state().revisions[1].wanted == 0);
    agent.kill();
    asking.join().unwrap();
    assert!(is_alive(deaf));
    agent.spawn();
    await_that("it is gone", || !is_alive(deaf));
    await_that("its place is free", || agent.state().revisions[1].instances.is_empty());
    assert_eq!(get(address, "/").text(), "v1");
}

#[test]
fn another_process_with_the_number_of_an_instance_is_left_alone() {
    let mut agent = Agent::start();
    let (_, address) = agent.live(1);
    let before = agent.pids();
    agent.kill();
    let path = agent.root().join("instances.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let mut other = std::process::Command::new("sleep");
    let mut other =
        std::os::unix::process::CommandExt::process_group(&mut other, 0).arg("60").spawn().unwrap();
    // As if the instance's number had been given to it: the same number, another start.
    kept["instances"][0]["process"]["pid"] = other.id().into();
    std::fs::write(&path, kept.to_string()).unwrap();
    agent.spawn();
    await_that("an instance is ready", || agent.state().revisions[0].instances.iter().any(|one| one.ready));
    let now = agent.pids();
    assert!(now[0] != other.id() && now[0] != before[0], "{now:?}");
    assert_eq!(get(address, "/").text(), "v1");
    assert!(is_alive(other.id()), "nothing was done to it");
    other.kill().unwrap();
    other.wait().unwrap();
}
