//! What GitHub's runner makes of a job's log and of its file of outputs, whatever text comes from outside: a branch, a title of a
//! pull request, a file's name, somebody's login.
//!
//! Source of its readers: `src/Runner.Common/ActionCommand.cs` for the log, `src/Runner.Worker/FileCommandManager.cs` for the
//! file, of actions/runner.

use std::collections::BTreeMap;

use proptest::prelude::*;
use windlass_ci::args::CiChoice;
use windlass_ci::context::Context;
use windlass_ci::host::{Host, detect};
use windlass_ci::report::{Annotation, Level};
use windlass_ci::sink;

/// Characters and openings that make trouble, more often than chance would have them.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("::".to_owned()),
        Just("::error file=x::".to_owned()),
        Just("::add-mask::".to_owned()),
        Just("::stop-commands::x".to_owned()),
        Just("##[add-path]".to_owned()),
        Just("##".to_owned()),
        Just("[".to_owned()),
        Just("%0A".to_owned()),
        Just("outcome<<EOF".to_owned()),
        Just("outcome=passed".to_owned()),
        Just("EOF".to_owned()),
        Just("${{ secrets.X }}".to_owned()),
        Just("`id`".to_owned()),
        Just("$(id)".to_owned()),
        Just("<img src=x>".to_owned()),
        Just("](https://evil.example)".to_owned()),
        Just("@everybody".to_owned()),
        Just("|".to_owned()),
        Just(",line=9".to_owned()),
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{200b}".to_owned()),
        Just("\u{1b}[2J".to_owned()),
        Just("\0".to_owned()),
        Just(" ".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat())
}

fn host(vars: &[(&str, String)]) -> Box<dyn Host> {
    let context = Context {
        args: Vec::new(),
        vars: vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
        folder: ".".into(),
        started: jiff::Timestamp::UNIX_EPOCH,
        stdout_is_terminal: false,
        stderr_is_terminal: false,
    };
    detect(CiChoice::Github, &context)
}

/// The commands that the runner finds in a log: name, properties, data. White space before one does not count.
fn commands(log: &str) -> Vec<(String, Vec<String>, String)> {
    let mut found = Vec::new();
    for line in log.lines() {
        if let Some((head, data)) =
            line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::"))
        {
            let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
            let keys = properties.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            found.push((name.to_owned(), keys.collect(), data.to_owned()));
        } else if let Some((_, rest)) = line.split_once("##[")
            && let Some((head, data)) = rest.split_once(']')
        {
            found.push((head.to_owned(), Vec::new(), data.to_owned()));
        }
    }
    found
}

/// What the runner takes out of a file of outputs.
fn outputs(text: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.split('\n');
    let mut read = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (name, end) = line.split_once("<<")?;
        let mut value = Vec::new();
        loop {
            match lines.next()? {
                line if line == end => break,
                line => value.push(line),
            }
        }
        read.push((name.to_owned(), value.join("\n")));
    }
    Some(read)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn an_annotation_is_one_command_with_its_own_properties(title in hostile(), message in hostile(), path in hostile()) {
        let one = Annotation { level: Level::Warning, title, message, path: Some(path), line: Some(7) };
        let log = host(&[]).annotations(&[one]);
        prop_assert_eq!(log.matches('\n').count(), 1);
        let found = commands(&log);
        prop_assert_eq!(found.len(), 1, "{:?}", log);
        let (name, keys, data) = &found[0];
        prop_assert_eq!(name, "warning");
        prop_assert_eq!(keys.join(" "), "file line title", "{:?}", log);
        // What the runner makes of the data is shown again, line by line: none of them is a command either.
        let shown = data.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
        prop_assert!(commands(&shown).is_empty(), "{:?}", shown);
    }

    #[test]
    fn a_group_opens_and_closes_and_does_nothing_else(title in hostile()) {
        let (begin, end) = host(&[]).group(&title);
        let names: Vec<String> = commands(&format!("{begin}{end}")).into_iter().map(|(name, _, _)| name).collect();
        prop_assert_eq!(names, ["group", "endgroup"], "{:?}", begin);
    }

    #[test]
    fn a_later_step_gets_these_outputs_and_no_others(values in prop::collection::vec(hostile(), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("output");
        let given: Vec<(String, String)> =
            values.into_iter().enumerate().map(|(index, value)| (format!("part-{index}"), value)).collect();
        host(&[("GITHUB_OUTPUT", file.display().to_string())]).outputs(&given).unwrap();
        let taken = outputs(&std::fs::read_to_string(file).unwrap());
        prop_assert_eq!(taken, Some(given));
    }

    #[test]
    fn who_ran_it_is_one_plain_line_wherever_it_is_shown(actor in hostile(), repository in hostile()) {
        let who = host(&[
            ("GITHUB_ACTOR", actor), ("GITHUB_REPOSITORY", repository), ("GITHUB_RUN_ID", "7".to_owned()),
        ]).who();
        let line = sink::line(&who);
        prop_assert!(!line.contains(|letter: char| letter.is_control()), "{:?}", line);
        prop_assert!(commands(&line).is_empty(), "{:?}", line);
        let cell = sink::markdown(&who);
        prop_assert!(!cell.contains(['\n', '<', '|']), "{:?}", cell);
    }
}
