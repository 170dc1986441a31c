//! What is sent to Slack, Teams and Discord, against what their vendors publish: types, and Microsoft's parser of cards.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use windlass_domain::announcement::Moment;

use crate::{said, tool};

/// What `vendors.cjs` says of payloads, and whether it takes them all; `None` where the tools are missing.
fn judged(items: &[Value]) -> Option<(bool, String)> {
    let node = tool("node", "apt-get install nodejs")?;
    let modules = modules()?;
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/telling/vendors.cjs");
    let mut child = Command::new(node)
        .arg(script)
        .arg(modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let items = serde_json::to_string(items).unwrap();
    child.stdin.take().unwrap().write_all(items.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

/// The `node_modules` with the vendors' packages.
#[expect(clippy::disallowed_methods, reason = "a test asks where tools are, and whether they must be")]
fn modules() -> Option<PathBuf> {
    const INSTALL: &str = "npm install --ignore-scripts --legacy-peer-deps typescript@5.9.3 @slack/types@3.2.0 \
        discord-api-types@0.38.57 @microsoft/teams.cards@2.1.0 adaptivecards@3.0.6, and name its node_modules in \
        WINDLASS_VENDOR_MODULES";
    let found = std::env::var_os("WINDLASS_VENDOR_MODULES").map(PathBuf::from).filter(|path| path.is_dir());
    if found.is_none() {
        assert!(
            !std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1"),
            "the vendors' types are missing: {INSTALL}"
        );
        eprintln!("skipped: the vendors' types are missing: {INSTALL}");
    }
    found
}

/// Every kind of message, in every moment, with the text that comes with Windlass and with a template.
fn all() -> Vec<Value> {
    let mut items = Vec::new();
    for kind in ["slack", "teams", "discord"] {
        for moment in Moment::ALL {
            let said = windlass_domain::announcement::Announcement { moment, ..said::live() };
            for yaml in
                [format!("  - {kind}: URL"), format!("  - {kind}: URL\n    template: '*{{{{ what }}}}*'")]
            {
                items.push(json!({ "kind": kind, "payload": said::json(&yaml, &said) }));
            }
        }
        let payload = said::json(&format!("  - {kind}: URL"), &said::all("<b>\n\"'`\\@everyone"));
        items.push(json!({ "kind": kind, "payload": payload }));
    }
    items
}

#[test]
fn every_message_is_one_that_its_vendor_describes() {
    let Some((good, told)) = judged(&all()) else { return };
    assert!(good && told.contains("51 payloads, 0 faults"), "{told}");
}

#[test]
fn a_message_that_no_vendor_describes_is_seen() {
    let item = |kind: &str| json!({ "kind": kind, "payload": said::json(&format!("  - {kind}: URL"), &said::live()) });
    let mut broken =
        vec![item("slack"), item("slack"), item("discord"), item("discord"), item("teams"), item("teams")];
    broken[0]["payload"]["blocks"][1]["type"] = json!("paragraph");
    broken[1]["payload"]["blocks"][0]["text"]["type"] = json!("mrkdwn");
    broken[2]["payload"]["embeds"][0]["colour"] = json!(1);
    broken[3]["payload"]["allowed_mentions"]["parse"] = json!(["all"]);
    broken[4]["payload"]["attachments"][0]["content"]["body"][0]["type"] = json!("RichText");
    broken[5]["payload"]["attachments"][0]["content"]["body"][0]["inlines"][0]["color"] = json!("green");
    let Some((good, told)) = judged(&broken) else { return };
    assert!(!good, "{told}");
    for kind in ["slack: ", "discord: ", "teams: "] {
        let faults = told.lines().filter(|line| line.starts_with(kind)).count();
        assert!(faults >= 2, "both of {kind} are seen: {told}");
    }
}
