//! The conditions as JUnit XML: what CI systems and we ourselves read of them.

mod bench;

use std::fs;
use std::path::Path;
use std::process::Command;

use bench::Bench;
use windlass_gate_check::report::model::{Content, Tests};
use windlass_gate_check::report::{self, Parsed};

const GREEN: &[u8] = b"<testsuite><testcase name='a' time='1'/></testsuite>";

/// A failed test, a finding whose texts XML cannot hold, no coverage, an advice that is not followed, a freeze, and a pass.
const DEMANDS: &str = "gates:
  tests.total: \">= 1\"
  tests.failed: \"== 0\"
  tests.skipped: { bound: \">= 1\", advisory: true }
  coverage.lines: \">= 80%\"
  findings.error: \"== 0\"
  secrets: \"== 0\"
approval: { count: 1, from: [\"key:ci\"] }
freeze: [{ from: 2020-01-01, to: 2100-01-01, timezone: UTC }]";

const HOSTILE: &str = "]]></failure><b> & \\\" ' ::error:: \\u0000\\u000b\\ufffe\\uffff";

fn red() -> Bench {
    let bench = Bench::new(DEMANDS);
    let tests = "<testsuite><testcase name='a' time='1'/><testcase name='&lt;b&gt;&amp;&quot;' time='1'>\
                 <failure message=\"expected &lt;1&gt; &amp; got '2'\"/></testcase></testsuite>";
    bench.write("reports/junit.xml", tests.as_bytes());
    let sarif = format!(
        "{{\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{{\"driver\":{{\"name\":\"lint\"}}}},\"results\":[{{\"ruleId\":\"{HOSTILE}\",\
         \"level\":\"error\",\"message\":{{\"text\":\"{HOSTILE}\"}}}}]}}]}}"
    );
    bench.write("reports/lint.sarif", sarif.as_bytes());
    bench
}

fn read(bytes: &[u8]) -> Tests {
    match report::read(bytes) {
        Ok(Parsed { content: Content::Tests(tests), .. }) => tests,
        other => panic!("not a report of tests: {other:?}"),
    }
}

#[test]
fn every_condition_is_a_case_and_is_read_back_as_it_was_judged() {
    let bench = red();
    let run = bench.gate();
    assert_eq!(run.code, 1, "{}", run.stderr);
    let bytes = fs::read(bench.path(".windlass/gate-check.junit.xml")).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let tests = read(&bytes);
    let conditions = run.document["conditions"].as_array().unwrap();
    let with = |words: &[&str]| {
        let is_one = |one: &&serde_json::Value| words.contains(&one["status"].as_str().unwrap());
        conditions.iter().filter(is_one).count() as u64
    };
    let judged_no = with(&["failed", "missing"]);
    let unjudged = with(&["error", "pending"]);
    let let_on = with(&["advisory", "waived", "not-applicable", "left-to-deploy"]);
    assert!(judged_no >= 3 && unjudged >= 1 && let_on == 1 && with(&["passed"]) == 1, "{conditions:?}");
    assert_eq!(tests.total, conditions.len() as u64);
    assert_eq!((tests.failed, tests.skipped), (judged_no + unjudged, let_on));
    assert!(tests.of_a_gate && tests.doubts.is_empty(), "{tests:?}");
    let root = format!("tests=\"{}\" failures=\"{judged_no}\" errors=\"{unjudged}\"", conditions.len());
    assert_eq!(text.matches(&root).count(), 2, "{text}");
    for condition in conditions {
        let (metric, bound) = (condition["metric"].as_str().unwrap(), condition["bound"].as_str().unwrap());
        let name = format!("gate of production::{metric} {bound}");
        let red = tests.offenders.iter().find(|offender| offender.name == name);
        let lets_on = ["passed", "advisory"].contains(&condition["status"].as_str().unwrap());
        assert_eq!(red.is_none(), lets_on, "{name}");
        let reasons = run.document["reasons"].as_array().unwrap();
        if let Some(reason) = reasons.iter().find(|reason| reason["what"] == metric)
            && let (Some(red), Some(why)) = (red, condition["why"].as_str())
        {
            assert_eq!(red.message, format!("{why}; next: {}", reason["next"].as_str().unwrap()));
        }
    }
    assert!(text.contains("worst: &lt;b&gt;&amp;&quot;: expected &lt;1&gt; &amp; got &#39;2&#39;"), "{text}");
    assert!(text.contains(r"\u{0}\u{b}\u{fffe}\u{ffff}") && !text.contains("<b>"), "{text}");
}

#[test]
fn a_gates_verdict_is_never_counted_as_tests() {
    let bench = Bench::new("gates:\n  tests.failed: \"== 0\"\n  tests.total: \">= 1\"");
    let judge = || bench.run(&["-e", "production", "--format", "json", "--junit", "reports/junit-gate.xml"]);
    let without = judge();
    assert_eq!((without.code, without.status("tests.total").as_str()), (1, "missing"), "{}", without.stderr);
    assert!(bench.path("reports/junit-gate.xml").exists());
    // As another environment's gate leaves it; its own it takes away itself.
    fs::copy(bench.path("reports/junit-gate.xml"), bench.path("reports/junit-other.xml")).unwrap();
    let again = judge();
    assert_eq!((again.code, again.status("tests.total").as_str()), (1, "missing"), "{}", again.stdout);
    bench.write("reports/junit.xml", GREEN);
    let green = judge();
    let total =
        green.document["conditions"].as_array().unwrap().iter().find(|one| one["metric"] == "tests.total");
    assert_eq!((green.code, total.unwrap()["observed"].as_str()), (0, Some("1")), "{}", green.stdout);
}

#[test]
fn a_plan_writes_no_cases_and_an_environment_without_gates_has_none() {
    let bench = red();
    bench.run(&["-e", "production", "--plan"]);
    assert!(!bench.path(".windlass/gate-check.junit.xml").exists());
    assert_eq!(bench.run(&["-e", "dev"]).code, 0);
    let tests = read(&fs::read(bench.path(".windlass/gate-check.junit.xml")).unwrap());
    assert_eq!((tests.total, tests.of_a_gate, tests.tried()), (0, true, false));
}

#[test]
fn a_run_that_cannot_judge_leaves_no_cases_of_the_run_before() {
    let bench = red();
    assert_eq!(bench.run(&["-e", "dev"]).code, 0);
    assert!(bench.path(".windlass/gate-check.junit.xml").exists());
    assert_eq!(bench.run(&["-e", "nowhere"]).code, 2);
    assert!(!bench.path(".windlass/gate-check.junit.xml").exists());
}

#[test]
fn a_file_that_cannot_be_written_is_no_pass() {
    let bench = Bench::new("gates:\n  tests.total: \">= 1\"");
    bench.write("reports/junit.xml", GREEN);
    bench.write("taken", b"");
    let run = bench.run(&["-e", "production", "--junit", "taken/gate.xml"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("taken/gate.xml"), "{}", run.stderr);
}

#[test]
fn the_schema_of_jenkins_holds() {
    let Some(schemas) = schemas() else { return };
    for environment in ["production", "dev"] {
        let bench = red();
        bench.run(&["-e", environment]);
        let check = "import sys, xmlschema; xmlschema.XMLSchema(sys.argv[1]).validate(sys.argv[2])";
        let mut command = Command::new(schemas.join("bin/python"));
        command.args(["-c", check]).arg(schemas.join("junit-10.xsd"));
        let done = command.arg(bench.path(".windlass/gate-check.junit.xml")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// The folder of schemas and of the Python that holds files against them, which `.ci/run` makes.
#[expect(clippy::disallowed_methods, reason = "a test has no context")]
fn schemas() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("WINDLASS_TEST_SCHEMAS").map(|folder| Path::new(&folder).to_owned());
    if folder.is_none() {
        let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!is_required, "WINDLASS_TEST_SCHEMAS is not set");
        #[expect(clippy::print_stderr, reason = "a skip is never silent")]
        {
            eprintln!(
                "skipped: WINDLASS_TEST_SCHEMAS names no folder with junit-10.xsd and a bin/python that has xmlschema; \
                 .ci/run makes it"
            );
        }
    }
    folder
}
