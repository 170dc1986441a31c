//! The binary from outside: wiring, exit codes, documents, what it leaves behind.

mod bench;

use bench::{Bench, fixture};
use windlass_evidence::statement::Predicate;

const TESTS: &str = "gates:\n  tests.failed: \"== 0\"\n  tests.total: \">= 1\"";
const GREEN: &[u8] =
    b"<testsuite><testcase name='a' time='1'/><testcase name='b' time='1'><skipped/></testcase></testsuite>";

#[test]
fn passed_gate_leaves_two_signed_statements_that_count() {
    let bench = Bench::new(TESTS);
    bench.write("reports/junit.xml", GREEN);
    let run = bench.gate();
    assert_eq!((run.code, run.document["outcome"].as_str()), (0, Some("passed")), "{}", run.stderr);
    let statements = bench.statements();
    let types: Vec<&str> = statements.iter().map(|one| one.predicate_type.as_str()).collect();
    assert_eq!(types, [Predicate::TestResult.uri(), Predicate::Gate.uri()]);
    assert!(statements.iter().all(|one| one.names(bench.artifact()) && one.subject.len() == 2));
    let (tests, gate) = (&statements[0].predicate, &statements[1].predicate);
    assert_eq!((&tests["result"], &tests["counts"]["passed"]), (&"PASSED".into(), &1.into()));
    assert_eq!(gate["verificationResult"], "PASSED");
    assert_eq!(gate["resourceUri"], "windlass:environment/production");
    assert_eq!(gate["verifiedLevels"][0], "WINDLASS_GATE_PASSED");
    assert_eq!(gate["inputAttestations"][0]["uri"], "reports/junit.xml");
    assert!(
        bench.path(".windlass/gate-check.json").exists() && bench.path(".windlass/gate-check.md").exists()
    );
}

#[test]
fn failed_gate_says_what_was_observed_required_where_and_next() {
    let bench = Bench::new(TESTS);
    bench.write("reports/junit.xml", &fixture("junit/nested.xml"));
    let run = bench.run(&["-e", "production"]);
    assert_eq!(run.code, 1);
    let digest = windlass_domain::digest::Digest::of(&fixture("junit/nested.xml")).to_string();
    let said =
        run.stdout.replace(&digest, "DIGEST").replace(&bench.evidence().display().to_string(), "EVIDENCE");
    insta::assert_snapshot!(said, @"
    gate of production: failed
      ✗ tests.failed  1  (required == 0)
          where: reports/junit.xml DIGEST
          worst: inner::fails (src/inner.rs:12): expected 1, got 2
          next: mend the failing tests
      ✓ tests.total   3  (required >= 1)
      without --signing-key this verdict is unsigned, and later tools will not accept it
      2 statements added to EVIDENCE (unsigned: no --signing-key)
    ");
    let gate = &bench.statements()[1].predicate;
    assert_eq!((&gate["verificationResult"], &gate["windlassOutcome"]), (&"FAILED".into(), &"failed".into()));
    assert_eq!(gate["verifiedLevels"].as_array().map(Vec::len), Some(0));
}

#[test]
fn reports_that_are_missing_truncated_or_without_a_test_are_named() {
    let cases: [(Option<&str>, i32, &str); 4] = [
        (None, 1, "no report of tests was found"),
        (Some("junit/truncated.xml"), 3, "is truncated"),
        (Some("junit/empty.xml"), 3, "is empty"),
        (Some("junit/zero.xml"), 1, "hold no test"),
    ];
    for (name, code, said) in cases {
        let bench = Bench::new(TESTS);
        if let Some(name) = name {
            bench.write("reports/junit.xml", &fixture(name));
        }
        let run = bench.gate();
        assert_eq!(run.code, code, "{name:?}: {}", run.stdout);
        assert!(
            run.document["reasons"][0]["why"].as_str().unwrap().contains(said),
            "{name:?}: {}",
            run.stdout
        );
    }
}

#[test]
fn plan_changes_nothing() {
    let bench = Bench::new(TESTS);
    bench.write("reports/junit.xml", GREEN);
    assert_eq!(bench.run(&["-e", "production", "--plan"]).code, 0);
    assert!(!bench.evidence().exists());
}

#[test]
fn glob_that_matches_nothing_and_a_wrong_environment_are_no_pass() {
    let bench = Bench::new(TESTS);
    bench.write("reports/junit.xml", GREEN);
    let run = bench.run(&["-e", "production", "--reports", "reports/*.xml", "--reports", "other/*.xml"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stdout.contains("no file matches"), "{}", run.stdout);
    assert_eq!(bench.run(&["-e", "prod"]).code, 2);
    assert_eq!(bench.run(&["--no-such-flag"]).code, 2);
}

#[test]
fn environment_that_demands_nothing_passes_and_says_so() {
    let bench = Bench::new("gates: none");
    let run = bench.run(&["-e", "production"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("gates: none") && run.stdout.contains("unsigned"), "{}", run.stdout);
}

#[test]
fn unsigned_evidence_counts_only_where_the_policy_says_so_and_the_report_says_it_too() {
    let signed = Bench::new("needs: [staging]\ngates: none");
    signed.attest(signed.artifact(), Predicate::Deploy, signed.deployed("staging", 5), None);
    assert_eq!(signed.gate().code, 1);
    let unsigned = Bench::new("needs: [staging]\ngates: none\nevidence: unsigned");
    unsigned.attest(unsigned.artifact(), Predicate::Deploy, unsigned.deployed("staging", 5), None);
    let run = unsigned.run(&["-e", "production"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("accepts unsigned evidence"), "{}", run.stdout);
}

#[test]
fn advisory_miss_is_told_and_lets_on() {
    let bench =
        Bench::new("gates:\n  tests.total: \">= 1\"\n  tests.skipped: { bound: \"== 0\", advisory: true }");
    bench.write("reports/junit.xml", GREEN);
    let run = bench.gate();
    assert_eq!((run.code, run.status("tests.skipped").as_str()), (0, "advisory"));
}

#[test]
fn read_says_what_is_understood_and_cannot_pass_what_is_not() {
    let bench = Bench::new("gates: none");
    bench.write("one", &fixture("junit/nested.xml"));
    bench.write("two", &fixture("lcov/v1.info"));
    bench.write("three", &fixture("cobertura/truncated.xml"));
    let run = bench.run(&["read", "one", "two"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("3 tests: 1 failed, 1 skipped, 0 flaky"), "{}", run.stdout);
    assert!(run.stdout.contains("2 files: 4 of 6 lines"), "{}", run.stdout);
    let run = bench.run(&["read", "one", "three", "--format", "json"]);
    assert_eq!((run.code, run.document["code"].as_u64()), (3, Some(3)));
    assert_eq!(run.document["reports"][0]["tests"]["failed"], 1);
    assert!(run.document["reports"][1]["trouble"].as_str().unwrap().contains("truncated"));
    assert_eq!(bench.run(&["read", "no-such-file"]).code, 3);
    assert_eq!(bench.run(&["read"]).code, 2);
}

#[test]
fn texts_of_a_report_cannot_speak_to_the_ci_system() {
    let bench = Bench::new(TESTS);
    let name = "&#10;::error::owned&#27;[2J";
    let report = format!(
        "<testsuite><testcase name='{name}' time='1'><failure message='{name}'/></testcase></testsuite>"
    );
    bench.write("reports/junit.xml", report.as_bytes());
    for ci in ["none", "github", "gitlab"] {
        let run = bench.run(&["-e", "production", "--ci", ci]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        for line in run.stdout.lines().chain(run.stderr.lines()) {
            assert!(!line.trim_start().starts_with("::error::owned"), "{ci}: {line}");
        }
        assert!(!run.stdout.contains("\u{1b}[2J") && !run.stderr.contains("\u{1b}[2J"), "{ci}");
    }
}
