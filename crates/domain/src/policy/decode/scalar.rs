//! One text: a name, a choice, a number, a length of time, a share, a factor, a size.

use super::fields::Entry;
use super::{Decoder, suggest, topics, unit};
use crate::policy::{Cores, Percent, Ratio, Size, Span};

/// Whether a span may be nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    /// `0s` is a value.
    Allowed,
    /// `0s` would make no sense.
    Refused,
}

impl Decoder {
    /// A text that is not empty.
    pub(super) fn text(&mut self, entry: &Entry<'_>, hint: &str) -> Option<String> {
        match entry.scalar() {
            Some("") => {
                self.report(
                    &topics::VALUE,
                    entry.place(),
                    format!("`{}` is an empty text", entry.name),
                    hint,
                );
                None
            }
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(entry, "a text", hint);
                None
            }
        }
    }

    /// A list of texts, or one text.
    pub(super) fn texts(&mut self, entry: &Entry<'_>, hint: &str) -> Option<Vec<String>> {
        let items = self.items(entry);
        // All first, so that every mistake in the list is told.
        let texts: Vec<_> = items.iter().map(|item| self.text(item, hint)).collect();
        texts.into_iter().collect()
    }

    /// The name of the application, an environment or a key: it becomes a folder and a label.
    pub(super) fn name(&mut self, entry: &Entry<'_>) -> Option<String> {
        let text = self.text(entry, "write a name such as `my-shop`")?;
        let span = entry.place().clone();
        self.is_name(&format!("`{}`", entry.name), &text, &span).then_some(text)
    }

    /// Whether `text` can be such a name; reports it otherwise.
    pub(super) fn is_name(&mut self, what: &str, text: &str, span: &std::ops::Range<usize>) -> bool {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-');
        if !good {
            let message = format!("{what} cannot be called `{text}`");
            let hint = "a name is lower-case letters, digits and dashes, not a dash first, at most 63";
            self.report(&topics::NAME, span, message, hint);
        }
        good
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, entry: &Entry<'_>) -> Option<bool> {
        match entry.scalar() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(word) => {
                let hint = match word.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "true" => "did you mean `true`?",
                    "no" | "off" | "false" => "did you mean `false`?",
                    _ => "",
                };
                self.wrong_type(entry, "`true` or `false`", hint);
                None
            }
            None => {
                self.wrong_type(entry, "`true` or `false`", "");
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, entry: &Entry<'_>, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a word", &suggest("", &known));
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let message = format!("`{}` cannot be {}", entry.name, entry.described());
            self.report(&topics::UNKNOWN_KIND, entry.place(), message, suggest(text, &known));
        }
        found.map(|(_, value)| *value)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count<T: TryFrom<u64>>(&mut self, entry: &Entry<'_>, least: u64, most: u64) -> Option<T> {
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a whole number", "");
            return None;
        };
        let number = unit::whole(text).filter(|number| (least..=most).contains(number));
        let value = number.and_then(|number| T::try_from(number).ok());
        if value.is_none() {
            let range = if most == u64::MAX { String::new() } else { format!(" from {least} to {most}") };
            let message = format!("`{}` needs a whole number{range}, not {}", entry.name, entry.described());
            let topic = if unit::whole(text).is_some() { &topics::VALUE } else { &topics::WRONG_TYPE };
            self.report(topic, entry.place(), message, "");
        }
        value
    }

    /// A length of time.
    pub(super) fn span(&mut self, entry: &Entry<'_>, zero: Zero) -> Option<Span> {
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a time", "write for example `30s`, `10m` or `1h30m`");
            return None;
        };
        let Some(span) = unit::span(text) else {
            let (message, hint) = match unit::whole(text) {
                Some(_) => (
                    format!("`{}` is a time, and `{text}` has no unit", entry.name),
                    format!("did you mean `{text}s` or `{text}m`?"),
                ),
                None => (
                    format!("`{}` needs a time, not `{text}`", entry.name),
                    "a time is whole numbers with d, h, m, s or ms, large to small: `30s`, `1h30m`; at most ten years"
                        .to_owned(),
                ),
            };
            self.report(&topics::UNIT, entry.place(), message, hint);
            return None;
        };
        if zero == Zero::Refused && u64::from(span) == 0 {
            self.report(
                &topics::VALUE,
                entry.place(),
                format!("`{}` must be longer than 0s", entry.name),
                "",
            );
            return None;
        }
        Some(span)
    }

    /// A span, or the default where the key is absent.
    pub(super) fn span_or(&mut self, entry: Option<Entry<'_>>, zero: Zero, default: Span) -> Option<Span> {
        entry.map_or(Some(default), |entry| self.span(&entry, zero))
    }

    /// A share of a whole.
    pub(super) fn percent(&mut self, entry: &Entry<'_>) -> Option<Percent> {
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a share", "write for example `5%`");
            return None;
        };
        let percent = unit::percent(text);
        if percent.is_none() {
            let (message, hint) = match unit::decimal(text).and_then(Percent::new) {
                Some(_) => (
                    format!("`{}` is a share, and `{text}` has no unit", entry.name),
                    format!("did you mean `{text}%`?"),
                ),
                None => (
                    format!("`{}` needs a share from 0% to 100%, not `{text}`", entry.name),
                    "write for example `5%` or `0.5%`".to_owned(),
                ),
            };
            self.report(&topics::UNIT, entry.place(), message, hint);
        }
        percent
    }

    /// How many times as much is unacceptable: above `1x`.
    pub(super) fn ratio(&mut self, entry: &Entry<'_>) -> Option<Ratio> {
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a factor", "write for example `2x`");
            return None;
        };
        let Some(ratio) = unit::ratio(text) else {
            let (message, hint) = match unit::decimal(text) {
                Some(_) => (
                    format!("`{}` is a factor, and `{text}` has no unit", entry.name),
                    format!("did you mean `{text}x`?"),
                ),
                None => (
                    format!("`{}` needs a factor, not `{text}`", entry.name),
                    "write for example `2x` or `1.3x`".to_owned(),
                ),
            };
            self.report(&topics::UNIT, entry.place(), message, hint);
            return None;
        };
        if ratio.get() <= 1.0 {
            let message =
                format!("`{}` must be above 1x: `{text}` would call an equal release worse", entry.name);
            self.report(&topics::VALUE, entry.place(), message, "write for example `2x` or `1.3x`");
            return None;
        }
        Some(ratio)
    }

    /// A number of bytes, at least one.
    pub(super) fn size(&mut self, entry: &Entry<'_>) -> Option<Size> {
        const HINT: &str = "write for example `64KiB`, `10MB` or `512MiB`";
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a size", HINT);
            return None;
        };
        let size = unit::bytes(text).filter(|size| *size > 0);
        if size.is_none() {
            let message = match unit::whole(text) {
                Some(_) => format!("`{}` is a size, and `{text}` has no unit", entry.name),
                None => format!("`{}` needs a size above 0B, not `{text}`", entry.name),
            };
            self.report(&topics::UNIT, entry.place(), message, HINT);
        }
        size.map(Size::bytes)
    }

    /// A number of processor cores, in thousandths.
    pub(super) fn cores(&mut self, entry: &Entry<'_>) -> Option<Cores> {
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a number of cores", "write for example `1.5`");
            return None;
        };
        let number = unit::decimal(text).map(|number| (number * 1000.0).round());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
        let cores = number
            .filter(|number| (1.0..=1_024_000.0).contains(number))
            .and_then(|number| Cores::thousandths(number as u32));
        if cores.is_none() {
            let message =
                format!("`{}` needs a number of cores from 0.001 to 1024, not `{text}`", entry.name);
            self.report(&topics::VALUE, entry.place(), message, "write for example `1.5`");
        }
        cores
    }
}
