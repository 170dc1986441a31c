//! The fence, the root and the socket.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use windlass_domain::fence::{Epoch, Refusal};
use windlass_domain::journal::{Event, Head};
use windlass_target::driver::DriverError;
use windlass_target::host::control::Apply;

use super::support::{Agent, all, await_that, command, ready, service, stage};

fn refusal<T: std::fmt::Debug>(result: Result<T, DriverError>) -> Refusal {
    match result {
        Err(DriverError::Fence(refusal)) => refusal,
        other => panic!("the fence should have refused: {other:?}"),
    }
}

#[test]
fn two_deployers_race_and_one_wins() {
    let agent = Agent::start();
    let first = agent.claim("a").unwrap();
    match refusal(agent.claim("b")) {
        Refusal::Held { by } => assert_eq!((by.owner.who.as_str(), by.epoch), ("test a", first.epoch)),
        other => panic!("{other:?}"),
    }
    assert_eq!(agent.claim("a").unwrap().epoch, first.epoch, "a renewal keeps its epoch");
    agent.post::<()>("/v1/release", &serde_json::json!({ "epoch": first.epoch })).unwrap();
    assert!(agent.claim("b").unwrap().epoch > first.epoch);
}

#[test]
fn no_mutation_of_a_stale_epoch_is_accepted() {
    let agent = Agent::start();
    let old = agent.claim_for("a", 1).unwrap().epoch;
    let mut new = old;
    await_that("the lease ended", || agent.claim("b").map(|lease| new = lease.epoch).is_ok());
    let stale = Refusal::Stale { carried: old, current: new };
    assert_eq!(refusal(agent.apply(old, all(1))), stale);
    assert_eq!(refusal(agent.apply_with(old, stage(1, 1), Some(agent.package("v1", &[])))), stale);
    assert_eq!(refusal(agent.configure(old)), stale);
    assert_eq!(refusal(agent.append(old, Head::EMPTY, vec![Event::Resumed])), stale);
    assert_eq!(
        refusal(agent.append(Epoch(99), Head::EMPTY, vec![Event::Resumed])),
        Refusal::Stale { carried: Epoch(99), current: new }
    );
    assert!(agent.state().revisions.is_empty());
}

#[test]
fn an_expired_lease_admits_nothing() {
    let agent = Agent::start();
    let lease = agent.claim_for("a", 1).unwrap();
    await_that("the lease ended", || agent.state().lease.is_none());
    assert!(matches!(refusal(agent.configure(lease.epoch)), Refusal::Expired { .. }));
}

#[test]
fn the_lease_of_a_process_that_is_gone_is_void_at_once() {
    let agent = Agent::start();
    let body = r#"{"owner":{"run":"dead","who":"a job that was killed"},"ttl_ms":600000}"#;
    let claimed = Command::new(service())
        .arg("claim")
        .arg(agent.root().join("control.sock"))
        .arg(body)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&claimed.stdout).contains("\"epoch\":1"), "{claimed:?}");
    assert_eq!(agent.claim("b").unwrap().epoch, Epoch(2));
}

#[test]
fn the_fence_outlives_the_agent() {
    let mut agent = Agent::start();
    let lease = agent.claim("a").unwrap();
    agent.kill();
    agent.spawn();
    assert!(matches!(refusal(agent.claim("b")), Refusal::Held { .. }));
    assert_eq!(agent.claim("a").unwrap().epoch, lease.epoch);
}

#[test]
fn a_new_epoch_calls_off_what_the_old_one_waits_for() {
    let agent = Agent::start();
    let old = agent.claim("a").unwrap().epoch;
    agent.configure(old).unwrap();
    agent.apply_with(old, stage(1, 1), Some(agent.package("v1", &["--unready"]))).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let client = agent.client();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let body = serde_json::json!({ "epoch": old, "step": ready(1, 1), "package": null });
            runtime.block_on(client.post::<serde_json::Value>("/v1/apply", &body, super::support::PATIENCE))
        });
        // Usually it waits by now. If it comes only later, the fence refuses it at the door, which is as good.
        std::thread::sleep(std::time::Duration::from_millis(200));
        agent.claim_for("a", 1).unwrap();
        let mut new = old;
        await_that("the lease ended", || agent.claim("b").map(|lease| new = lease.epoch).is_ok());
        let refused = refusal(waiting.join().unwrap());
        let stale = Refusal::Stale { carried: old, current: new };
        assert!(refused == stale || matches!(refused, Refusal::Expired { .. }), "{refused:?}");
    });
}

#[test]
fn a_step_that_comes_after_the_journal_has_moved_on_is_refused_under_its_own_epoch_too() {
    let agent = Agent::start();
    let epoch = agent.claim("a").unwrap().epoch;
    let hold = |reason: &str| vec![Event::Hold { reason: reason.into(), until: None }];
    let asked = agent.append(epoch, Head::EMPTY, hold("step 1 begins")).unwrap();
    agent.configure(epoch).unwrap();
    let package = agent.package("v1", &[]);
    let late = Apply { epoch, step: stage(1, 1), package: Some(package), after: Some(asked) };
    let now = agent.append(epoch, asked, hold("step 1 took too long")).unwrap();
    match agent.post::<serde_json::Value>("/v1/apply", &late) {
        Err(DriverError::Head(head)) => assert_eq!(head, now),
        other => panic!("{other:?}"),
    }
    assert!(agent.state().revisions.is_empty());
    agent.post::<serde_json::Value>("/v1/apply", &Apply { after: Some(now), ..late }).unwrap();
}

#[test]
fn socket_and_root_are_the_owners_alone() {
    let agent = Agent::start();
    let mode = |name: &str| fs::metadata(agent.root().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("control.sock"), mode(""), mode("ledger.jsonl")), (0o600, 0o700, 0o600));
}

#[test]
fn a_second_agent_of_a_root_names_the_first_and_ends_with_6() {
    let agent = Agent::start();
    let second = command(&agent.root()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(6), "{said}");
    assert!(said.contains(&format!("the agent with pid {}", agent.pid())), "{said}");
    agent.state();
}

#[test]
fn a_root_too_long_for_a_socket_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let said = command(&folder.path().join("x".repeat(100))).output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2), "{text}");
    assert!(text.contains("107 bytes") && text.contains("shorter root"), "{text}");
}

#[test]
fn an_unreadable_fence_is_never_a_free_one() {
    let mut agent = Agent::start();
    agent.claim("a").unwrap();
    agent.kill();
    fs::write(agent.root().join("fence.json"), "{\"fence\":").unwrap();
    let said = command(&agent.root()).output().unwrap();
    assert_eq!(said.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&said.stderr).contains("fence.json"));
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let agent = Agent::start();
    for path in ["/v1/claim", "/v1/apply", "/v1/journal", "/v1/configure", "/v1/shutdown", "/v1/nothing"] {
        assert!(agent.post::<()>(path, &"nonsense").is_err(), "{path}");
    }
    assert_eq!(agent.state().epoch, Epoch(0));
}
