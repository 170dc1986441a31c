//! Bounds of metrics: a comparison and a value in the metric's unit.

use super::fields::Entry;
use super::{Decoder, topics, unit};
use crate::policy::metric::{Metric, Unit};
use crate::policy::{Bound, Comparison, Quantity};

impl Decoder {
    /// The bound of `metric`, such as `>= 80%`.
    pub(super) fn bound(&mut self, entry: &Entry<'_>, metric: &Metric) -> Option<Bound> {
        let example = format!("write for example `{}: \"{}\"`", metric.name, metric.example);
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "a bound", &example);
            return None;
        };
        let text = text.trim();
        let Some((sign, comparison)) = Comparison::SIGNS.iter().find(|(sign, _)| text.starts_with(sign))
        else {
            let message = format!("`{}` needs a bound, not {}", metric.name, entry.described());
            self.report(&topics::BOUND, entry.place(), message, meant(text, metric).unwrap_or(example));
            return None;
        };
        let value = text[sign.len()..].trim_start();
        if let Some(value) = quantity(value, metric.unit) {
            return Some(Bound { comparison: *comparison, value });
        }
        let (topic, message) = match misplaced(value) {
            Some(unit) if unit == metric.unit => {
                (&topics::VALUE, format!("`{}` cannot be bounded by `{value}`", metric.name))
            }
            Some(Unit::Number) => (
                &topics::UNIT,
                format!(
                    "`{}` is measured as {}, and `{value}` has no unit",
                    metric.name,
                    metric.unit.described()
                ),
            ),
            Some(_) => (
                &topics::UNIT,
                format!("`{}` is measured as {}, not as `{value}`", metric.name, metric.unit.described()),
            ),
            None if value.is_empty() => {
                (&topics::BOUND, format!("`{}` has a comparison without a value", metric.name))
            }
            None => (&topics::BOUND, format!("`{}` cannot be compared with `{value}`", metric.name)),
        };
        let hint =
            corrected(value, metric.unit).map_or(example, |value| format!("did you mean `{sign} {value}`?"));
        self.report(topic, entry.place(), message, hint);
        None
    }
}

/// `text` as a value in `unit`.
fn quantity(text: &str, unit: Unit) -> Option<Quantity> {
    match unit {
        #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not written in a policy")]
        Unit::Number => unit::whole(text).map(|count| Quantity::Number(count as f64)),
        Unit::Percent => unit::percent(text).map(Quantity::Percent),
        Unit::Duration => unit::span(text).map(Quantity::Span),
        Unit::Bytes => unit::bytes(text).map(Quantity::Bytes),
    }
}

/// The unit that `text` is written in, whichever it is; for shares and numbers, out of range or not.
fn misplaced(text: &str) -> Option<Unit> {
    let number = text.strip_prefix('-').unwrap_or(text);
    if unit::decimal(number).is_some() {
        return Some(Unit::Number);
    }
    if number.strip_suffix('%').is_some_and(|share| unit::decimal(share.trim_end()).is_some()) {
        return Some(Unit::Percent);
    }
    if unit::span(text).is_some() {
        return Some(Unit::Duration);
    }
    unit::bytes(text).map(|_| Unit::Bytes)
}

/// What was probably meant by a number with the wrong unit or none.
fn corrected(text: &str, wanted: Unit) -> Option<String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    unit::decimal(number)?;
    let candidate = match wanted {
        Unit::Number => number.to_owned(),
        Unit::Percent => format!("{number}%"),
        Unit::Duration => format!("{number}m"),
        Unit::Bytes => format!("{number}MB"),
    };
    quantity(&candidate, wanted).map(|_| candidate)
}

/// What was probably meant by a text without one of the signs.
fn meant(text: &str, metric: &Metric) -> Option<String> {
    let (sign, value) = match text {
        _ if text.starts_with("=>") => (">=", &text[2..]),
        _ if text.starts_with("=<") => ("<=", &text[2..]),
        _ if text.starts_with('=') => ("==", &text[1..]),
        _ if text.starts_with('≥') => (">=", &text['≥'.len_utf8()..]),
        _ if text.starts_with('≤') => ("<=", &text['≤'.len_utf8()..]),
        _ => (metric.example.split(' ').next()?, text),
    };
    let value = value.trim_start();
    let value = if quantity(value, metric.unit).is_some() {
        value.to_owned()
    } else {
        corrected(value, metric.unit)?
    };
    Some(format!("did you mean `\"{sign} {value}\"`?"))
}
