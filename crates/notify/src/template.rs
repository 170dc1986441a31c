//! A template and an announcement become a text, in which every value is escaped for the medium.
//!
//! What the template itself says is the policy's author's and stays as it is. A name that is not there is an error, and
//! nothing that a template does can take an escape away: `safe` is without effect.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use windlass_domain::announcement::Announcement;

/// How a value is made inert.
pub(crate) type Escape = fn(&str) -> String;

/// How much a template may do: enough for some thousand values, and an end for a loop that has none.
const FUEL: u64 = 50_000;

/// The words that a template has. Times are RFC 3339, digests `sha256:HEX`; what is not known is none.
fn words(said: &Announcement) -> Value {
    let text = |text: &str| Value::from(text);
    let maybe = |text: Option<String>| text.map_or_else(|| Value::from(()), Value::from);
    Value::from_pairs([
        ("moment", text(said.moment.word())),
        ("app", text(&said.app)),
        ("environment", text(&said.environment)),
        ("what", text(&said.what)),
        ("why", maybe(said.why.clone())),
        ("next", maybe(said.next.clone())),
        ("artifact", maybe(said.artifact.map(|digest| digest.to_string()))),
        ("commit", maybe(said.commit.clone())),
        ("revision", maybe(said.release.as_ref().map(|release| release.sequence.to_string()))),
        ("before", maybe(said.before.map(|before| before.to_string()))),
        ("plan", maybe(said.plan.map(|digest| digest.to_string()))),
        ("by", text(&said.by)),
        ("run", maybe(said.run.clone())),
        ("at", Value::from(said.at.to_string())),
    ])
}

/// Fills in a template.
///
/// # Errors
/// A sentence with the line, where the template cannot be read or names what is not there.
pub(crate) fn render(source: &str, said: &Announcement, escape: Escape) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(move |out, _, value| {
        if value.is_undefined() {
            return Err(minijinja::Error::new(
                minijinja::ErrorKind::UndefinedError,
                "there is no such word: see docs/notifications.md",
            ));
        }
        let text = if value.is_none() { String::new() } else { value.to_string() };
        out.write_str(&escape(&text))
            .map_err(|_| minijinja::Error::new(minijinja::ErrorKind::WriteFailure, "cannot write the text"))
    });
    environment.render_named_str("template", source, words(said)).map_err(|error| sentence(&error))
}

fn sentence(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("its template fails{line}: {}{detail}", error.kind())
}
