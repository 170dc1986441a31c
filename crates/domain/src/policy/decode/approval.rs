//! `approval`: who must agree.

use std::ops::Range;

use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::yaml::Value;
use crate::policy::{Approval, Span};

/// Approvers and where each stands.
pub(super) type Approvers = Vec<(String, Range<usize>)>;

/// The forms of an approver.
const FORMS: &str = "write `key:NAME`, `team:NAME` or `user:NAME`";

impl Decoder {
    /// The long form only: a number alone would not say whose agreement counts.
    pub(super) fn approval(&mut self, entry: &Entry<'_>, places: &mut Approvers) -> Option<Approval> {
        if !matches!(entry.node.value, Value::Mapping(_)) {
            self.wrong_type(
                entry,
                "a map that says whose agreement counts",
                "write `{ count: 1, from: [\"team:release\"] }`",
            );
            return None;
        }
        let fields = self.fields(entry, &shape::APPROVAL)?;
        let from = self
            .required(&fields, "from", "from: [\"team:release\"]")
            .and_then(|entry| self.approvers(&entry, places));
        let count = fields.get("count").map_or(Some(1), |entry| self.count(&entry, 1, 100));
        let not_author = fields.get("not_author").map_or(Some(true), |entry| self.boolean(&entry));
        let max_age = self.span_or(fields.get("max_age"), Zero::Refused, Span::minutes(24 * 60));
        Some(Approval { count: count?, from: from?, not_author: not_author?, max_age: max_age? })
    }

    fn approvers(&mut self, entry: &Entry<'_>, places: &mut Approvers) -> Option<Vec<String>> {
        let items = self.items(entry);
        if items.is_empty() {
            self.report(&topics::APPROVAL, &entry.key, "an approval from nobody can never be given", FORMS);
            return None;
        }
        let mut from: Vec<String> = Vec::new();
        let mut whole = true;
        for item in &items {
            match self.approver(item) {
                Some(one) if from.contains(&one) => {
                    self.report(
                        &topics::APPROVAL,
                        item.place(),
                        format!("`{one}` is named twice"),
                        "keep one",
                    );
                    whole = false;
                }
                Some(one) => {
                    places.push((one.clone(), item.place().clone()));
                    from.push(one);
                }
                None => whole = false,
            }
        }
        whole.then_some(from)
    }

    fn approver(&mut self, item: &Entry<'_>) -> Option<String> {
        // `team: release` without quotes and with a blank is a map of one key.
        if let Value::Mapping(entries) = &item.node.value
            && let [(key, value)] = entries.as_slice()
            && let (Value::Scalar(kind), Value::Scalar(name)) = (&key.value, &value.value)
        {
            let message = format!("`{}` needs texts, not a map", item.name);
            self.report(&topics::APPROVAL, &key.span, message, format!("did you mean `\"{kind}:{name}\"`?"));
            return None;
        }
        let text = self.text(item, FORMS)?;
        let good = text.split_once(':').is_some_and(|(kind, name)| {
            matches!(kind, "key" | "team" | "user") && !name.is_empty() && !name.contains(char::is_whitespace)
        });
        if !good {
            self.report(&topics::APPROVAL, item.place(), format!("`{text}` names no approver"), FORMS);
        }
        good.then_some(text)
    }
}
