//! The list of packages as CycloneDX: what stands in it, that it is the same each time, and that it fits its schema.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::Bench;

const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// Own packages, one of crates.io with its checksum, one of git with a password in its address, one of another registry, and
/// one name and version from two sources.
fn mixed() -> String {
    let package = |name: &str, version: &str, source: &str, more: &str| {
        let source = if source.is_empty() { String::new() } else { format!("source = \"{source}\"\n") };
        format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}{more}")
    };
    let io = "registry+https://github.com/rust-lang/crates.io-index";
    let git =
        format!("git+https://user:hunter2@git.example.org/own/forked.git?branch=token%3Dhunter2#{REVISION}");
    let other = "registry+https://crates.example.org/index?token=hunter2";
    [
        "version = 4\n".to_owned(),
        package(
            "app",
            "0.1.0",
            "",
            &format!("dependencies = [\n \"both 1.0.0 ({io})\",\n \"forked\",\n \"member\",\n]\n"),
        ),
        package("both", "1.0.0", other, ""),
        package("both", "1.0.0", io, &format!("checksum = \"{SUM}\"\ndependencies = [\n \"leaf\",\n]\n")),
        package("forked", "2.0.0-rc.1+build.5", &git, "dependencies = [\n \"leaf\",\n]\n"),
        package("leaf", "3.0.0", io, ""),
        package("member", "0.1.0", "", &format!("dependencies = [\n \"both 1.0.0 ({other})\",\n]\n")),
    ]
    .concat()
}

fn list(bench: &Bench) -> Value {
    serde_json::from_slice(&std::fs::read(bench.at("reports/security-scan.cdx.json")).unwrap()).unwrap()
}

fn refs(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn every_package_has_its_url_its_checksum_its_file_and_what_it_needs() {
    let bench = Bench::new();
    bench.fresh().write("Cargo.lock", mixed());
    let run = bench.scan(&["--artifact", &format!("sha256:{SUM}")]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let list = list(&bench);
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    let told: Vec<_> = list["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["bom-ref"].as_str().unwrap(), one["purl"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        told,
        [
            ("Cargo.lock#app@0.1.0", "-"),
            ("Cargo.lock#both@1.0.0", "pkg:cargo/both@1.0.0?repository_url=https://crates.example.org/index"),
            ("Cargo.lock#both@1.0.0#2", "pkg:cargo/both@1.0.0"),
            (
                "Cargo.lock#forked@2.0.0-rc.1+build.5",
                &format!(
                    "pkg:cargo/forked@2.0.0-rc.1%2Bbuild.5?vcs_url=git%2Bhttps://git.example.org/own/forked.git%40{REVISION}"
                )[..],
            ),
            ("Cargo.lock#leaf@3.0.0", "pkg:cargo/leaf@3.0.0"),
            ("Cargo.lock#member@0.1.0", "-"),
        ]
    );
    assert_eq!(list["components"][2]["hashes"], json!([{ "alg": "SHA-256", "content": SUM }]));
    assert!(list["components"][4].get("hashes").is_none() && list["components"][4].get("licenses").is_none());
    let graph: Vec<_> = list["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["ref"].as_str().unwrap(), refs(&one["dependsOn"])))
        .collect();
    assert_eq!(
        graph,
        [
            ("tree", vec!["Cargo.lock#app@0.1.0", "Cargo.lock#member@0.1.0"]),
            (
                "Cargo.lock#app@0.1.0",
                vec![
                    "Cargo.lock#both@1.0.0#2",
                    "Cargo.lock#forked@2.0.0-rc.1+build.5",
                    "Cargo.lock#member@0.1.0"
                ],
            ),
            ("Cargo.lock#both@1.0.0", vec![]),
            ("Cargo.lock#both@1.0.0#2", vec!["Cargo.lock#leaf@3.0.0"]),
            ("Cargo.lock#forked@2.0.0-rc.1+build.5", vec!["Cargo.lock#leaf@3.0.0"]),
            ("Cargo.lock#leaf@3.0.0", vec![]),
            ("Cargo.lock#member@0.1.0", vec!["Cargo.lock#both@1.0.0"]),
        ]
    );
    let properties = list["metadata"]["properties"].as_array().unwrap();
    for (name, value) in [
        ("gitlab:meta:schema_version", "1"),
        ("gitlab:dependency_scanning:input_file:path", "Cargo.lock"),
        ("windlass:artifact", &format!("sha256:{SUM}")),
    ] {
        assert!(properties.contains(&json!({ "name": name, "value": value })), "{name}");
    }
    assert_eq!(list["compositions"][0]["aggregate"], "complete");
    assert_eq!(list["metadata"]["component"]["name"], "tree");
    assert!(!list.to_string().contains("hunter2"), "no password in it");
}

#[test]
fn the_same_lock_files_give_the_same_bytes_and_others_another_serial_number() {
    let bench = Bench::new();
    bench.fresh().write("Cargo.lock", mixed());
    let database = bench.at("db");
    let bytes = |epoch: &str, to: &str| {
        let arguments = ["--database", database.to_str().unwrap(), "--sbom", to];
        assert_eq!(bench.run_with(&[("SOURCE_DATE_EPOCH", epoch)], &arguments).code, 0);
        std::fs::read(bench.tree().join(to)).unwrap()
    };
    let first = bytes("1700000000", "a.json");
    assert_eq!(first, bytes("1700000000", "b.json"));
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    assert_eq!(read(&first)["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    let later = read(&bytes("1700000001", "c.json"));
    assert_eq!(later["serialNumber"], read(&first)["serialNumber"]);
    bench.write("Cargo.lock", mixed().replace("3.0.0", "3.0.1"));
    assert_ne!(read(&bytes("1700000000", "d.json"))["serialNumber"], read(&first)["serialNumber"]);
}

#[test]
fn what_the_tree_names_elsewhere_makes_the_list_incomplete() {
    let bench = Bench::new();
    bench.fresh().lock(&[("foo", "1.0.0")]).write("web/Cargo.lock", crate::bench::lock(&[("foo", "1.0.0")]));
    assert_eq!(bench.scan(&[]).code, 0);
    let whole = list(&bench);
    assert_eq!(whole["compositions"][0]["aggregate"], "complete");
    let places: BTreeSet<_> =
        whole["components"].as_array().unwrap().iter().map(|one| one["bom-ref"].as_str().unwrap()).collect();
    assert_eq!(places.len(), 4, "each with its file: {places:?}");
    let of_all = whole["metadata"]["properties"].as_array().unwrap();
    assert!(
        !of_all.iter().any(|one| one["name"] == "gitlab:dependency_scanning:input_file:path"),
        "{of_all:?}"
    );
    bench.write("yarn.lock", "");
    assert_eq!(bench.scan(&[]).code, 3);
    assert_eq!(list(&bench)["compositions"][0]["aggregate"], "incomplete");
}

#[test]
fn a_list_that_would_be_empty_is_none_and_one_that_was_asked_for_is_a_gap() {
    let bench = Bench::new();
    bench.fresh().lock(&[("foo", "1.0.0")]);
    let path = bench.at("reports/security-scan.cdx.json");
    assert_eq!(bench.scan(&[]).code, 0);
    assert!(path.is_file());
    std::fs::remove_file(bench.tree().join("Cargo.lock")).unwrap();
    bench.write("a.txt", "text");
    assert_eq!(bench.scan(&[]).code, 0);
    assert!(!path.exists(), "that of the run before is gone");
    let run = bench.scan(&["--sbom", "list.json"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(!bench.tree().join("list.json").exists());
}

#[test]
fn settings_that_contradict_each_other_are_invalid() {
    let bench = Bench::new();
    bench.fresh().lock(&[("foo", "1.0.0")]);
    assert_eq!(bench.scan(&["--only", "secrets", "--sbom", "list.json"]).code, 2);
    assert_eq!(bench.run_with(&[("SOURCE_DATE_EPOCH", "yesterday")], &[]).code, 2);
    assert_eq!(bench.scan(&["--plan"]).code, 0);
    assert!(!bench.at("reports/security-scan.cdx.json").exists());
}

#[test]
fn the_schema_of_cyclonedx_holds() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    bench
        .fresh()
        .write("Cargo.lock", mixed())
        .write("web/Cargo.lock", crate::bench::lock(&[("foo", "1.0.0")]));
    assert_eq!(bench.scan(&[]).code, 0);
    let check = "import sys\n\
                 from cyclonedx.schema import SchemaVersion\n\
                 from cyclonedx.validation.json import JsonStrictValidator\n\
                 error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
                 sys.exit(error and str(error))";
    let mut command = Command::new(python);
    let done = command.args(["-c", check]).arg(bench.at("reports/security-scan.cdx.json")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The Python that has CycloneDX's own validator, which `.ci/run` installs.
#[expect(clippy::disallowed_methods, reason = "a test has no context")]
fn python() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("WINDLASS_TEST_SCHEMAS").map(std::path::PathBuf::from);
    if folder.is_none() {
        let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!is_required, "WINDLASS_TEST_SCHEMAS is not set");
        #[expect(clippy::print_stderr, reason = "a skip is never silent")]
        {
            eprintln!(
                "skipped: WINDLASS_TEST_SCHEMAS names no folder whose bin/python has cyclonedx-python-lib[json-validation]; \
                 .ci/run makes it"
            );
        }
    }
    folder.map(|folder| folder.join("bin/python"))
}
