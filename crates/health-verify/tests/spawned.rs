//! The binary, spawned with a scrubbed environment against servers and an agent that speak for real.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Agent, Place, serve};
use serde_json::Value;

const VERIFY: &str = "verify: { errors: { at_most: 2%, worse_by: 2x }, within: 20s }";

#[test]
fn healthy_service_passes_alone_and_the_document_says_so() {
    let place = Place::new();
    let url = serve("200 OK", "ready");
    let ran = place.run(&["--url", &url, "--expect-contains", "ready", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["outcome"], "passed");
    assert_eq!(document["verdict"], "passed");
    assert_eq!(document["metrics"], Value::Array(Vec::new()));
    assert!(
        document["reasons"][0]["observed"].as_str().unwrap().contains("1 of 1 tries succeeded"),
        "{document}"
    );
    for file in ["health-verify.json", "health-verify.md", "health-verify.html", "health.recording.jsonl"] {
        assert!(place.path(".windlass").join(file).is_file(), "{file}");
    }
    assert!(
        !place.path(".windlass/evidence.intoto.jsonl").exists(),
        "there is no artifact to attest anything of"
    );
}

#[test]
fn variables_stand_in_for_flags() {
    let place = Place::new();
    let url = serve("503 No", "");
    let mut command = place.command(&[]);
    command.env("WINDLASS_URL", &url).env("WINDLASS_EXPECT_STATUS", "503").env("WINDLASS_WITHIN", "5s");
    assert_eq!(place.finish(command).code, 0);
}

#[test]
fn sick_service_fails_when_its_time_is_over_or_its_failures_are_used_up() {
    let place = Place::new();
    let url = serve("500 No", "");
    let begun = Instant::now();
    let ran = place.run(&["--url", &url, "--within", "700ms", "--every", "100ms"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("status 500, expected 2xx"), "{ran:?}");
    assert!(begun.elapsed() >= Duration::from_millis(700));
    let begun = Instant::now();
    let ran = place.run(&["--url", &url, "--within", "60s", "--every", "50ms", "--failures", "2"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn every_way_of_not_being_able_to_judge_is_unknown() {
    let place = Place::new();
    let url = serve("200 OK", "");
    assert_eq!(place.run(&["--url", &url, "--offline"]).code, 3);
    assert_eq!(place.run(&["--url", "http://no-such-host.invalid/", "--within", "500ms"]).code, 3);
    fs::write(place.path("r.jsonl"), "{}\n").unwrap();
    assert_eq!(place.run(&["replay", "r.jsonl"]).code, 3);
    assert_eq!(place.run(&["replay", "missing.jsonl"]).code, 3);
    place.policy(VERIFY);
    let ran = place.run(&["-e", "dev"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("cannot ask the agent") && ran.stderr.contains("health.agent"), "{ran:?}");
    assert_eq!(place.run(&["-e", "dev", "--offline"]).code, 3);
}

#[test]
fn wrong_usage_and_nothing_to_verify_are_invalid() {
    let place = Place::new();
    for arguments in [
        &["--url", "http://127.0.0.1:9", "--within", "soon"][..],
        &["--url", "http://127.0.0.1:9", "--failures", "0"],
        &["--expect-status", "200"],
        &[],
    ] {
        assert_eq!(place.run(arguments).code, 2, "{arguments:?}");
    }
    place.policy("keep: 3");
    let ran = place.run(&["-e", "dev"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("nothing to verify"), "{ran:?}");
}

#[test]
fn command_and_tcp_decide_too() {
    let place = Place::new();
    let url = serve("200 OK", "");
    let address = url.trim_start_matches("http://");
    let ran = place.run(&["--tcp", address, "--command", "echo up", "--expect-contains", "up"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = place.run(&["--tcp", address, "--command", "exit 1", "--within", "300ms", "--every", "50ms"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn good_release_passes_and_the_statement_is_about_what_is_live() {
    let place = Place::new();
    place.policy(VERIFY);
    let agent = Agent::start(&place, 200, 0);
    let ran = place.run(&["-e", "dev", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["revision"], "r7");
    assert_eq!(document["compared_with"], "r6");
    assert_eq!(document["artifact"], agent.artifact.as_str());
    let evidence = fs::read_to_string(place.path(".windlass/evidence.intoto.jsonl")).unwrap();
    assert_eq!(evidence.lines().count(), 1);
    let statement = common::statement(&evidence);
    assert_eq!(statement["predicateType"], "https://windlass.dev/attestation/health/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], agent.artifact.trim_start_matches("sha256:"));
    assert_eq!(statement["predicate"]["outcome"], "passed");
    assert_eq!(statement["predicate"]["environment"], "dev");
}

#[test]
fn bad_release_fails_at_once_and_its_recording_says_the_same_again() {
    let place = Place::new();
    place.policy(VERIFY);
    let _agent = Agent::start(&place, 60, 6);
    let begun = Instant::now();
    let ran = place.run(&["-e", "dev", "--format", "json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(15));
    let first: Value = serde_json::from_str(&ran.stdout).unwrap();
    let ran = place.run(&["replay", ".windlass/health.recording.jsonl", "--format", "json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let again: Value = serde_json::from_str(&ran.stdout).unwrap();
    for key in ["verdict", "hard", "metrics", "more_requests_needed", "reasons", "watched_ms"] {
        assert_eq!(first[key], again[key], "{key}");
    }
    let page = fs::read_to_string(place.path(".windlass/health-verify.html")).unwrap();
    assert!(page.contains("errors.at_most") && page.matches("<polyline").count() == 4, "{page}");
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("<script"), "{page}");
}

#[test]
fn release_without_traffic_is_held_or_whatever_the_policy_says() {
    for (word, code) in [("hold", 4), ("fail", 1), ("pass", 0)] {
        let place = Place::new();
        place
            .policy(&format!("verify: {{ errors: {{ at_most: 1% }}, within: 1s, on_inconclusive: {word} }}"));
        let _agent = Agent::start(&place, 0, 0);
        let ran = place.run(&["-e", "dev"]);
        assert_eq!(ran.code, code, "{word}: {ran:?}");
        assert_eq!(ran.stdout.contains("nothing was proved"), word == "pass", "{ran:?}");
        assert!(ran.stdout.contains("no request was served"), "{ran:?}");
    }
}

#[test]
fn another_artifact_than_the_live_one_is_refused() {
    let place = Place::new();
    place.policy(VERIFY);
    let agent = Agent::start(&place, 200, 0);
    let other = format!("sha256:{}", "0".repeat(64));
    let ran = place.run(&["-e", "dev", "--artifact", &other]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(!place.path(".windlass/evidence.intoto.jsonl").exists());
    assert_eq!(place.run(&["-e", "dev", "--artifact", &agent.artifact]).code, 0);
}

#[test]
fn sigterm_ends_it_as_unknown_with_its_recording_kept() {
    let place = Place::new();
    place.policy("verify: { errors: { at_most: 1% }, within: 60s }");
    let _agent = Agent::start(&place, 0, 0);
    let child = place.command(&["-e", "dev"]).spawn().unwrap();
    // Its first reading is what shows that it watches.
    let deadline = Instant::now() + Duration::from_secs(20);
    while _agent.readings() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let recording = fs::read_to_string(place.path(".windlass/health.recording.jsonl")).unwrap();
    assert!(recording.lines().last().unwrap().contains("cancelled"), "{recording}");
    assert!(recording.lines().count() >= 3, "what was seen is kept: {recording}");
    assert!(!place.path(".windlass/evidence.intoto.jsonl").exists());
}

#[test]
fn hostile_text_of_the_service_reaches_no_terminal_and_no_page() {
    let place = Place::new();
    let url = serve("200 OK", "\u{1b}[2J\n::error::x <script>alert(1)</script>");
    let ran = place.run(&["--url", &url, "--expect-contains", "ready", "--within", "200ms"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let page = fs::read_to_string(place.path(".windlass/health-verify.html")).unwrap();
    let summary = fs::read_to_string(place.path(".windlass/health-verify.md")).unwrap();
    for text in [&ran.stdout, &ran.stderr, &page, &summary] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::error")), "{text}");
    }
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(!summary.contains("<script>"), "{summary}");
}
