//! Text from outside, in every field and in every medium: it is shown, and does nothing.

use proptest::prelude::*;
use serde_json::Value;
use windlass_domain::shown;
use windlass_notify::Letter;

use crate::said;

/// What somebody would write into a branch's name, a reason, or an actor's.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "\n\n",
    "\u{b}",
    "\u{85}",
    "\u{2028}",
    "\0",
    "\u{1b}[31m",
    "<!channel>",
    "<!here|x>",
    "<@U024BE7LH>",
    "<https://evil.example|safe>",
    "@everyone",
    "@here",
    "<@&1>",
    "<#1>",
    "<t:1:R>",
    "<at>ana</at>",
    "[x](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "https://evil.example/?a=b&c=d",
    "www.evil.example",
    "**b**",
    "__u__",
    "~~s~~",
    "||h||",
    "`c`",
    "```\n",
    "\n# h",
    "\n- l",
    "\n1. l",
    "\n> q",
    "\n---\n",
    "| a | b |",
    "&lt;",
    "&amp;",
    "&#60;",
    "\\",
    "\\\\",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{feff}",
    "\u{e0041}",
    "::error::x",
    "##[error]x",
    "{{ app }}",
    "{% raw %}",
    "${{ github.token }}",
    "\r\nBcc: x@evil.example",
    "\r\n.\r\n",
    "\r\n\r\n<html>",
    "\"",
    "'",
    "\",\"x\":\"",
    ":smile:",
    "é",
    "שלום",
    "😀",
    "x",
    " ",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Every text of a document, with its path.
fn texts<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v str)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, &format!("{path}/"), found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, item)| texts(item, &format!("{path}/{name}"), found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The document without its texts: what a hostile text must not be able to change.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::Null,
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(name, item)| (name.clone(), shape(item))).collect(),
        other => other.clone(),
    }
}

/// Nothing that is not shown, and line breaks only where the template has them.
#[track_caller]
fn is_plain(text: &str) {
    let hidden = text.chars().find(|character| *character != '\n' && shown::is_hidden(*character));
    assert_eq!(hidden, None, "{text:?}");
}

/// Whether Slack finds nothing in it that it would act on.
#[track_caller]
fn is_inert_for_slack(text: &str) {
    is_plain(text);
    assert!(!text.contains(['<', '>']), "{text:?}");
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        rest = &rest[at..];
        assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity)), "{text:?}");
        rest = &rest[1..];
    }
}

/// Whether Markdown finds nothing in it: each ASCII punctuation mark stands behind a backslash of its own.
#[track_caller]
fn is_inert_as_markdown(text: &str) {
    is_plain(text);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            assert!(characters.next().is_some_and(|next| next.is_ascii_punctuation()), "{text:?}");
        } else {
            assert!(!character.is_ascii_punctuation(), "{character:?} in {text:?}");
        }
    }
}

/// A message whose page of the run is not a link, so that every medium has the same shape.
fn unlinked(text: &str) -> windlass_domain::announcement::Announcement {
    let mut said = said::all(text);
    said.run = Some(format!("javascript:{text}"));
    said
}

/// What the words of an announcement are as lines of a message, by the same template and a harmless text.
fn harmless(text: &str) -> windlass_domain::announcement::Announcement {
    unlinked(if text.is_empty() { "" } else { "x" })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slack_shows_it_and_does_nothing(text in text()) {
        let yaml = "  - slack: URL";
        let body = said::json(yaml, &unlinked(&text));
        let expected = said::json(yaml, &harmless(&text));
        assert_eq!(shape(&body), shape(&expected));
        let mut found = Vec::new();
        texts(&body, "", &mut found);
        found.iter().for_each(|(_, text)| is_inert_for_slack(text));
        let lines = |body: &Value| body["blocks"][1]["text"]["text"].as_str().unwrap().lines().count();
        assert_eq!(lines(&body), lines(&expected));
        assert_eq!(body["blocks"][1]["text"]["type"], "plain_text");
        let own = said::json("  - slack: URL\n    template: '{{ what }}{{ why|safe }}{{ by|upper }}'", &unlinked(&text));
        is_inert_for_slack(own["blocks"][1]["text"]["text"].as_str().unwrap());
        assert!(!own["blocks"][1]["text"]["text"].as_str().unwrap().contains('\n'));
    }

    #[test]
    fn teams_shows_it_and_does_nothing(text in text()) {
        let yaml = "  - teams: URL";
        let body = said::json(yaml, &unlinked(&text));
        assert_eq!(shape(&body), shape(&said::json(yaml, &harmless(&text))));
        let mut found = Vec::new();
        texts(&body, "", &mut found);
        for (path, text) in found {
            is_plain(text);
            assert!(!text.contains('\n'));
            assert!(text != "TextBlock" && text != "Action.OpenUrl", "what reads Markdown is not used at {path}");
        }
        let own = said::json("  - teams: URL\n    template: '{{ what }}{{ why|safe }}'", &unlinked(&text));
        let own = &own["attachments"][0]["content"]["body"][1];
        assert_eq!(&own["type"], "TextBlock");
        is_inert_as_markdown(own["text"].as_str().unwrap());
    }

    #[test]
    fn discord_shows_it_and_does_nothing(text in text()) {
        let yaml = "  - discord: URL";
        let body = said::json(yaml, &unlinked(&text));
        let expected = said::json(yaml, &harmless(&text));
        assert_eq!(shape(&body), shape(&expected));
        assert_eq!(&body["allowed_mentions"], &serde_json::json!({ "parse": [] }));
        is_inert_as_markdown(body["embeds"][0]["title"].as_str().unwrap());
        let description = |body: &Value| body["embeds"][0]["description"].as_str().unwrap().to_owned();
        assert_eq!(description(&body).lines().count(), description(&expected).lines().count());
        let own = said::json("  - discord: URL\n    template: '{{ what }}{{ why|safe }}'", &unlinked(&text));
        is_inert_as_markdown(&description(&own));
    }

    #[test]
    fn a_mail_shows_it_and_does_nothing(text in text()) {
        let yaml = "  - email: { smtp: m:25, from: a@b, to: c@d }";
        let mail = |said| match said::letter(yaml, &said).unwrap() {
            Letter::Mail { subject, text } => (subject, text),
            Letter::Post(_) => panic!("a mail"),
        };
        let (subject, body) = mail(unlinked(&text));
        is_plain(&subject);
        is_plain(&body);
        assert!(!subject.contains('\n'));
        assert!(!body.contains("://"), "{body:?}");
        assert_eq!(body.lines().count(), mail(harmless(&text)).1.lines().count());
    }

    #[test]
    fn a_webhook_hands_it_on_as_it_is(text in text()) {
        let hook = "  - webhook: { url: URL, secret: KEY }";
        let said = said::all(&text);
        let got: windlass_domain::announcement::Announcement =
            serde_json::from_value(said::json(hook, &said)).unwrap();
        assert_eq!(got, said);
        let yaml = format!("{hook}\n    template: '{{\"a\": \"{{{{ what }}}}\", \"b\": [\"{{{{ why|safe }}}}\"]}}'");
        assert_eq!(said::json(&yaml, &said), serde_json::json!({ "a": text, "b": [text] }));
    }
}
