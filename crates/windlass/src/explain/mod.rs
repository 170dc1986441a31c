//! `windlass explain`: what an exit code, a metric, a step, a strategy or an error means, and what to do.

use std::fmt::Write as _;
use std::process::ExitCode;

use anstyle::Style;
use clap::Parser;
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::{tool, topics};
use windlass_domain::explain::Topic;
use windlass_domain::policy::METRICS;

mod strategies;
mod words;

/// Say what an exit code, metric, step, strategy or error means, and what to do
///
/// Alone, it lists everything that it can explain.
#[derive(Debug, Parser)]
#[command(name = "explain", version)]
pub(crate) struct Arguments {
    /// An exit code (3), an outcome (held), a metric (tests.failed), a step (shift), a strategy (canary), an error
    /// (policy.needs); its kind may stand before it: `strategy canary`
    #[arg(value_name = "WHAT", num_args = 0..=2)]
    what: Vec<String>,
}

pub(crate) fn run(context: Context) -> ExitCode {
    match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => tool::finish("explain", named(&arguments.what).and_then(explain)),
        Err(code) => code,
    }
}

/// The kinds that may stand before a word, and the group that each means.
const KINDS: [(&str, &str); 4] = [
    ("strategy", "strategies"),
    ("step", "steps of a rollout"),
    ("metric", "metrics"),
    ("code", "exit codes"),
];

/// The word that is asked for, where one is.
fn named(words: &[String]) -> Result<Option<&str>> {
    match words {
        [] => Ok(None),
        [what] => Ok(Some(what)),
        [kind, what, ..] => {
            let group = KINDS.iter().find(|(one, _)| one == kind).map(|(_, group)| *group);
            let is_there = entries().iter().any(|entry| Some(entry.group) == group && entry.key == what);
            if is_there {
                return Ok(Some(what));
            }
            let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
            Err(Failure::invalid(&topics::USAGE, format!("nothing called {kind:?} {what:?} to explain"))
                .hint(format!("give the word alone, or one of {} before it", kinds.join(", "))))
        }
    }
}

/// One thing that can be explained, from wherever it is declared.
#[derive(Clone, Debug)]
struct Entry {
    group: &'static str,
    key: &'static str,
    means: String,
    next: String,
}

impl Entry {
    fn topic(group: &'static str, topic: &Topic) -> Self {
        Self { group, key: topic.key, means: topic.means.to_owned(), next: topic.next.to_owned() }
    }
}

/// Everything, in the order in which it is listed.
fn entries() -> Vec<Entry> {
    let groups: [(&str, &[&Topic]); 14] = [
        ("exit codes", words::CODES),
        ("outcomes", words::OUTCOMES),
        ("strategies", words::STRATEGIES),
        ("steps of a rollout", words::STEPS),
        ("errors of every tool", topics::TOPICS),
        ("mistakes in windlass.yml", windlass_domain::policy::TOPICS),
        ("gate-check", windlass_gate_check::TOPICS),
        ("security-scan", windlass_security_scan::TOPICS),
        ("deploy and rollback", windlass_deploy::TOPICS),
        ("health-verify", windlass_health_verify::TOPICS),
        ("status, history, hold", crate::live::TOPICS),
        ("conformance", crate::conformance::TOPICS),
        ("notify", crate::notify::TOPICS),
        ("windlassd", windlass_windlassd::TOPICS),
    ];
    let metrics = METRICS.iter().map(|metric| Entry {
        group: "metrics",
        key: metric.name,
        means: metric.means.to_owned(),
        next: format!("Bound it under `gates` of an environment: `{}: \"{}\"`.", metric.name, metric.example),
    });
    let mut entries: Vec<Entry> = Vec::new();
    for (group, topics) in groups {
        entries.extend(topics.iter().map(|topic| Entry::topic(group, topic)));
        if group == "steps of a rollout" {
            entries.extend(metrics.clone());
        }
    }
    entries.extend(windlass_rollback::TOPICS.iter().map(|topic| Entry::topic("deploy and rollback", topic)));
    entries
}

fn explain(what: Option<&str>) -> Result<String> {
    let entries = entries();
    let Some(what) = what else { return Ok(list(&entries)) };
    let wanted = what.trim().to_ascii_lowercase();
    let Some(entry) = entries.iter().find(|entry| entry.key == wanted) else {
        let failure = Failure::invalid(&topics::USAGE, format!("nothing called {what:?} to explain"));
        return Err(match nearest(&wanted, entries.iter().map(|entry| entry.key)) {
            Some(near) => failure.hint(format!("did you mean `windlass explain {near}`?")),
            None => failure.hint("`windlass explain` alone lists everything"),
        });
    };
    let bold = Style::new().bold();
    let (on, off) = (bold.render(), bold.render_reset());
    let steps = if entry.group == "strategies" { strategies::steps(entry.key) } else { None };
    let steps = steps.unwrap_or_default();
    Ok(format!("{on}{}{off}\n  {}\n{steps}{on}next{off}\n  {}\n", entry.key, entry.means, entry.next))
}

fn list(entries: &[Entry]) -> String {
    let bold = Style::new().bold();
    let mut text = String::new();
    let mut groups: Vec<&str> = Vec::new();
    for entry in entries {
        if !groups.contains(&entry.group) {
            groups.push(entry.group);
        }
    }
    for group in groups {
        writeln!(text, "{}{group}:{}", bold.render(), bold.render_reset())
            .expect("writing to a string cannot fail");
        let keys: Vec<&str> =
            entries.iter().filter(|entry| entry.group == group).map(|entry| entry.key).collect();
        writeln!(text, "  {}\n", keys.join(", ")).expect("writing to a string cannot fail");
    }
    text.push_str("`windlass explain WHAT` says what one means and what to do.\n");
    text
}

/// The known word that is most like `word`, where one is alike at all.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|one| {
            // The last part of a dotted word alone is how people remember it.
            let last = one.rsplit('.').next().unwrap_or(one);
            (strsim::jaro_winkler(word, one).max(strsim::jaro_winkler(word, last) - 0.05), one)
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_topic_says_something_and_no_two_have_one_key() {
        let entries = entries();
        let mut seen = BTreeMap::new();
        for entry in &entries {
            assert_eq!(seen.insert(entry.key, entry.group), None, "{} stands twice", entry.key);
            assert!(
                entry.key.bytes().all(|byte| byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || b".-_*".contains(&byte)),
                "{}",
                entry.key
            );
            for (what, text) in [("means", &entry.means), ("next", &entry.next)] {
                assert!(text.split_whitespace().count() >= 3, "{}: {what} is too short: {text}", entry.key);
                assert!(
                    !text.contains('\n') && text.ends_with(['.', '`', ')']),
                    "{}: {what}: {text}",
                    entry.key
                );
            }
        }
        assert!(entries.len() > 60, "{}", entries.len());
    }

    #[test]
    fn every_outcome_and_its_code_are_explained() {
        for outcome in windlass_domain::outcome::Outcome::ALL {
            assert!(
                explain(Some(outcome.word())).is_ok() && explain(Some(&outcome.code().to_string())).is_ok()
            );
        }
    }

    #[test]
    fn unknown_word_names_the_nearest() {
        for (given, expected) in
            [("helt", "held"), ("tests.faild", "tests.failed"), ("bluegreen", "blue-green")]
        {
            let failure = explain(Some(given)).unwrap_err();
            assert_eq!(failure.hints, [format!("did you mean `windlass explain {expected}`?")]);
        }
        assert_eq!(explain(Some("zzzz")).unwrap_err().hints, ["`windlass explain` alone lists everything"]);
    }
}
