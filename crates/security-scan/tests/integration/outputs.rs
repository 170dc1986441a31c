//! SARIF, evidence, the document and the terminal: what others read of a scan.

use crate::bench::{Bench, PATCHED, token};
use serde_json::json;

fn digest() -> String {
    format!("sha256:{}", "ab".repeat(32))
}

/// A tree with a critical secret, a high vulnerability and a low notice.
fn full() -> Bench {
    let bench = Bench::new();
    bench
        .advisory("RUSTSEC-2026-0002", "foo", 9, PATCHED)
        .advisory("RUSTSEC-2026-0005", "foo", 9, "informational = \"unmaintained\"\n[versions]\npatched = []")
        .lock(&[("foo", "1.0.0")])
        .write("src/a b.txt", format!("{}\n", token()));
    bench
}

#[test]
fn people_read_the_verdict_first() {
    let bench = full();
    let run = bench.scan(&[]);
    assert_eq!(run.code, 1);
    let text = run.stdout.replace(" 10 days old", " 9 days old");
    insta::assert_snapshot!(text, @"
    security-scan: failed: secrets (1 critical) and dependencies (1 high, 1 low); accepted is only what is below high
      critical  secret.github-token  src/a b.txt:1  a GitHub token
      high      RUSTSEC-2026-0002    Cargo.lock:11  foo 1.0.0: Something is wrong in foo; fixed in >=1.2.0
      low       RUSTSEC-2026-0005    Cargo.lock:11  foo 1.0.0: Something is wrong in foo; no fixed version
    scanned: 2 files (233 B) for secrets, 0 binary ones left out; 1 package of 1 lock file against 2 advisories, the newest 9 days old
    evidence: nothing appended: no windlass.yml and no --artifact that it could be about
    more: windlass explain secret.github-token
    ");
}

#[test]
fn sarif_has_what_the_standard_and_github_demand() {
    let bench = full();
    bench.scan(&[]);
    let log = bench.sarif();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert!(run["tool"]["driver"]["name"].is_string());
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let levels: Vec<_> = results.iter().map(|result| result["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "error", "note"]);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["help"]["text"].as_str().unwrap().trim().is_empty());
        assert!(rule["properties"]["security-severity"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
        assert_eq!(result["partialFingerprints"]["windlass/v1"].as_str().unwrap().len(), 32);
        assert!(result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap() > 0);
        assert!(result["locations"][0]["physicalLocation"]["region"].get("snippet").is_none());
    }
    let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "src/a%20b.txt");
}

#[test]
fn sarif_says_that_a_scan_was_not_complete() {
    let bench = Bench::new();
    bench.lock(&[("foo", "1.0.0")]);
    assert_eq!(bench.scan(&[]).code, 3);
    let invocation = &bench.sarif()["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["toolExecutionNotifications"][0]["descriptor"]["id"], "scan.database-missing");
}

#[test]
fn sarif_goes_where_it_is_asked_for() {
    let bench = full();
    let path = bench.at("elsewhere/x.sarif");
    bench.scan(&["--sarif", path.to_str().unwrap()]);
    assert!(path.is_file() && !bench.at("reports/security-scan.sarif").exists());
}

#[test]
fn a_complete_scan_gives_both_statements() {
    let bench = full();
    bench.scan(&["--artifact", &digest()]);
    let [vulnerabilities, scan] = &bench.statements()[..] else { panic!("two statements") };
    assert_eq!(vulnerabilities["predicateType"], "https://in-toto.io/attestation/vulns/v0.2");
    assert_eq!(vulnerabilities["subject"][0]["digest"]["sha256"], "ab".repeat(32));
    let body = &vulnerabilities["predicate"];
    assert!(body["scanner"]["db"]["lastUpdate"].as_str().unwrap().ends_with("T00:00:00Z"));
    assert!(body["metadata"]["scanStartedOn"].as_str() <= body["metadata"]["scanFinishedOn"].as_str());
    let result = body["scanner"]["result"].as_array().unwrap();
    let severities: Vec<_> = result.iter().map(|entry| (&entry["id"], &entry["severity"])).collect();
    assert_eq!(
        severities,
        [
            (&json!("RUSTSEC-2026-0002"), &json!([{ "method": "windlass", "score": "high" }])),
            (&json!("RUSTSEC-2026-0005"), &json!([{ "method": "windlass", "score": "low" }])),
        ]
    );
    assert_eq!(scan["predicateType"], "https://windlass.dev/attestation/scan/v1");
    let expected = json!({
        "dependencies": { "complete": true, "packages": 1, "findings": { "critical": 0, "high": 1, "medium": 0, "low": 1 } },
        "secrets": { "complete": true, "files": 2, "findings": 1 },
    });
    assert_eq!(scan["predicate"]["kinds"], expected);
    assert!(scan["predicate"]["at"].is_string());
}

#[test]
fn an_incomplete_scan_of_dependencies_gives_no_vulnerability_statement() {
    let stale = Bench::new();
    stale.advisory("RUSTSEC-2026-0002", "foo", 40, PATCHED).lock(&[("foo", "1.2.0")]);
    let missing = Bench::new();
    missing.lock(&[("foo", "1.2.0")]);
    let none = Bench::new();
    none.fresh().write("a.txt", "no lock file at all");
    let other = Bench::new();
    other.fresh().lock(&[("foo", "1.2.0")]).write("yarn.lock", "");
    for bench in [stale, missing, none, other] {
        bench.scan(&["--artifact", &digest()]);
        let statements = bench.statements();
        assert_eq!(statements.len(), 1);
        assert_eq!(statements[0]["predicateType"], "https://windlass.dev/attestation/scan/v1");
        assert_eq!(statements[0]["predicate"]["kinds"]["dependencies"]["complete"], false);
        assert_eq!(statements[0]["predicate"]["kinds"]["secrets"]["complete"], true);
    }
}

#[test]
fn what_was_not_asked_for_is_not_in_the_evidence() {
    let bench = full();
    bench.scan(&["--artifact", &digest(), "--only", "secrets"]);
    let [scan] = &bench.statements()[..] else { panic!("one statement") };
    assert_eq!(scan["predicate"]["kinds"].as_object().unwrap().keys().collect::<Vec<_>>(), ["secrets"]);
}

#[test]
fn a_plan_appends_nothing() {
    let bench = full();
    assert_eq!(bench.scan(&["--artifact", &digest(), "--plan"]).code, 1);
    assert!(bench.statements().is_empty());
    assert!(!bench.at("reports/security-scan.sarif").exists());
}

#[test]
fn a_key_that_cannot_sign_and_an_artifact_that_is_not_there_are_invalid() {
    let bench = full();
    let run = bench.run_with(&[("WINDLASS_SIGNING_KEY", "not a key")], &["--artifact", &digest()]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(bench.scan(&["--artifact", "nowhere"]).code, 2);
    assert!(bench.statements().is_empty());
}

#[test]
fn the_document_matches_its_schema() {
    let bench = full();
    let document = bench.scan(&["--format", "json"]).json();
    let schema = serde_json::to_value(schemars::schema_for!(windlass_security_scan::Own)).unwrap();
    for name in schema["required"].as_array().unwrap() {
        assert!(!document[name.as_str().unwrap()].is_null(), "{name}");
    }
    let finding = document["findings"][0].as_object().unwrap();
    let described = schema["$defs"]["Finding"]["properties"].as_object().unwrap();
    assert_eq!(finding.keys().collect::<Vec<_>>(), described.keys().collect::<Vec<_>>());
}

#[test]
fn topics_are_there_for_every_rule_and_reason() {
    let bench = full();
    bench.write("go.sum", "").write("sub/Cargo.lock", "");
    let document = bench.run(&["--format", "json"]).json();
    let known: Vec<&str> = windlass_security_scan::TOPICS.iter().map(|topic| topic.key).collect();
    for finding in document["findings"].as_array().unwrap() {
        assert!(known.contains(&finding["rule"].as_str().unwrap()), "{finding}");
    }
    for reason in document["reasons"].as_array().unwrap() {
        let what = reason["what"].as_str().unwrap();
        assert!(known.contains(&what) || ["secrets", "dependencies"].contains(&what), "{what}");
    }
}

#[test]
fn gitlab_gets_a_report_of_each_kind_that_was_scanned_as_its_schema_demands() {
    let bench = full();
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let on_gitlab = [("GITLAB_CI", "true"), ("CI_COMMIT_SHA", sha)];
    let database = bench.at("db");
    let run = bench.run_with(&on_gitlab, &["--database", database.to_str().unwrap()]);
    assert_eq!(run.code, 1);
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(bench.at(&format!("reports/{name}"))).unwrap()).unwrap()
    };
    let (secrets, dependencies) =
        (read("gl-secret-detection-report.json"), read("gl-dependency-scanning-report.json"));
    for (report, kind, count) in
        [(&secrets, "secret_detection", 1), (&dependencies, "dependency_scanning", 2)]
    {
        assert_eq!((&report["version"], &report["scan"]["type"]), (&json!("15.2.1"), &json!(kind)));
        assert_eq!(report["scan"]["status"], "success");
        for who in ["analyzer", "scanner"] {
            for word in ["id", "name", "version"] {
                assert!(!report["scan"][who][word].as_str().unwrap().is_empty());
            }
            assert!(report["scan"][who]["vendor"]["name"].is_string());
        }
        for time in ["start_time", "end_time"] {
            let text = report["scan"][time].as_str().unwrap();
            assert!(text.len() == 19 && text.as_bytes()[10] == b'T' && !text.ends_with('Z'), "{text}");
        }
        let found = report["vulnerabilities"].as_array().unwrap();
        assert_eq!(found.len(), count);
        for one in found {
            assert!(!one["id"].as_str().unwrap().is_empty());
            assert!(["Low", "Medium", "High", "Critical"].contains(&one["severity"].as_str().unwrap()));
            assert!(one["identifiers"][0]["value"].is_string() && one["identifiers"][0]["name"].is_string());
            assert!(one["location"]["start_line"].as_u64().unwrap() > 0);
        }
    }
    assert_eq!(secrets["vulnerabilities"][0]["location"]["commit"]["sha"], sha);
    assert_eq!(dependencies["vulnerabilities"][0]["location"]["dependency"]["package"]["name"], "foo");
    assert!(!secrets.to_string().contains(token().trim()), "no secret in it");
}

#[test]
fn gitlab_gets_no_report_of_what_was_not_scanned_and_a_failed_one_of_a_gap() {
    let bench = Bench::new();
    bench.lock(&[("foo", "1.0.0")]);
    let database = bench.at("db");
    let only = |kind: &str| {
        let words = ["--database", database.to_str().unwrap(), "--only", kind];
        bench.run_with(&[("GITLAB_CI", "true")], &words).code
    };
    let (secrets, dependencies) = (
        bench.at("reports/gl-secret-detection-report.json"),
        bench.at("reports/gl-dependency-scanning-report.json"),
    );
    assert_eq!(only("secrets"), 0);
    assert!(secrets.is_file() && !dependencies.exists());
    assert_eq!(only("dependencies"), 3);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(dependencies).unwrap()).unwrap();
    assert_eq!(report["scan"]["status"], "failure");
    assert_eq!(report["scan"]["messages"][0]["level"], "fatal");
    std::fs::remove_file(&secrets).unwrap();
    assert_eq!(bench.run(&["--only", "secrets"]).code, 0);
    assert!(!secrets.exists(), "elsewhere nobody reads it");
}
