//! The text format: families of series, each with its help and its kind.

use std::fmt::{Display, Write as _};

/// A metric: all series of one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// Its name.
    pub(super) name: &'static str,
    /// What kind of number it is.
    pub(super) kind: Kind,
    /// What it says, in one sentence without a line break.
    pub(super) help: &'static str,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only rises, until its process starts again.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins a family: its series follow.
    pub(super) fn family(&mut self, family: &'static Family) -> Series<'_> {
        let Family { name, kind, help } = family;
        put(&mut self.0, format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.word()));
        Series { text: &mut self.0, name }
    }

    /// The whole text.
    pub(super) fn text(self) -> String {
        self.0
    }
}

/// The series of one family.
#[derive(Debug)]
pub(super) struct Series<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Series<'_> {
    /// One series, with its labels.
    pub(super) fn put(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.put_as("", labels, value);
    }

    /// One series of a histogram: `_bucket`, `_sum` or `_count` comes after the family's name.
    pub(super) fn put_as(&mut self, suffix: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (place, (label, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            put(self.text, format_args!("{label}=\"{}\"", escaped(&value.to_string())));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        put(self.text, format_args!(" {value}\n"));
    }
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("writing to a string cannot fail");
}

/// A label's value, as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_own_quotes() {
        static FAMILY: Family = Family { name: "a", kind: Kind::Gauge, help: "Of a test." };
        let mut page = Page::default();
        page.family(&FAMILY).put(&[("b", &"1\"} 9\na\\"), ("c", &2)], 3);
        assert_eq!(page.text(), "# HELP a Of a test.\n# TYPE a gauge\na{b=\"1\\\"} 9\\na\\\\\",c=\"2\"} 3\n");
    }
}
