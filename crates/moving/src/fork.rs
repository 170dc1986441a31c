//! Whether a run is of a fork's pull request, by the event that GitHub hands it: the token of such a run only reads, whatever
//! the workflow asks for.
//!
//! Source: "Events that trigger workflows", `pull_request`, "Workflows in forked repositories", of GitHub's documentation.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use windlass_ci::context::Context;

/// Events whose token only reads where they are of a fork; `pull_request_target` is not one.
const READ_ONLY: [&str; 3] = ["pull_request", "pull_request_review", "pull_request_review_comment"];

/// The largest event that is read, in bytes; GitHub's own are smaller than 25 MB.
const LARGEST: u64 = 32 * 1024 * 1024;

/// The fork that the run's pull request comes from. An event that cannot be read names none: then nothing is excused.
pub(crate) fn fork(context: &Context) -> Option<String> {
    context.var("GITHUB_EVENT_NAME").filter(|name| READ_ONLY.contains(name))?;
    let event = event(&context.folder.join(context.var("GITHUB_EVENT_PATH")?))?;
    let name = |side: &str| event.pointer(&format!("/pull_request/{side}/repo/full_name"));
    let base = name("base").and_then(Value::as_str)?;
    match event.pointer("/pull_request/head/repo") {
        // GitHub says null of a fork that was deleted.
        Some(Value::Null) => Some("a fork that is gone".to_owned()),
        _ => {
            let head = name("head").and_then(Value::as_str)?;
            (!head.eq_ignore_ascii_case(base)).then(|| format!("the fork {head}"))
        }
    }
}

fn event(path: &Path) -> Option<Value> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found for an event of this name and text.
    fn found(name: &str, text: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("event.json"), text).unwrap();
        let vars = [("GITHUB_EVENT_NAME", name), ("GITHUB_EVENT_PATH", "event.json")];
        fork(&Context {
            args: Vec::new(),
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            folder: folder.path().to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        })
    }

    fn of(head: &str) -> String {
        format!(
            r#"{{ "pull_request": {{ "head": {{ "repo": {head} }}, "base": {{ "repo": {{ "full_name": "shop/shop" }} }} }} }}"#
        )
    }

    #[test]
    fn a_pull_request_of_another_repository_is_a_forks_and_no_other() {
        let (fork, own) = (of(r#"{ "full_name": "eve/shop" }"#), of(r#"{ "full_name": "Shop/shop" }"#));
        let cases = [
            ("pull_request", fork.as_str(), Some("the fork eve/shop")),
            ("pull_request", own.as_str(), None),
            ("pull_request", &of("null"), Some("a fork that is gone")),
            ("pull_request_target", fork.as_str(), None),
            ("push", "{}", None),
            ("pull_request", "{}", None),
            ("pull_request", "{", None),
        ];
        for (name, text, expected) in cases {
            assert_eq!(found(name, text).as_deref(), expected, "{name}: {text}");
        }
    }
}
