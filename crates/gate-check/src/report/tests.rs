use super::model::{Coverage, Findings, Share, Tests};
use super::*;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn parsed(name: &str) -> Content {
    read(&bytes(name)[..]).unwrap_or_else(|trouble| panic!("{name} {trouble}")).content
}

fn tests(name: &str) -> Tests {
    match parsed(name) {
        Content::Tests(tests) => tests,
        Content::Coverage(_) | Content::Findings(_) => panic!("{name} is not about tests"),
    }
}

fn coverage(name: &str) -> Coverage {
    match parsed(name) {
        Content::Coverage(coverage) => coverage,
        Content::Tests(_) | Content::Findings(_) => panic!("{name} is not about coverage"),
    }
}

fn findings(name: &str) -> Findings {
    match parsed(name) {
        Content::Findings(findings) => findings,
        Content::Tests(_) | Content::Coverage(_) => panic!("{name} is not about findings"),
    }
}

fn trouble(name: &str) -> String {
    match read(&bytes(name)[..]) {
        Ok(parsed) => panic!("{name} was read: {parsed:?}"),
        Err(trouble) => trouble.to_string(),
    }
}

#[test]
fn junit_cases_are_counted_wherever_they_stand_and_totals_are_not_believed() {
    let tests = tests("junit/nested.xml");
    assert_eq!((tests.total, tests.failed, tests.skipped, tests.flaky), (3, 1, 1, 0));
    assert_eq!(tests.duration.as_millis(), 160 + 160 + 14_029_255);
    let offender = &tests.offenders[0];
    assert_eq!((offender.name.as_str(), offender.message.as_str()), ("inner::fails", "expected 1, got 2"));
    assert_eq!((offender.path.as_deref(), offender.line), (Some("src/inner.rs"), Some(12)));
}

#[test]
fn junit_retries_buy_a_label_and_an_unreadable_time_hides_no_result() {
    let tests = tests("junit/flaky.xml");
    assert_eq!((tests.total, tests.failed, tests.flaky, tests.untimed), (3, 1, 1, 1));
    assert_eq!(tests.flaky_offenders[0].message, "timed out");
}

#[test]
fn junit_suite_that_could_not_be_collected_is_a_failure() {
    assert_eq!(tests("junit/suite-error.xml").failed, 1);
}

#[test]
fn junit_totals_that_accuse_raise_a_doubt() {
    assert_eq!(tests("junit/accuses.xml").doubts.len(), 1);
    assert!(tests("junit/nested.xml").doubts.is_empty());
}

#[test]
fn junit_markup_in_cdata_is_text() {
    let tests = tests("junit/cdata.xml");
    assert_eq!((tests.total, tests.failed), (1, 1));
    assert_eq!(tests.offenders[0].message, "assertion failed: left == right <failure/> </testcase>");
}

#[test]
fn junit_is_read_in_its_encoding() {
    for name in ["junit/latin1.xml", "junit/utf16.xml"] {
        let tests = tests(name);
        assert_eq!(
            (tests.offenders[0].name.as_str(), tests.offenders[0].message.as_str()),
            ("café", "gâté"),
            "{name}"
        );
    }
    assert_eq!(tests("junit/says-utf16.xml").total, 1);
}

#[test]
fn lcov_sections_of_one_file_are_joined_and_totals_are_not_believed() {
    let coverage = coverage("lcov/v1.info");
    assert_eq!(coverage.files.keys().collect::<Vec<_>>(), ["src/a.rs", "src/win/b.rs"]);
    let file = &coverage.files["src/a.rs"];
    assert_eq!(file.lines.share(), Share { hit: 3, found: 4 });
    assert_eq!(file.branches.share(), Share { hit: 2, found: 3 });
    assert_eq!(file.functions.share(), Share { hit: 1, found: 2 });
    assert_eq!(coverage.lines(), Share { hit: 4, found: 6 });
}

#[test]
fn lcov_two_names_its_functions_by_index() {
    let coverage = coverage("lcov/v2.info");
    assert_eq!(coverage.functions(), Share { hit: 1, found: 2 });
    assert_eq!(coverage.branches(), Share { hit: 1, found: 2 });
    assert_eq!(coverage.lines(), Share { hit: 2, found: 3 });
}

#[test]
fn cobertura_methods_and_classes_of_one_file_do_not_count_a_line_twice() {
    let coverage = coverage("cobertura/classes.xml");
    assert_eq!(coverage.files.keys().collect::<Vec<_>>(), ["p/a.py", "p/b.py"]);
    assert_eq!(coverage.sources, ["/build/src", "C:/other"]);
    let file = &coverage.files["p/a.py"];
    assert_eq!(file.lines.share(), Share { hit: 3, found: 5 });
    assert_eq!(file.branches.share(), Share { hit: 1, found: 2 });
    assert_eq!(file.functions.share(), Share { hit: 1, found: 2 });
    assert_eq!(coverage.lowest()[0].0, "p/b.py");
}

#[test]
fn sarif_levels_come_from_the_result_or_its_rule_and_suppressed_ones_do_not_count() {
    let findings = findings("sarif/levels.sarif");
    assert_eq!((findings.errors, findings.warnings, findings.notes, findings.suppressed), (4, 1, 2, 1));
    let own = findings.error_offenders.iter().find(|offender| offender.path.is_some()).unwrap();
    assert_eq!((own.path.as_deref(), own.line), (Some("src/a.js"), Some(7)));
    assert_eq!(findings.warning_offenders[0].name, "nobody");
    assert_eq!(self::findings("sarif/clean.sarif"), Findings::default());
}

#[test]
fn reports_without_anything_in_them_hold_nothing() {
    assert_eq!(tests("junit/zero.xml").total, 0);
    for name in ["lcov/nothing.info", "lcov/no-lines.info", "cobertura/nothing.xml"] {
        assert_eq!(coverage(name).lines().percent(), None, "{name}");
    }
}

#[test]
fn what_cannot_be_read_whole_is_named_with_its_place() {
    let names = [
        "junit/empty.xml",
        "junit/truncated.xml",
        "junit/truncated-tag.xml",
        "junit/entity.xml",
        "junit/entity-undeclared.xml",
        "junit/utf16-truncated.xml",
        "junit/not-utf8.xml",
        "lcov/truncated.info",
        "lcov/truncated-inside.info",
        "lcov/malformed.info",
        "cobertura/truncated.xml",
        "cobertura/clover.xml",
        "cobertura/malformed.xml",
        "sarif/truncated.sarif",
        "sarif/no-runs.sarif",
        "sarif/no-results.sarif",
        "sarif/run-failed.sarif",
        "sarif/old.sarif",
        "sarif/not-sarif.json",
    ];
    let said: Vec<String> = names.iter().map(|name| format!("{name} {}", trouble(name))).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    junit/empty.xml is empty
    junit/truncated.xml is truncated: the file ends inside an element (line 2)
    junit/truncated-tag.xml is truncated: tag not closed: `>` not found before end of input (line 1)
    junit/entity.xml is refused: the document declares entities, which are not resolved (line 1)
    junit/entity-undeclared.xml is refused: entity "x" is not resolved (line 1)
    junit/utf16-truncated.xml is not well-formed: cannot decode input using UTF-16LE (line 2)
    junit/not-utf8.xml is not well-formed: cannot decode input using UTF-8 (line 1)
    lcov/truncated.info is truncated: no end_of_record for "src/a.rs" (line 5)
    lcov/truncated-inside.info is truncated: no end_of_record for "src/a.rs" before the next SF (line 4)
    lcov/malformed.info is not well-formed: unreadable record "DA:one,1" (line 3)
    cobertura/truncated.xml is truncated: tag not closed: `>` not found before end of input (line 16)
    cobertura/clover.xml is not a known report: XML with the root element "coverage"
    cobertura/malformed.xml is not well-formed: line 1 without a readable count of hits (line 1)
    sarif/truncated.sarif is truncated: the file ends inside of the JSON document (line 12)
    sarif/no-runs.sarif is not well-formed: no run: nothing was looked for
    sarif/no-results.sarif is not well-formed: a run without results: nothing was looked for (line 1)
    sarif/run-failed.sarif is not well-formed: the tool says itself that its run did not succeed (line 1)
    sarif/old.sarif is not a known report: SARIF version "1.0.0"; only 2.1.0 is read
    sarif/not-sarif.json is not a known report: a JSON document that is not SARIF
    "#);
}

#[test]
fn every_prefix_of_a_report_is_an_error_or_holds_no_more_than_the_whole() {
    for name in ["junit/nested.xml", "cobertura/classes.xml", "sarif/levels.sarif"] {
        let whole = bytes(name);
        let end = whole.trim_ascii_end().len();
        for length in 0..end {
            assert!(read(&whole[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

#[test]
fn log_in_cdata_far_larger_than_the_buffers_is_read_through() {
    // The reader hands on markup only: a text a thousand times its buffer passes through one of fixed size.
    let start = b"<testsuite><testcase name='a' time='1'><system-out><![CDATA[".as_slice();
    let end = b"]]></system-out></testcase></testsuite>".as_slice();
    let log = io::repeat(b'x').take(64 * 1024 * 1024);
    let parsed = read(start.chain(log).chain(end)).unwrap();
    assert!(matches!(parsed.content, Content::Tests(Tests { total: 1, failed: 0, .. })));
}
