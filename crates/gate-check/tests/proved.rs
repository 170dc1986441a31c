//! `rollback.proved`: only the way back from exactly this artifact to exactly the live one counts.

mod bench;

use bench::{Bench, Run};
use serde_json::json;
use windlass_domain::digest::Digest;
use windlass_evidence::sign::Signer;
use windlass_evidence::statement::Predicate;

const METRIC: &str = "rollback.proved";

fn live() -> Digest {
    Digest::of(b"what is live")
}

/// Judges with `--live` as given.
fn gate(bench: &Bench, live: Option<&str>) -> Run {
    let mut words = vec!["-e", "production", "--format", "json", "--signing-key", "key.pem"];
    words.extend(live.into_iter().flat_map(|live| ["--live", live]));
    bench.run(&words)
}

fn prove(bench: &Bench, from: Digest, to: Digest, outcome: &str, minutes_ago: i64, signer: &Signer) {
    let body = json!({
        "at": bench.ago(minutes_ago), "environment": "staging", "policy": bench.policy_digest(),
        "outcome": outcome, "from": from, "to": to,
    });
    bench.attest(to, Predicate::Proof, body, Some(signer));
}

#[track_caller]
fn check(run: &Run, code: i32, status: &str, says: &str) {
    assert_eq!((run.code, run.status(METRIC).as_str()), (code, status), "{} {}", run.stdout, run.stderr);
    assert!(run.stdout.contains(says), "{says:?} is not in {}", run.stdout);
}

#[test]
fn only_a_walk_between_exactly_these_two_that_held_is_a_pass() {
    let bench = Bench::new("gates: { rollback.proved: \"== 1\" }");
    let (from, to) = (live(), bench.artifact());
    let told = from.to_string();
    check(&gate(&bench, Some(&told)), 1, "missing", "no rollback-proof/v1 statement");
    check(&gate(&bench, None), 1, "missing", "does not say what is live");
    prove(&bench, from, Digest::of(b"another"), "passed", 30, &bench.trusted);
    check(&gate(&bench, Some(&told)), 1, "missing", "about another artifact");
    prove(&bench, from, to, "passed", 30, &bench.narrow);
    check(&gate(&bench, Some(&told)), 1, "missing", "may not sign");
    prove(&bench, Digest::of(b"elsewhere"), to, "passed", 30, &bench.trusted);
    check(&gate(&bench, Some(&told)), 1, "missing", "to other artifacts");
    prove(&bench, from, to, "passed", 20, &bench.trusted);
    check(&gate(&bench, Some(&told)), 0, "passed", "evidence");
    // A later walk that did not hold takes it back, and one after that gives it again.
    prove(&bench, from, to, "failed", 10, &bench.trusted);
    check(&gate(&bench, Some(&told)), 1, "failed", "did not hold");
    prove(&bench, from, to, "passed", 5, &bench.trusted);
    check(&gate(&bench, Some(&told)), 0, "passed", "evidence");
}

#[test]
fn what_is_live_is_what_was_told_or_the_newest_passed_deploy_to_the_environment() {
    let bench = Bench::new("gates: { rollback.proved: \"== 1\" }");
    prove(&bench, live(), bench.artifact(), "passed", 20, &bench.trusted);
    let deployed = |artifact: Digest, environment: &str, minutes_ago: i64| {
        let body = bench.deployed(environment, minutes_ago);
        bench.attest(artifact, Predicate::Deploy, body, Some(&bench.trusted));
    };
    deployed(live(), "staging", 60);
    check(&gate(&bench, None), 1, "missing", "does not say what is live");
    deployed(live(), "production", 60);
    check(&gate(&bench, None), 0, "passed", "evidence");
    deployed(Digest::of(b"newer"), "production", 50);
    check(&gate(&bench, None), 1, "missing", "to other artifacts");
    check(&gate(&bench, Some(&live().to_string())), 0, "passed", "evidence");
    check(&gate(&bench, Some("none")), 0, "not-applicable", "nothing is live");
    check(&gate(&bench, Some(&bench.artifact().to_string())), 0, "not-applicable", "already");
    assert_eq!(gate(&bench, Some("r7")).code, 2);
}
