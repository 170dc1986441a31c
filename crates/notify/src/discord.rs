//! Discord: one embed by a webhook (<https://discord.com/developers/docs/resources/webhook#execute-webhook>).
//!
//! Mentions notify nobody: `allowed_mentions` names none, and nothing stands outside of the embed.

use serde_json::{Value, json};
use windlass_domain::announcement::Announcement;

use crate::card::{Card, Colour};
use crate::inert;

/// The most of a title, in characters.
const TITLE: usize = 256;
/// The most of a description, in characters; with the title less than the 6,000 of all embeds.
const DESCRIPTION: usize = 4_096;

/// What comes with Windlass.
const MESSAGE: &str = include_str!("../templates/discord.md");

/// The body of the request.
///
/// # Errors
/// A sentence where the template fails.
pub(crate) fn body(said: &Announcement, template: Option<&str>) -> Result<Value, String> {
    let card = Card::new(said, template.unwrap_or(MESSAGE), inert::markdown)?;
    let colour = match card.colour {
        Colour::Good => 0x002e_a043,
        Colour::Calm => 0x0065_6d76,
        Colour::Bad => 0x00cf_222e,
    };
    let mut embed = json!({
        "title": card.title(TITLE),
        "description": card.text(DESCRIPTION),
        "color": colour,
        "timestamp": said.at.to_string(),
    });
    if let Some(link) = &card.link {
        embed["url"] = json!(link);
    }
    Ok(json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } }))
}
