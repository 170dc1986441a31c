//! What every medium shows of an announcement: a title, a text by a template, a colour, and the page of the run.

use windlass_domain::announcement::{Announcement, Moment};

use crate::cut;
use crate::template::{self, Escape};

/// The parts of one message, escaped for its medium.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    /// One sentence, with the medium's escapes.
    pub(crate) title: String,
    /// The template's text.
    pub(crate) text: String,
    /// The page of the run, where it is a plain URL of the web.
    pub(crate) link: Option<String>,
    /// How urgent it is.
    pub(crate) colour: Colour,
}

/// How urgent a message is, as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// It is as it was to be.
    Good,
    /// Under way, or somebody is waited for.
    Calm,
    /// Something did not go as it was to go.
    Bad,
}

impl Card {
    /// The parts of a message by `source`, with every value escaped by `escape`.
    ///
    /// # Errors
    /// A sentence where the template cannot be read or names what is not there.
    pub(crate) fn new(said: &Announcement, source: &str, escape: Escape) -> Result<Self, String> {
        Ok(Self {
            title: escape(&title(said)),
            text: template::render(source, said, escape)?,
            link: said.run.as_deref().and_then(link),
            colour: colour(said.moment),
        })
    }

    /// The title in at most so many UTF-16 units.
    pub(crate) fn title(&self, most: usize) -> String {
        cut::units(&self.title, most)
    }

    /// The text in at most so many UTF-16 units.
    pub(crate) fn text(&self, most: usize) -> String {
        cut::units(&self.text, most)
    }
}

/// What happened, in a few words, unescaped.
pub(crate) fn title(said: &Announcement) -> String {
    let happens = match said.moment {
        Moment::Started => "begins to change in",
        Moment::Waiting => "waits before",
        Moment::Live => "is live in",
        Moment::RolledBack => "was rolled back in",
        Moment::Failed => "could not go back in",
        Moment::Held => "is held in",
        Moment::Stuck => "is stuck in",
        Moment::Open => "is unfinished in",
    };
    format!("{} {happens} {}", said.app, said.environment)
}

const fn colour(moment: Moment) -> Colour {
    match moment {
        Moment::Live => Colour::Good,
        Moment::Started | Moment::Waiting => Colour::Calm,
        Moment::RolledBack | Moment::Failed | Moment::Held | Moment::Stuck | Moment::Open => Colour::Bad,
    }
}

/// A URL that can stand as it is in every medium: of the web, in ASCII, without what any of them gives a meaning to.
fn link(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#%&=+,;@".contains(&byte);
    let good = url.len() <= 1_000 && !host.is_empty() && !host.contains('@') && url.bytes().all(plain);
    good.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_url_of_the_web_becomes_a_link() {
        for good in ["https://github.com/o/r/actions/runs/1", "http://gitlab.local:8080/-/jobs/7?x=1&y#L1"] {
            assert_eq!(link(good).as_deref(), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "https://",
            "https://x|y>",
            "https://a b",
            "https://real.example@evil.example/",
            "https://x/\u{202e}",
            "https://x/)](y",
            "//x",
        ] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }
}
