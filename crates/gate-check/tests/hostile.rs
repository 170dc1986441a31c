//! No report, however it is damaged, makes a reader panic or grow.

mod bench;

use bench::fixture;
use proptest::prelude::*;
use windlass_gate_check::report;

const FIXTURES: [&str; 12] = [
    "junit/nested.xml",
    "junit/flaky.xml",
    "junit/cdata.xml",
    "junit/latin1.xml",
    "junit/utf16.xml",
    "junit/entity.xml",
    "lcov/v1.info",
    "lcov/v2.info",
    "cobertura/classes.xml",
    "sarif/levels.sarif",
    "sarif/run-failed.sarif",
    "sarif/clean.sarif",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn damaged_report_is_read_or_refused(
        name in proptest::sample::select(&FIXTURES),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..12),
    ) {
        let mut bytes = fixture(name);
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at),
                _ => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
            }
        }
        let _ = report::read(&bytes[..]);
    }

    #[test]
    fn noise_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = report::read(&bytes[..]);
    }
}

#[test]
fn declaration_longer_than_the_decoders_first_look_is_read() {
    let spaces = " ".repeat(200);
    let text = format!(
        "<?xml version=\"1.0\"{spaces}encoding=\"ISO-8859-1\"?><testsuite><testcase name='a' time='1'/></testsuite>"
    );
    assert!(report::read(text.as_bytes()).is_ok());
}

#[test]
fn encoding_that_nobody_knows_is_refused() {
    let text = "<?xml version='1.0' encoding='klingon'?><testsuite><testcase name='a'/></testsuite>";
    assert!(report::read(text.as_bytes()).unwrap_err().to_string().contains("klingon"));
}

#[test]
fn elements_that_nest_without_end_are_refused() {
    let text = "<testsuite>".repeat(100_000);
    assert!(report::read(text.as_bytes()).unwrap_err().to_string().contains("nest deeper"));
}
