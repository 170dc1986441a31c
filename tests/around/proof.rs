//! The way back, walked on purpose under traffic: with receipts, as evidence for exactly this pair of artifacts.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use windlass_signal::load::{Load, Meter, Receipt, run};

use crate::project::Project;
use crate::shop::Shop;
use crate::until;

/// A steady stream of requests until it is told to stop.
struct Traffic {
    stop: watch::Sender<bool>,
    meter: Meter,
    thread: JoinHandle<Receipt>,
}

impl Traffic {
    fn to(address: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let load = Load {
            rate_per_second: 100,
            lasting: Duration::from_secs(300),
            ..Load::new(format!("http://{address}"))
        };
        let meter = Meter::new();
        let shared = meter.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&load, &shared, stopped)).unwrap()
        });
        let traffic = Self { stop, meter, thread };
        until("there is traffic", || traffic.meter.receipt().ok > 20);
        traffic
    }

    fn end(self) -> Receipt {
        self.stop.send_replace(true);
        self.thread.join().unwrap()
    }
}

fn address(project: &Project, environment: usize) -> String {
    let status = project.run(&["status"]);
    let pointer = format!("/environments/{environment}/address");
    status.document.pointer(&pointer).unwrap().as_str().unwrap().to_owned()
}

/// The statements of the evidence file with this predicate type's last part but one: `rollback-proof`.
fn statements(project: &Project, kind: &str) -> Vec<serde_json::Value> {
    let store =
        windlass_evidence::store::Store::read(&project.path(".windlass/evidence.intoto.jsonl")).unwrap();
    let statements = store.lines.into_iter().map(|line| line.content.unwrap().1);
    let ours = statements.filter(|statement| statement.predicate_type.contains(&format!("/{kind}/")));
    ours.map(|statement| serde_json::to_value(statement).unwrap()).collect()
}

fn number(document: &serde_json::Value, pointer: &str) -> u64 {
    document
        .pointer(pointer)
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_else(|| panic!("no {pointer} in {document}"))
}

#[test]
fn the_way_back_is_walked_under_traffic_without_a_lost_request_and_is_evidence_for_this_pair() {
    let shop = Shop::new("v1");
    shop.0.policy("strategy: {", "prove_rollback: true\n    strategy: {");
    let first = shop.0.deploy().is(0);
    assert!(first.document.pointer("/proof").is_none(), "there is nothing to go back to: {}", first.all());
    assert!(statements(&shop.0, "rollback-proof").is_empty());
    shop.writes_two("1..2", true);
    shop.build("v2", "1 2", &shop.to_two());
    let traffic = Traffic::to(&address(&shop.0, 0));
    let second = shop.0.deploy().is(0);
    let load = traffic.end();
    assert_eq!((load.lost_on_the_way(), load.bad), (0, 0), "{load:?}");
    assert!(load.sent > 100, "{load:?}");
    assert!(shop.0.answer().contains("v2"));
    let proof = second.document.pointer("/proof").unwrap();
    assert_eq!(proof.pointer("/outcome").unwrap(), "passed");
    for leg in ["forward", "back", "again"] {
        assert_eq!(number(proof, &format!("/{leg}/failed")), 0, "{proof}");
        assert!(number(proof, &format!("/{leg}/switch_ms")) < 30_000, "{proof}");
    }
    // The old was stopped, started from its files, and served what came on the way back.
    assert!(number(proof, "/back/by_revision/r1/sent") > 0, "{proof}");
    assert!(number(proof, "/back/rollback_ms") > 0, "{proof}");
    assert!(number(proof, "/again/by_revision/r2/sent") > 0, "{proof}");
    let statements = statements(&shop.0, "rollback-proof");
    let [statement] = statements.as_slice() else { panic!("{statements:?}") };
    let digest = |pointer: &str| statement.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    assert_eq!(format!("sha256:{}", digest("/subject/0/digest/sha256")), digest("/predicate/to"));
    let live = first.document.pointer("/release/artifact").unwrap().as_str().unwrap();
    assert_eq!(digest("/predicate/from"), live);
    assert_eq!(digest("/predicate/outcome"), "passed");
}

#[test]
fn a_way_back_that_does_not_hold_is_found_before_it_is_needed() {
    let shop = Shop::new("v1");
    shop.0.policy("strategy: {", "prove_rollback: true\n    strategy: {");
    // The first release says that it reads schema 2, and does not.
    shop.build("v1", "1", "exit 0");
    shop.0.deploy().is(0);
    shop.writes_two("1..2", true);
    shop.build("v2", "1 2", &shop.to_two());
    // The old cannot be started any more: nothing can turn back, and what serves stays.
    let ended = shop.0.deploy().is(5).says("cannot read schema 2");
    assert!(shop.0.answer().contains("v2"), "traffic stays on the only copy that answers");
    assert_eq!(ended.document.pointer("/proof/outcome").unwrap(), "failed");
    assert_eq!(statements(&shop.0, "rollback-proof")[0].pointer("/predicate/outcome").unwrap(), "failed");
}

#[test]
fn legs_that_another_run_began_are_not_counted() {
    let shop = Shop::new("v1");
    shop.0.policy("strategy: {", "prove_rollback: true\n    strategy: {");
    shop.0.policy("bake: 100ms", "bake: 2s");
    shop.0.deploy().is(0);
    shop.build("v2", "1 2", "exit 0");
    let mut run = shop.0.start(&["deploy"]);
    let goes_back = || {
        let Ok((history, _)) = windlass_target::host::asleep(&shop.0.path("state")) else { return false };
        let is_back = |open: &windlass_domain::rollout::Rollout| {
            let walk = open.plan.walk().unwrap();
            matches!(open.phase, windlass_domain::rollout::Phase::Forward { index, .. } if index > walk.back)
        };
        history.open().is_some_and(is_back)
    };
    until("it goes back", goes_back);
    run.kill().unwrap();
    run.wait().unwrap();
    let next = shop.0.deploy().is(0);
    let proof = next.document.pointer("/proof").unwrap();
    assert_eq!(proof.pointer("/outcome").unwrap(), "passed");
    assert!(proof.pointer("/forward").unwrap().is_null(), "{proof}");
    assert!(proof.pointer("/back").unwrap().is_null(), "{proof}");
    assert_eq!(number(proof, "/again/failed"), 0);
}

/// The agent of a second environment, ended with the test.
struct Second<'a>(&'a Path);

impl Drop for Second<'_> {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let place = serde_json::json!({ "app": "shop", "environment": "staging", "listen": "127.0.0.1:0", "metrics": null });
        let second = windlass_domain::policy::Span::seconds(1);
        let Ok(place) = serde_json::from_value(place) else { return };
        let host = windlass_target::host::Host::new(&self.0.join("staging"), place, second);
        let _ = runtime.block_on(host.shutdown(true));
    }
}

#[test]
fn production_lets_in_what_went_back_once_and_asks_its_ledger_what_is_live() {
    let project = Project::new("v1");
    let _second = Second(project.folder.path());
    let text = std::fs::read_to_string(project.path("windlass.yml")).unwrap();
    let (head, live) = text.split_once("  live:\n").unwrap();
    let staging = live
        .replace("root: state", "root: staging")
        .replace("gates: none", "gates: none\n    prove_rollback: true");
    let live = live.replace("gates: none", "gates: { rollback.proved: \"== 1\" }");
    project.write(".gitignore", "state/\nstaging/\n.windlass/\n");
    project.write("windlass.yml", &format!("{head}  live:\n{live}  staging:\n{staging}"));
    project.build("v1", "");
    project.run(&["deploy", "-e", "staging"]).is(0);
    project.run(&["gate-check", "-e", "live"]).is(1).says("does not say what is live");
    project.run(&["gate-check", "-e", "live", "--live", "none"]).is(0);
    project.run(&["deploy", "-e", "live"]).is(0);
    // Straight to production: the gate says no, and a word that is not true lets nothing in.
    project.build("v2", "");
    project.run(&["gate-check", "-e", "live"]).is(1);
    project.run(&["deploy", "-e", "live"]).is(1);
    project.run(&["gate-check", "-e", "live", "--live", "none"]).is(0);
    project.run(&["deploy", "-e", "live"]).is(3).says("way back");
    assert_eq!(project.live(), Some(1));
    // After it went back once in staging, the same artifact may enter.
    assert_ne!(address(&project, 1), address(&project, 0), "two environments share no router");
    project.run(&["deploy", "-e", "staging"]).is(0);
    project.run(&["gate-check", "-e", "live"]).is(0);
    project.run(&["deploy", "-e", "live"]).is(0);
    assert!(project.answer().contains("v2"));
    // Each environment has its own ledger, revisions and retention.
    for root in ["state", "staging"] {
        let revisions = project.path(root).join("revisions");
        assert!(revisions.join("1").is_dir() && revisions.join("2").is_dir(), "{root}");
    }
}
