//! Slack: Block Kit by an incoming webhook (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! The text that comes with Windlass is `plain_text`, in which nothing is markup. A template of the author's own is
//! `mrkdwn`, `verbatim`, so that nothing but its own `<…>` is a link or a mention.

use serde_json::{Value, json};
use windlass_domain::announcement::Announcement;

use crate::card::Card;
use crate::inert;

/// The most of a header, in characters.
const HEADER: usize = 150;
/// The most of one text block, in characters.
const TEXT: usize = 3_000;

/// What comes with Windlass.
const MESSAGE: &str = include_str!("../templates/plain.txt");

/// The body of the request.
///
/// # Errors
/// A sentence where the template fails.
pub(crate) fn body(said: &Announcement, template: Option<&str>) -> Result<Value, String> {
    let card = Card::new(said, template.unwrap_or(MESSAGE), inert::slack)?;
    let text = match template {
        None => json!({ "type": "plain_text", "text": card.text(TEXT), "emoji": false }),
        Some(_) => json!({ "type": "mrkdwn", "text": card.text(TEXT), "verbatim": true }),
    };
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": card.title(HEADER), "emoji": false } }),
        json!({ "type": "section", "text": text }),
    ];
    if let Some(link) = &card.link {
        // `&` is the one character of a link that Slack gives a meaning to.
        let text = format!("<{}|the run>", link.replace('&', "&amp;"));
        blocks.push(
            json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text, "verbatim": true }] }),
        );
    }
    // `text` is what a notification on a telephone shows.
    Ok(json!({
        "text": card.title(TEXT),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    }))
}
