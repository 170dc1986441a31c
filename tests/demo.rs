//! The demo as a newcomer runs it: every claim holds, and nothing stays behind, also when it is interrupted.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

fn demo(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["demo", "--format", "json"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The processes whose command line names the folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

fn assert_nothing_is_left(folder: &Path) {
    for _ in 0..200 {
        if processes_of(folder).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(processes_of(folder), Vec::<String>::new());
    let left: Vec<_> =
        std::fs::read_dir(folder).unwrap().filter_map(Result::ok).map(|entry| entry.path()).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn every_claim_of_the_demo_holds_and_nothing_stays_behind() {
    let folder = tempfile::Builder::new().prefix("wd-").tempdir().unwrap();
    let output = demo(folder.path()).wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let claims = document.pointer("/claims").unwrap().as_array().unwrap();
    assert!(claims.len() >= 40, "{} claims", claims.len());
    let rows = document.pointer("/releases").unwrap().as_array().unwrap();
    let caught = rows.iter().find(|row| row["ended"] == "failed").unwrap();
    assert!(
        caught["bad"].as_u64().unwrap() > 0 && caught["caught_ms"].is_u64() && caught["back_ms"].is_u64()
    );
    assert_nothing_is_left(folder.path());
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let folder = tempfile::Builder::new().prefix("wd-").tempdir().unwrap();
    let run = demo(folder.path());
    std::thread::sleep(Duration::from_secs(4));
    assert!(!processes_of(folder.path()).is_empty(), "it had not begun");
    let pid = run.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_nothing_is_left(folder.path());
}
