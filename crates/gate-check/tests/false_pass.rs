//! The matrix of false passes: every condition against everything that must not be taken for a pass, with a positive
//! control for each condition, without which the matrix could not fail.
//!
//! Reports are files that nobody signs: of them the columns are those that a file can have.

mod bench;

use bench::{Bench, Run};
use serde_json::{Value, json};
use windlass_domain::digest::Digest;
use windlass_evidence::sign::Signer;
use windlass_evidence::statement::Predicate;

const GOOD_JUNIT: &str = "<testsuite><testcase name='a' time='1'/><testcase name='b' time='1'/></testsuite>";
const GOOD_LCOV: &str =
    "TN:\nSF:src/a.rs\nFN:1,new\nFNDA:1,new\nDA:1,1\nDA:2,1\nBRDA:1,0,0,1\nend_of_record\n";
const GOOD_SARIF: &str =
    r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": []}]}"#;

/// A metric on reports: its bound, its report's name and content, and one that holds nothing.
const REPORTS: [(&str, &str, &str, &str, &str); 12] = [
    ("tests.total", ">= 1", "reports/junit.xml", GOOD_JUNIT, "<testsuite/>"),
    ("tests.failed", "== 0", "reports/junit.xml", GOOD_JUNIT, "<testsuite/>"),
    ("tests.skipped", "== 0", "reports/junit.xml", GOOD_JUNIT, "<testsuite tests='7'/>"),
    ("tests.flaky", "== 0", "reports/junit.xml", GOOD_JUNIT, "<testsuites></testsuites>"),
    ("tests.duration", "<= 10m", "reports/junit.xml", GOOD_JUNIT, "<testsuite/>"),
    ("coverage.lines", ">= 0%", "reports/lcov.info", GOOD_LCOV, "TN:\n"),
    ("coverage.branches", ">= 0%", "reports/lcov.info", GOOD_LCOV, "TN:\nSF:src/a.rs\nend_of_record\n"),
    (
        "coverage.functions",
        ">= 0%",
        "reports/lcov.info",
        GOOD_LCOV,
        "TN:\nSF:src/a.rs\nLF:9\nLH:9\nend_of_record\n",
    ),
    (
        "coverage.new_lines",
        ">= 0%",
        "reports/lcov.info",
        GOOD_LCOV,
        "TN:\nSF:src/b.rs\nDA:1,1\nend_of_record\n",
    ),
    ("coverage.lowest_file", ">= 0%", "reports/lcov.info", GOOD_LCOV, "TN:\n"),
    ("findings.error", "== 0", "reports/a.sarif", GOOD_SARIF, r#"{"version": "2.1.0", "runs": []}"#),
    (
        "findings.warning",
        "== 0",
        "reports/a.sarif",
        GOOD_SARIF,
        r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}"#,
    ),
];

fn assert_no_pass(run: &Run, metric: &str, case: &str) {
    let status = run.status(metric);
    assert!(matches!(run.code, 1 | 3 | 4), "{metric} × {case}: code {} {}", run.code, run.stderr);
    assert!(
        matches!(status.as_str(), "failed" | "missing" | "error" | "pending"),
        "{metric} × {case}: {status} {}",
        run.stdout
    );
}

fn assert_pass(run: &Run, metric: &str) {
    assert_eq!(run.code, 0, "the control of {metric}: {} {}", run.stdout, run.stderr);
    assert_eq!(run.status(metric), "passed", "the control of {metric}");
}

#[test]
fn no_condition_on_reports_passes_without_a_whole_report() {
    for (metric, bound, file, good, nothing) in REPORTS {
        let bench = Bench::new(&format!("gates: {{ {metric}: \"{bound}\" }}"));
        assert_no_pass(&bench.gate(), metric, "absent");
        bench.write(file, good.as_bytes());
        assert_pass(&bench.gate(), metric);
        let cut = &good.trim_end()[..good.trim_end().len() - 4];
        for (case, content) in
            [("empty", ""), ("blank", " \n\n"), ("truncated", cut), ("nothing in it", nothing)]
        {
            bench.write(file, content.as_bytes());
            assert_no_pass(&bench.gate(), metric, case);
        }
        // A whole report does not make up for one that is cut: what is missing may be what stands against it.
        bench.write(file, good.as_bytes());
        bench.write(&file.replace("reports/", "reports/more/"), cut.as_bytes());
        assert_no_pass(&bench.gate(), metric, "one of two truncated");
    }
}

/// A condition on statements, and what makes it pass.
struct Signed {
    metric: &'static str,
    demands: &'static str,
    predicate: Predicate,
    body: fn(&Bench) -> Value,
    /// The pointer to the time in the body.
    time: &'static str,
    /// The age in minutes at which it no longer counts; `None` where a later statement takes it back instead.
    stale_after: Option<i64>,
    /// Whether it is about one environment.
    local: bool,
}

fn vulnerabilities(bench: &Bench) -> Value {
    json!({
        "scanner": { "uri": "https://windlass.dev/security-scan", "version": "1", "db": {}, "result": [] },
        "metadata": { "scanStartedOn": bench.ago(2), "scanFinishedOn": bench.ago(1) },
    })
}

fn scan(bench: &Bench) -> Value {
    json!({ "at": bench.ago(1), "kinds": { "secrets": { "complete": true, "files": 3, "findings": 0 } } })
}

fn deploy(bench: &Bench) -> Value {
    bench.deployed("staging", 120)
}

fn approval(bench: &Bench) -> Value {
    json!({ "at": bench.ago(1), "environment": "production", "policy": bench.policy_digest(), "plan": "sha256:00" })
}

const fn vulnerable(metric: &'static str, demands: &'static str) -> Signed {
    Signed {
        metric,
        demands,
        predicate: Predicate::Vulnerabilities,
        body: vulnerabilities,
        time: "/metadata/scanFinishedOn",
        stale_after: Some(8 * 24 * 60),
        local: false,
    }
}

const SIGNED: [Signed; 8] = [
    vulnerable("vulnerabilities.critical", "gates: { vulnerabilities.critical: \"== 0\" }"),
    vulnerable("vulnerabilities.high", "gates: { vulnerabilities.high: \"== 0\" }"),
    vulnerable("vulnerabilities.medium", "gates: { vulnerabilities.medium: \"== 0\" }"),
    vulnerable("vulnerabilities.low", "gates: { vulnerabilities.low: \"== 0\" }"),
    Signed {
        metric: "secrets",
        demands: "gates: { secrets: \"== 0\" }",
        predicate: Predicate::Scan,
        body: scan,
        time: "/at",
        stale_after: Some(8 * 24 * 60),
        local: false,
    },
    Signed {
        metric: "needs",
        demands: "needs: [staging]\ngates: none",
        predicate: Predicate::Deploy,
        body: deploy,
        time: "/at",
        stale_after: None,
        local: true,
    },
    Signed {
        metric: "soak",
        demands: "needs: [staging]\nsoak: 30m\ngates: none",
        predicate: Predicate::Deploy,
        body: deploy,
        time: "/at",
        stale_after: None,
        local: true,
    },
    Signed {
        metric: "approval",
        demands: "gates: none\napproval: { count: 1, from: [\"key:ci\"], not_author: true, max_age: 24h }",
        predicate: Predicate::Approval,
        body: approval,
        time: "/at",
        stale_after: Some(25 * 60),
        local: true,
    },
];

/// One run with exactly the statements that `fill` appends.
fn with(signed: &Signed, fill: impl FnOnce(&Bench)) -> Run {
    let bench = Bench::new(signed.demands);
    fill(&bench);
    bench.gate()
}

fn set(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).expect("the body has this field") = value;
    body
}

#[test]
fn no_condition_on_evidence_passes_by_a_statement_that_does_not_count() {
    for signed in &SIGNED {
        let Signed { metric, predicate, body, time, .. } = *signed;
        let attest = |bench: &Bench, body: Value, signer: Option<&Signer>| {
            bench.attest(bench.artifact(), predicate, body, signer);
        };
        assert_pass(&with(signed, |bench| attest(bench, body(bench), Some(&bench.trusted))), metric);

        let no_pass = |case: &str, fill: &dyn Fn(&Bench)| assert_no_pass(&with(signed, fill), metric, case);
        no_pass("absent", &|_| {});
        no_pass("empty", &|bench| bench.write(".windlass/evidence.intoto.jsonl", b""));
        no_pass("truncated", &|bench| {
            attest(bench, body(bench), Some(&bench.trusted));
            let whole = std::fs::read(bench.evidence()).unwrap();
            bench.write(".windlass/evidence.intoto.jsonl", &whole[..whole.len() - 20]);
        });
        no_pass("wrong digest", &|bench| {
            bench.attest(Digest::of(b"another"), predicate, body(bench), Some(&bench.trusted));
        });
        no_pass("wrong key", &|bench| attest(bench, body(bench), Some(&bench.narrow)));
        no_pass("unknown key", &|bench| attest(bench, body(bench), Some(&bench.stranger)));
        no_pass("unsigned", &|bench| attest(bench, body(bench), None));
        no_pass("altered", &|bench| {
            attest(bench, body(bench), Some(&bench.trusted));
            let mut line: Value = serde_json::from_slice(&std::fs::read(bench.evidence()).unwrap()).unwrap();
            let other = bench.deployed("production", 3);
            attest(bench, other, Some(&bench.trusted));
            let text = std::fs::read_to_string(bench.evidence()).unwrap();
            let second: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
            line["signatures"] = second["signatures"].clone();
            bench.write(".windlass/evidence.intoto.jsonl", line.to_string().as_bytes());
        });
        no_pass("from the future", &|bench| {
            attest(bench, set(body(bench), time, json!(bench.ago(-60))), Some(&bench.trusted));
        });
        no_pass("without a time", &|bench| {
            attest(bench, set(body(bench), time, json!("soon")), Some(&bench.trusted))
        });
        match signed.stale_after {
            Some(minutes) => no_pass("stale", &|bench| {
                attest(bench, set(body(bench), time, json!(bench.ago(minutes))), Some(&bench.trusted));
            }),
            None => no_pass("revoked", &|bench| {
                attest(bench, body(bench), Some(&bench.trusted));
                let failed = set(bench.deployed("staging", 1), "/outcome", json!("failed"));
                attest(bench, failed, Some(&bench.trusted));
            }),
        }
        if signed.local {
            no_pass("replayed from another environment", &|bench| {
                attest(bench, set(body(bench), "/environment", json!("dev")), Some(&bench.trusted));
            });
            no_pass("under another policy", &|bench| {
                let policy = json!(Digest::of(b"another policy"));
                attest(bench, set(body(bench), "/policy", policy), Some(&bench.trusted));
            });
        }
    }
}

#[test]
fn tests_that_were_all_skipped_are_no_tests() {
    for (metric, bound, file, ..) in REPORTS.iter().filter(|(metric, ..)| metric.starts_with("tests.")) {
        let bench = Bench::new(&format!("gates: {{ {metric}: \"{}\" }}", bound.replace("== 0", "<= 9")));
        bench.write(file, b"<testsuite><testcase name='a' time='0'><skipped/></testcase></testsuite>");
        assert_no_pass(&bench.gate(), metric, "all skipped");
        let statements = bench.statements();
        assert_eq!(statements[0].predicate["result"], "FAILED", "{metric}");
    }
}

#[test]
fn incomplete_scan_is_no_scan_and_takes_the_earlier_ones_word_away() {
    let incomplete = |bench: &Bench, kind: &str| {
        let body = json!({ "at": bench.ago(0), "kinds": { kind: { "complete": false, "findings": 0 } } });
        bench.attest(bench.artifact(), Predicate::Scan, body, Some(&bench.trusted));
    };
    let run = with(&SIGNED[1], |bench| {
        bench.attest(
            bench.artifact(),
            Predicate::Vulnerabilities,
            vulnerabilities(bench),
            Some(&bench.trusted),
        );
        incomplete(bench, "dependencies");
    });
    assert_no_pass(&run, "vulnerabilities.high", "later incomplete scan");
    let run = with(&SIGNED[4], |bench| {
        bench.attest(bench.artifact(), Predicate::Scan, scan(bench), Some(&bench.trusted));
        incomplete(bench, "secrets");
    });
    assert_no_pass(&run, "secrets", "later incomplete scan");
}

#[test]
fn severity_that_is_not_understood_is_not_none() {
    let run = with(&SIGNED[1], |bench| {
        let odd = json!([{ "id": "X-1", "severity": [{ "method": "other", "score": "awful" }] }]);
        let body = set(vulnerabilities(bench), "/scanner/result", odd);
        bench.attest(bench.artifact(), Predicate::Vulnerabilities, body, Some(&bench.trusted));
    });
    assert_no_pass(&run, "vulnerabilities.high", "unknown severity");
}

#[test]
fn rolled_back_or_replaced_release_has_not_soaked() {
    let (needs, soak) = (&SIGNED[5], &SIGNED[6]);
    let rollback = |bench: &Bench| {
        bench.attest(bench.artifact(), Predicate::Deploy, deploy(bench), Some(&bench.trusted));
        bench.attest(
            bench.artifact(),
            Predicate::Rollback,
            bench.deployed("staging", 5),
            Some(&bench.trusted),
        );
    };
    assert_no_pass(&with(needs, rollback), "needs", "rolled back");
    assert_no_pass(&with(soak, rollback), "soak", "rolled back");
    let replaced = |bench: &Bench| {
        bench.attest(bench.artifact(), Predicate::Deploy, deploy(bench), Some(&bench.trusted));
        bench.attest(
            Digest::of(b"next"),
            Predicate::Deploy,
            bench.deployed("staging", 110),
            Some(&bench.trusted),
        );
    };
    assert_no_pass(&with(soak, replaced), "soak", "replaced after ten minutes");
    let young = with(soak, |bench| {
        bench.attest(bench.artifact(), Predicate::Deploy, bench.deployed("staging", 5), Some(&bench.trusted));
    });
    assert_eq!((young.code, young.status("soak").as_str()), (4, "pending"));
}

#[test]
fn approval_by_the_commits_author_does_not_count() {
    let bench = Bench::new(SIGNED[7].demands);
    let text = std::fs::read_to_string(bench.path("windlass.yml")).unwrap();
    bench.write("windlass.yml", text.replace("ci@example.org", "Ana@example.org").as_bytes());
    bench.attest(bench.artifact(), Predicate::Approval, approval(&bench), Some(&bench.trusted));
    let run = bench.gate();
    assert_eq!((run.code, run.status("approval").as_str()), (4, "pending"));
    assert!(run.stdout.contains("author"), "{}", run.stdout);
}

#[test]
fn freeze_holds_and_its_absence_passes() {
    let over = Bench::new("gates: none\nfreeze: [{ from: 2020-01-01, to: 2020-01-02 }]").gate();
    assert_pass(&over, "freeze");
    let on = Bench::new("gates: none\nfreeze: [{ from: 2020-01-01, to: 2199-01-02, reason: audit }]").gate();
    assert_eq!((on.code, on.status("freeze").as_str()), (4, "pending"));
    assert!(on.stdout.contains("2199-01-03T00:00:00Z") && on.stdout.contains("audit"), "{}", on.stdout);
}
