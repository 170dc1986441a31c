//! The Prometheus text format, read strictly: anything that is not it, or not all of it, is an error.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>. The last line must end
//! with a line feed, as the format demands: a cut-off answer is therefore an error and not a smaller answer.

use std::collections::HashSet;
use std::fmt;

/// Names and values, in the order of the text.
pub type Labels = Vec<(String, String)>;

/// One series and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value; may be infinite or not a number.
    pub value: f64,
}

impl Series {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// A line that is not in the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not Prometheus text at line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for FormatError {}

/// The most series that are read.
const MOST_SERIES: usize = 100_000;

/// Reads a whole exposition.
///
/// # Errors
/// The first line that is not in the format, a series that stands twice, or a text without its last line feed.
pub fn parse(text: &str) -> Result<Vec<Series>, FormatError> {
    let mut series = Vec::new();
    let mut seen = HashSet::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let error = |what| FormatError { line: index + 1, what };
        let Some(line) = line.strip_suffix('\n') else {
            return Err(error("cut off: no line feed at the end"));
        };
        let line = line.strip_suffix('\r').unwrap_or(line).trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let one = sample(line).map_err(error)?;
        let mut identity = one.labels.clone();
        identity.sort();
        if !seen.insert((one.name.clone(), identity)) {
            return Err(error("a series stands twice"));
        }
        series.push(one);
        if series.len() > MOST_SERIES {
            return Err(error("more series than are read"));
        }
    }
    Ok(series)
}

fn sample(line: &str) -> Result<Series, &'static str> {
    let end = line.find(|character: char| !is_name(character)).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("no metric name");
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
    let value = number(words.next().ok_or("no value")?)?;
    if let Some(timestamp) = words.next() {
        timestamp.parse::<i64>().map_err(|_| "a timestamp that is not a whole number")?;
    }
    match words.next() {
        Some(_) => Err("more than a value and a timestamp"),
        None => Ok(Series { name: name.to_owned(), labels, value }),
    }
}

const fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | ':')
}

/// The labels after `{`, and what follows `}`.
fn labels(text: &str) -> Result<(Labels, &str), &'static str> {
    let mut labels = Labels::new();
    let mut rest = text.trim_start_matches([' ', '\t']);
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let end = rest
            .find(|character: char| !is_name(character) || character == ':')
            .ok_or("labels without end")?;
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err("no label name");
        }
        if labels.iter().any(|(label, _)| label == name) {
            return Err("a label stands twice");
        }
        let after = after.trim_start_matches([' ', '\t']).strip_prefix('=').ok_or("a label without `=`")?;
        let after = after
            .trim_start_matches([' ', '\t'])
            .strip_prefix('"')
            .ok_or("a label's value without quotes")?;
        let (value, after) = quoted(after)?;
        labels.push((name.to_owned(), value));
        let after = after.trim_start_matches([' ', '\t']);
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start_matches([' ', '\t']),
            None if after.starts_with('}') => after,
            None => return Err("labels without `,` between them"),
        };
    }
}

/// A value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[index + 1..])),
            '\\' => value.push(match characters.next() {
                Some((_, '\\')) => '\\',
                Some((_, '"')) => '"',
                Some((_, 'n')) => '\n',
                Some(_) | None => return Err("an unknown escape"),
            }),
            character => value.push(character),
        }
    }
    Err("a value without its closing quote")
}

fn number(word: &str) -> Result<f64, &'static str> {
    match word {
        "+Inf" | "Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        // Rust's own parser also takes `inf`, `infinity` and `nan`, which the format does not have.
        word if word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            word.parse().map_err(|_| "a value that is not a number")
        }
        _ => Err("a value that is not a number"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_formats_own_example() {
        let text = concat!(
            "# HELP http_requests_total The total number of HTTP requests.\n",
            "# TYPE http_requests_total counter\n",
            "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n",
            "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n",
            "metric_without_timestamp_and_labels 12.47\n",
            "something_weird{problem=\"division by zero\"} +Inf -3982045\n",
        );
        let series = parse(text).unwrap();
        assert_eq!(series.len(), 4);
        assert_eq!(series[0].label("code"), Some("200"));
        assert_eq!(series[1].label("path"), Some("C:\\DIR\\FILE.TXT"));
        assert_eq!(series[1].label("error"), Some("Cannot find file:\n\"FILE.TXT\""));
        assert_eq!(series[2].value, 12.47);
        assert_eq!(series[3].value, f64::INFINITY);
    }

    #[test]
    fn what_is_not_the_format_is_refused_with_its_line() {
        for (text, what) in [
            ("a 1\nb 2", "cut off: no line feed at the end"),
            ("a\n", "no value"),
            ("a{} \n", "no value"),
            ("{x=\"y\"} 1\n", "no metric name"),
            ("1a 1\n", "no metric name"),
            ("a{x=\"y} 1\n", "a value without its closing quote"),
            ("a{x=y} 1\n", "a label's value without quotes"),
            ("a{x=\"y\"\"z\"} 1\n", "labels without `,` between them"),
            ("a{x=\"1\",x=\"2\"} 1\n", "a label stands twice"),
            ("a{x=\"\\q\"} 1\n", "an unknown escape"),
            ("a 1 2 3\n", "more than a value and a timestamp"),
            ("a 1 2.5\n", "a timestamp that is not a whole number"),
            ("a inf\n", "a value that is not a number"),
            ("a 0x1\n", "a value that is not a number"),
            ("<html>\n", "no metric name"),
            ("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n", "a series stands twice"),
        ] {
            assert_eq!(parse(text).unwrap_err().what, what, "{text:?}");
        }
        assert_eq!(parse("a 1\n\nb\n").unwrap_err().line, 3);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn near_misses_do_not_make_it_panic(text in "[a-z0-9{}=\",\\\\ \n+.#NaInf-]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_cut_of_an_exposition_is_refused_or_ends_with_a_line(
            values in proptest::collection::vec(0_u64..1_000_000, 1..20), cut in 0_usize..500
        ) {
            let text: String =
                values.iter().enumerate().map(|(index, value)| format!("m{{revision=\"r{index}\"}} {value}\n")).collect();
            let cut = cut.min(text.len());
            match parse(&text[..cut]) {
                Ok(series) => prop_assert!(cut == 0 || text[..cut].ends_with('\n'), "{}", series.len()),
                Err(_) => prop_assert!(!text[..cut].ends_with('\n')),
            }
        }

        #[test]
        fn written_labels_read_back(value in "\\PC{0,30}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let series = parse(&format!("m{{a=\"{escaped}\"}} 1\n")).unwrap();
            prop_assert_eq!(series[0].label("a"), Some(value.as_str()));
        }
    }
}
