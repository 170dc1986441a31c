//! The cutover receipt: releases go in and come back under keep-alive GETs, POSTs with bodies and upgraded connections,
//! by the real tools, and nothing is lost.
//!
//! `WINDLASS_CUTOVERS=50 cargo test -p windlass --test cutover -- --nocapture` switches and rolls back 50 times over at
//! least 100,000 requests, and prints the receipt.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read its own variables")]
#![expect(clippy::print_stderr, reason = "the receipt is what it is run for")]

#[path = "release/project.rs"]
#[expect(dead_code, reason = "what only the release tests need")]
mod project;

use std::time::{Duration, Instant};

use project::Project;
use serde_json::Value;
use tokio::sync::watch;
use windlass_domain::journal::Way;
use windlass_domain::rollout::{Rollout, Step};
use windlass_signal::load::{self, Load, Meter, Receipt, Request};

/// How often a release goes in and comes back where `WINDLASS_CUTOVERS` does not say.
const CUTOVERS: usize = 5;
/// Requests for each of them: 50 make 100,000.
const REQUESTS: u64 = 2_000;
/// How long an upgraded connection is kept. The old may drain for longer, so that none may be cut.
const KEPT: Duration = Duration::from_millis(1_500);

#[test]
fn switches_and_rollbacks_under_load_lose_nothing() {
    let cutovers = std::env::var("WINDLASS_CUTOVERS").map_or(CUTOVERS, |text| text.parse().unwrap());
    let project = Project::new("v1");
    project.policy("drain: 1s", "drain: 20s");
    project.policy(
        "{ kind: canary, steps: [50%], bake: 100ms }",
        "blue-green\n    keep: { releases: 1, warm: 1 }",
    );
    project.deploy().is(0);
    project.build("v2", "");

    let url = format!("http://{}", address(&project));
    let (stop, stopped) = watch::channel(false);
    let meter = Meter::default();
    let sender = std::thread::spawn({
        let (load, meter) = (load(url, cutovers), meter.clone());
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(load::run(&load, &meter, stopped)).unwrap()
        }
    });

    let (mut switches, mut rollbacks) = (Vec::new(), Vec::new());
    for _ in 0..cutovers {
        let deploy = project.deploy().is(0);
        assert_eq!(lost(&deploy.document), Some(0), "{}", deploy.document);
        switches.push(shifted(&project));
        let back = project.run(&["rollback", "--no-hold", "--reason", "the receipt wants it"]).is(0);
        assert_eq!(lost(&back.document), Some(0), "{}", back.document);
        rollbacks.push(shifted(&project));
    }
    let wanted = REQUESTS * u64::try_from(cutovers).unwrap();
    let end = Instant::now() + Duration::from_secs(600);
    while meter.receipt().sent < wanted && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
    stop.send_replace(true);
    let receipt = sender.join().unwrap();
    tell(&receipt, &mut switches, &mut rollbacks);
    assert!(receipt.sent >= wanted, "{receipt:?}");
    assert_eq!((receipt.lost_on_the_way(), receipt.failed, receipt.bad), (0, 0, 0), "{receipt:?}");
    // Each release is a revision of its own; the first one is there before and after.
    assert!(receipt.by_revision.len() > cutovers, "{receipt:?}");
}

/// GETs, POSTs of 1 and 64 KiB, and upgraded connections, so many that they are there at every switch.
fn load(url: String, cutovers: usize) -> Load {
    let get = || Request::Get("/".into());
    let body = |kibibytes: usize| -> Vec<u8> { (0..=u8::MAX).cycle().take(kibibytes << 10).collect() };
    let mut mix: Vec<Request> = (0..90).map(|_| get()).collect();
    mix.extend((0..8).map(|_| Request::Echo("/echo".into(), body(1).into())));
    mix.push(Request::Echo("/echo".into(), body(64).into()));
    mix.push(Request::Tunnel("/echo".into(), b"still there".as_slice().into(), KEPT));
    Load {
        rate_per_second: 600,
        connections: 64,
        mix,
        timeout: Duration::from_secs(30),
        lasting: Duration::from_secs(1_800),
        at_most: u64::try_from(cutovers).unwrap() * REQUESTS * 10,
        ..Load::new(url)
    }
}

fn address(project: &Project) -> String {
    let status = project.run(&["status"]).is(0).document;
    status.pointer("/environments/0/address").and_then(Value::as_str).unwrap().to_owned()
}

/// What the tool's own receipt says was lost.
fn lost(document: &Value) -> Option<u64> {
    document.pointer("/receipt/failed")?.as_u64()
}

/// From the decision, which is the plan's entry in the ledger, until every request goes to the other release; and until
/// the one that was left had drained.
fn shifted(project: &Project) -> (Duration, Duration) {
    let (history, _) = windlass_target::host::asleep(&project.path("state")).unwrap();
    let rollout: &Rollout = history.rollouts.last().unwrap();
    let last = |is: fn(&Step) -> bool| {
        rollout.done.iter().rfind(|record| record.way == Way::Forward && is(&record.step)).unwrap().at
    };
    let shift = last(|step| matches!(step, Step::Shift { .. }));
    let settle = last(|step| matches!(step, Step::Settle));
    let since = |at: jiff::Timestamp| at.duration_since(rollout.opened).unsigned_abs();
    (since(shift), since(settle))
}

fn tell(receipt: &Receipt, switches: &mut [(Duration, Duration)], rollbacks: &mut [(Duration, Duration)]) {
    let latency = receipt.latency.unwrap_or_default();
    eprintln!(
        "{} requests in {} s: {} lost, {} bad; p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.1} ms",
        receipt.sent,
        receipt.lasted_ms / 1000,
        receipt.lost_on_the_way(),
        receipt.bad,
        latency.p50_ms,
        latency.p95_ms,
        latency.p99_ms,
        latency.max_ms
    );
    for (name, times) in [("switch", switches), ("rollback", rollbacks)] {
        let count = times.len();
        let mut quantiles = |of: fn(&(Duration, Duration)) -> Duration| {
            times.sort_by_key(of);
            let at = |share: usize| of(&times[(count * share).div_ceil(100).max(1) - 1]).as_millis();
            format!("p50 {} ms, p95 {} ms, max {} ms", at(50), at(95), at(100))
        };
        eprintln!(
            "{count} × {name}: decision to everything shifted {}; and drained {}",
            quantiles(|(shift, _)| *shift),
            quantiles(|(_, settle)| *settle)
        );
    }
}
