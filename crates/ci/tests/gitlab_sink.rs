//! What GitLab makes of a job's log and of its dotenv file, whatever text comes from outside: a branch, a file's name, a
//! reason, somebody's login.
//!
//! Source of its readers: `lib/gitlab/ci/ansi2json/converter.rb` for sections, and
//! `app/services/ci/parse_dotenv_artifact_service.rb` for dotenv, of GitLab.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use windlass_ci::args::CiChoice;
use windlass_ci::context::Context;
use windlass_ci::host::{Host, Place, detect_at};
use windlass_ci::report::{Annotation, Level};

/// Characters and openings that make trouble, more often than chance would have them.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("section_start:1:x\r\u{1b}[0K".to_owned()),
        Just("section_end:1:x[collapsed=true]\r\u{1b}[0K".to_owned()),
        Just("section_start:1:x".to_owned()),
        Just("\u{1b}[31m".to_owned()),
        Just("\u{1b}]8;;https://evil.example\u{7}".to_owned()),
        Just("\u{9b}2J".to_owned()),
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\u{85}".to_owned()),
        Just("DEPLOY_OUTCOME=passed".to_owned()),
        Just("$CI_JOB_TOKEN".to_owned()),
        Just("${CI_JOB_TOKEN}".to_owned()),
        Just("$[[ inputs.x ]]".to_owned()),
        Just("=".to_owned()),
        Just("#".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("`id`".to_owned()),
        Just("$(id)".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\0".to_owned()),
        Just(" ".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat())
}

fn host(folder: &Path) -> Box<dyn Host> {
    let context = Context {
        args: Vec::new(),
        vars: BTreeMap::new(),
        folder: folder.to_owned(),
        started: jiff::Timestamp::UNIX_EPOCH,
        stdout_is_terminal: false,
        stderr_is_terminal: false,
    };
    detect_at(CiChoice::Gitlab, &context, &Place { tool: "deploy", folder: folder.to_owned() })
}

/// The marks of sections that GitLab finds in a log: `section_start:TIME:NAME`, options in brackets, `\r\e[0K`.
fn marks(log: &str) -> Vec<(&str, String)> {
    let mut marks = Vec::new();
    for kind in ["section_start:", "section_end:"] {
        for (at, _) in log.match_indices(kind) {
            let rest = &log[at + kind.len()..];
            let Some((head, _)) = rest.split_once("\r\u{1b}[0K") else { continue };
            let Some((time, name)) = head.split_once(':') else { continue };
            let (name, options) = name.split_at(name.find('[').unwrap_or(name.len()));
            // An option does not go over the end of a line.
            if !options.is_empty() && (!options.ends_with(']') || options.contains('\n')) {
                continue;
            }
            let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
            if !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()) && name.chars().all(fits) {
                marks.push((kind, name.to_owned()));
            }
        }
    }
    marks
}

/// What GitLab takes out of a dotenv file, line by line; `None` for a file that it refuses whole.
fn variables(text: &str) -> Option<Vec<(String, String)>> {
    if text.len() > 5 * 1024 {
        return None;
    }
    let lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (key, value) = line.split_once('=')?;
            let fits = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (fits && !key.is_empty()).then(|| (key.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn an_annotation_is_one_line_of_text(title in hostile(), message in hostile(), path in hostile()) {
        let folder = tempfile::tempdir().unwrap();
        let one = Annotation { level: Level::Error, title, message, path: Some(path), line: Some(1) };
        let log = host(folder.path()).annotations(&[one]);
        prop_assert_eq!(log.matches('\n').count(), 1);
        prop_assert!(log.starts_with("error: ") && log.ends_with('\n'), "{:?}", log);
        prop_assert!(!log.trim_end_matches('\n').contains(|letter: char| letter.is_control()), "{:?}", log);
        prop_assert!(marks(&log).is_empty(), "{:?}", log);
    }

    #[test]
    fn a_section_begins_and_ends_once_under_one_name(title in hostile()) {
        let folder = tempfile::tempdir().unwrap();
        let (begin, end) = host(folder.path()).group(&title);
        let log = format!("{begin}what is in it\n{end}");
        let found = marks(&log);
        prop_assert_eq!(found.len(), 2, "{:?} {:?}", begin, end);
        prop_assert_eq!((found[0].0, found[1].0), ("section_start:", "section_end:"));
        prop_assert_eq!(&found[0].1, &found[1].1);
        prop_assert_eq!(begin.matches('\u{1b}').count(), 1, "no colours of somebody else's: {:?}", begin);
    }

    #[test]
    fn a_later_job_gets_these_variables_and_no_others(values in prop::collection::vec(hostile(), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let given: Vec<(String, String)> =
            values.into_iter().enumerate().map(|(index, value)| (format!("part-{index}"), value)).collect();
        host(folder.path()).outputs(&given).unwrap();
        let text = std::fs::read_to_string(folder.path().join("deploy.env")).unwrap();
        let taken = variables(&text);
        prop_assert!(taken.is_some(), "GitLab refuses it: {:?}", text);
        let names: Vec<String> = taken.clone().unwrap().into_iter().map(|(name, _)| name).collect();
        let wanted: Vec<String> = (0..given.len()).map(|index| format!("DEPLOY_PART_{index}")).collect();
        prop_assert_eq!(names, wanted);
        for (_, value) in taken.unwrap() {
            // GitLab expands variables in a value where a later job uses it.
            prop_assert!(!value.contains('$'), "{:?}", value);
            prop_assert!(!value.contains(|letter: char| letter.is_control()), "{:?}", value);
        }
    }
}
