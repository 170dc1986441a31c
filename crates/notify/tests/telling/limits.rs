//! The limits that the vendors document, held by the longest texts; and what a usual message looks like.

use serde_json::{Value, json};
use windlass_notify::Letter;

use crate::said;

const SLACK: &str = "  - slack: URL";
const TEAMS: &str = "  - teams: URL";
const DISCORD: &str = "  - discord: URL";

/// Characters as the strictest of them counts.
fn units(value: &Value) -> usize {
    value.as_str().unwrap().encode_utf16().count()
}

fn long() -> Vec<String> {
    ["x", "<", "&", "*", "\u{202e}", "😀", "\"", "\\", "é", "`"]
        .iter()
        .map(|one| one.repeat(20_000))
        .collect()
}

/// The text that comes with Windlass, and a template that repeats a value many times.
fn with_template(yaml: &str) -> [String; 2] {
    let repeated = "{{ what }}{{ what }}{{ what }}{{ what }}{{ what }}{{ what }}{{ what }}{{ what }}";
    [yaml.to_owned(), format!("{yaml}\n    template: \"{}\"", repeated.repeat(10))]
}

#[test]
fn slacks_blocks_hold_no_more_than_slack_takes() {
    for text in long() {
        for yaml in with_template(SLACK) {
            let body = said::json(&yaml, &said::all(&text));
            let blocks = body["blocks"].as_array().unwrap();
            assert!(blocks.len() <= 50);
            assert!(units(&blocks[0]["text"]["text"]) <= 150);
            assert!((1..=3_000).contains(&units(&blocks[1]["text"]["text"])));
        }
    }
}

#[test]
fn a_message_for_teams_has_at_most_28_kilobytes() {
    for text in long() {
        for yaml in with_template(TEAMS) {
            let Letter::Post(body) = said::letter(&yaml, &said::all(&text)).unwrap() else {
                panic!("a post")
            };
            assert!(body.len() <= 28_000, "{} bytes", body.len());
        }
    }
}

#[test]
fn discords_embed_holds_no_more_than_discord_takes() {
    for text in long() {
        for yaml in with_template(DISCORD) {
            let body = said::json(&yaml, &said::all(&text));
            let embed = &body["embeds"][0];
            let (title, description) = (units(&embed["title"]), units(&embed["description"]));
            assert!(title <= 256 && description <= 4_096 && title + description <= 6_000);
            assert!(body.get("content").is_none(), "nothing stands outside of the embed");
        }
    }
}

#[test]
fn a_usual_message_says_what_happened() {
    let body = said::json(SLACK, &said::live());
    assert_eq!(body["text"], "shop is live in production");
    let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
    for part in [
        "r7 is live in production, after 4 steps",
        "Why: all checks passed",
        "Release: r7, after r6",
        "By: ana",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let link = "<https://github.example/o/shop/actions/runs/1|the run>";
    assert_eq!(body["blocks"][2]["elements"][0]["text"], link);
    let card = &said::json(TEAMS, &said::live())["attachments"][0]["content"];
    assert_eq!(card["body"][0]["inlines"][0]["text"], "shop is live in production");
    assert_eq!(card["actions"][0]["url"], "https://github.example/o/shop/actions/runs/1");
    let embed = &said::json(DISCORD, &said::live())["embeds"][0];
    assert_eq!(
        (&embed["title"], &embed["color"]),
        (&json!("shop is live in production"), &json!(0x002e_a043))
    );
    assert!(embed["description"].as_str().unwrap().contains(r"**Why:** all checks passed"));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut said = said::live();
    (said.why, said.next, said.commit, said.release) = (None, None, None, None);
    (said.before, said.plan, said.artifact, said.run) = (None, None, None, None);
    let body = said::json(SLACK, &said);
    let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
    assert_eq!(
        text,
        "r7 is live in production, after 4 steps\nBy: ana, GitHub Actions\nAt: 2026-11-26T15:00:00Z"
    );
    assert_eq!(body["blocks"].as_array().unwrap().len(), 2, "no link without a run");
}

#[test]
fn a_template_of_the_authors_own_is_markup_and_its_values_are_not() {
    let mut said = said::live();
    said.why = Some("*a* <b>".into());
    let text = |kind: &str| {
        let yaml = format!("  - {kind}: URL\n    template: \"*{{{{ app|upper }}}}* {{{{ why|safe }}}}\"");
        said::json(&yaml, &said)
    };
    let slack = &text("slack")["blocks"][1]["text"];
    assert_eq!(slack, &json!({ "type": "mrkdwn", "text": "*SHOP* *a* &lt;b&gt;", "verbatim": true }));
    let teams = &text("teams")["attachments"][0]["content"]["body"][1];
    assert_eq!(teams, &json!({ "type": "TextBlock", "text": r"*SHOP* \*a\* \<b\>", "wrap": true }));
    assert_eq!(text("discord")["embeds"][0]["description"], r"*SHOP* \*a\* \<b\>");
}

#[test]
fn a_webhook_sends_the_announcement_or_the_json_of_a_template() {
    let hook = "  - webhook: { url: URL, secret: KEY }";
    let said = said::live();
    let body = said::json(hook, &said);
    assert_eq!(serde_json::from_value::<windlass_domain::announcement::Announcement>(body).unwrap(), said);
    let mut hostile = said.clone();
    hostile.what = "\", \"admin\": true, \"x\": \"\n".into();
    let yaml = format!("{hook}\n    template: '{{\"text\": \"{{{{ what }}}}\"}}'");
    assert_eq!(said::json(&yaml, &hostile), json!({ "text": hostile.what }));
    let yaml = format!("{hook}\n    template: '{{{{ what }}}}'");
    let why = said::letter(&yaml, &said).unwrap_err();
    assert!(why.contains("does not make JSON"), "{why}");
}
