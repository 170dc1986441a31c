//! Microsoft Teams: an Adaptive Card, posted to a workflow that begins with "When a Teams webhook request is received"
//! (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>).
//!
//! The text that comes with Windlass is made of text runs, in which nothing is markup. A template of the author's own is a
//! text block, which reads Markdown.

use serde_json::{Value, json};
use windlass_domain::announcement::Announcement;

use crate::card::{Card, Colour};
use crate::template::Escape;
use crate::{cut, inert};

/// The most of a title, in characters.
const TITLE: usize = 200;
/// The most bytes of the text in JSON: a message has at most 28 KB, and what is around the text is less than 4 KB.
const TEXT: usize = 24_000;

/// What comes with Windlass.
const MESSAGE: &str = include_str!("../templates/plain.txt");

/// The body of the request.
///
/// # Errors
/// A sentence where the template fails.
pub(crate) fn body(said: &Announcement, template: Option<&str>) -> Result<Value, String> {
    let escape: Escape = if template.is_some() { inert::markdown } else { inert::line };
    let card = Card::new(said, template.unwrap_or(MESSAGE), escape)?;
    let colour = match card.colour {
        Colour::Good => "Good",
        Colour::Calm => "Default",
        Colour::Bad => "Attention",
    };
    let title = cut::units(&inert::line(&crate::card::title(said)), TITLE);
    let run =
        json!({ "type": "TextRun", "text": title, "weight": "Bolder", "size": "Medium", "color": colour });
    let mut body = vec![json!({ "type": "RichTextBlock", "inlines": [run] })];
    let text = cut::json_bytes(&card.text, TEXT);
    match template {
        // A line is a block of its own: a text run has no line breaks.
        None => body.extend(text.lines().map(|line| {
            json!({ "type": "RichTextBlock", "spacing": "Small", "inlines": [{ "type": "TextRun", "text": line }] })
        })),
        Some(_) => body.push(json!({ "type": "TextBlock", "text": text, "wrap": true })),
    }
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "full" },
        "body": body,
    });
    if let Some(link) = &card.link {
        content["actions"] = json!([{ "type": "Action.OpenUrl", "title": "The run", "url": link }]);
    }
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": content });
    Ok(json!({ "type": "message", "attachments": [attachment] }))
}
