//! `gates`: conditions on reports and scans, or the word `none`.

use super::fields::Entry;
use super::{Decoder, nearest, shape, topics};
use crate::policy::metric::{METRICS, Metric};
use crate::policy::yaml::Value;
use crate::policy::{Condition, Gates};

/// The one metric that `min_lines` is about.
const NEW_LINES: &str = "coverage.new_lines";

impl Decoder {
    /// `gates: none`, or a map of metrics and bounds.
    pub(super) fn gates(&mut self, entry: &Entry<'_>) -> Option<Gates> {
        match &entry.node.value {
            Value::Scalar(text) if text == "none" => return Some(Gates::None),
            Value::Null => {
                let hint = "write conditions, or `gates: none` where nothing is demanded";
                self.report(&topics::GATES, &entry.key, "`gates` is empty", hint);
                return None;
            }
            Value::Scalar(_) | Value::Sequence(_) => {
                self.wrong_type(
                    entry,
                    "a map of conditions or the word `none`",
                    "for example `tests.failed: \"== 0\"`",
                );
                return None;
            }
            Value::Mapping(_) => {}
        }
        let named = self.named(entry, "gates: { tests.failed: \"== 0\" }")?;
        let conditions: Vec<Option<Condition>> = named.iter().map(|entry| self.condition(entry)).collect();
        conditions.into_iter().collect::<Option<Vec<_>>>().map(Gates::Conditions)
    }

    /// One metric with `">= 80%"` or the long form.
    fn condition(&mut self, entry: &Entry<'_>) -> Option<Condition> {
        let Some(metric) = Metric::named(&entry.name) else {
            self.unknown_metric(entry);
            return None;
        };
        let (bound, min_lines, advisory) = match &entry.node.value {
            Value::Mapping(_) => {
                let fields = self.fields(entry, &shape::CONDITION)?;
                let bound = self.required(&fields, "bound", &format!("bound: \"{}\"", metric.example));
                let bound = bound.and_then(|bound| self.bound(&bound, metric));
                let min_lines = fields.get("min_lines").map(|entry| self.min_lines(&entry, metric));
                let advisory = fields.get("advisory").map_or(Some(false), |entry| self.boolean(&entry));
                (bound?, min_lines.map_or(Some(None), |lines| lines.map(Some))?, advisory?)
            }
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => (self.bound(entry, metric)?, None, false),
        };
        let line = self.line(entry.key.start);
        Some(Condition { metric: metric.name.to_owned(), bound, min_lines, advisory, line })
    }

    fn min_lines(&mut self, entry: &Entry<'_>, metric: &Metric) -> Option<u64> {
        if metric.name != NEW_LINES {
            let message = format!("`min_lines` says nothing about `{}`", metric.name);
            self.report(&topics::VALUE, &entry.key, message, format!("it belongs to `{NEW_LINES}`"));
            return None;
        }
        self.count(entry, 1, 1_000_000)
    }

    fn unknown_metric(&mut self, entry: &Entry<'_>) {
        let message = format!("unknown metric `{}`", entry.name);
        let names = || METRICS.iter().map(|metric| metric.name);
        let family = entry.name.split('.').next().unwrap_or_default();
        let siblings: Vec<&str> = names().filter(|name| name.split('.').next() == Some(family)).collect();
        let hint = match nearest(&entry.name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if !siblings.is_empty() => format!("known: {}", siblings.join(", ")),
            None => format!("known: {}", names().collect::<Vec<_>>().join(", ")),
        };
        self.report(&topics::UNKNOWN_METRIC, &entry.key, message, hint);
    }
}
