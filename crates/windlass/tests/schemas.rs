//! The checked-in JSON Schemas are the ones that the binary prints, and real documents fit them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn schema(what: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["schema", what])
        .env_clear()
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a schema is text")
}

/// What the binary says has a schema: the list in its own hint.
fn names() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["schema", "-"])
        .env_clear()
        .output()
        .expect("the binary runs");
    let text = String::from_utf8(output.stderr).expect("a hint is text");
    let list = text.lines().find_map(|line| line.split_once("known: ")).expect("the hint lists the names").1;
    list.split(", ").map(str::to_owned).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema")
}

fn file(name: &str) -> String {
    if name == "policy" { "windlass.schema.json".to_owned() } else { format!("{name}.json") }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the convention is a variable of the test run, not of the product"
)]
fn checked_in_schemas_are_the_printed_ones() {
    let names = names();
    assert!(names.contains(&"policy".to_owned()) && names.contains(&"gate-check".to_owned()), "{names:?}");
    let is_blessing = std::env::var("WINDLASS_BLESS").is_ok_and(|value| value == "1");
    for name in &names {
        let path = folder().join(file(name));
        let printed = schema(name);
        // The policy's copy is written by the tests of `domain`.
        if is_blessing && name != "policy" {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &printed).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept.trim_end() == printed.trim_end(), "{name} differs: run this test with WINDLASS_BLESS=1");
    }
    let stray: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|stray| !names.iter().any(|name| file(name) == *stray))
        .collect();
    assert!(stray.is_empty(), "nothing prints {stray:?}");
}

#[test]
fn document_of_check_fits_its_schema_and_a_wrong_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "version: 1\napp: shop\nenvironments:\n  dev:\n    gates: none\n    evidence: unsigned\n    target: { kind: \
                  host, listen: 127.0.0.1:8080, run: [./app] }\n";
    fs::write(folder.path().join("windlass.yml"), policy).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["check", "--format", "json"])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["code"], 0, "{document:#}");
    let schema = serde_json::from_str(&schema("check")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&document), "{document:#}");
    document["outcome"] = "fine".into();
    assert!(!validator.is_valid(&document));
}
