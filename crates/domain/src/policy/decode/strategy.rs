//! `strategy`: how a release takes over.

use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::yaml::Value;
use crate::policy::{Percent, Span, Strategy};

#[derive(Clone, Copy)]
enum Kind {
    Rolling,
    BlueGreen,
    Canary,
}

const KINDS: [(&str, Kind); 3] =
    [("rolling", Kind::Rolling), ("blue-green", Kind::BlueGreen), ("canary", Kind::Canary)];

/// What a canary looks like, for hints.
const CANARY: &str = "{ kind: canary, steps: [5%, 25%, 50%], bake: 10m }";

impl Strategy {
    /// The strategy where the file names none: instance by instance.
    pub(super) const DEFAULT: Self = Self::Rolling { batch: 1, bake: Span::seconds(0) };
}

impl Decoder {
    /// `rolling`, `blue-green`, or a map with a `kind`.
    pub(super) fn strategy(&mut self, entry: &Entry<'_>) -> Option<Strategy> {
        let Value::Mapping(entries) = &entry.node.value else {
            return match self.choice(entry, &KINDS)? {
                Kind::Rolling => Some(Strategy::DEFAULT),
                Kind::BlueGreen => Some(Strategy::BlueGreen { bake: Span::seconds(0) }),
                Kind::Canary => {
                    let message = "a canary needs its steps and how long each bakes";
                    self.report(&topics::MISSING_KEY, entry.place(), message, format!("write `{CANARY}`"));
                    None
                }
            };
        };
        let kind =
            entries.iter().find(|(key, _)| matches!(&key.value, Value::Scalar(text) if text == "kind"));
        let Some((key, value)) = kind else {
            let hint = "add `kind: rolling`, `kind: blue-green` or `kind: canary`";
            self.report(&topics::MISSING_KEY, &entry.key, "`strategy` has no `kind`", hint);
            return None;
        };
        let kind = Entry { name: "kind".into(), key: key.span.clone(), node: value };
        match self.choice(&kind, &KINDS)? {
            Kind::Rolling => self.rolling(entry),
            Kind::BlueGreen => {
                let fields = self.fields(entry, &shape::BLUE_GREEN)?;
                let bake = self.span_or(fields.get("bake"), Zero::Allowed, Span::seconds(0))?;
                Some(Strategy::BlueGreen { bake })
            }
            Kind::Canary => self.canary(entry),
        }
    }

    fn rolling(&mut self, entry: &Entry<'_>) -> Option<Strategy> {
        let fields = self.fields(entry, &shape::ROLLING)?;
        let batch = fields.get("batch").map_or(Some(1), |entry| self.count(&entry, 1, 1000));
        let bake = self.span_or(fields.get("bake"), Zero::Allowed, Span::seconds(0));
        Some(Strategy::Rolling { batch: batch?, bake: bake? })
    }

    fn canary(&mut self, entry: &Entry<'_>) -> Option<Strategy> {
        let fields = self.fields(entry, &shape::CANARY)?;
        let steps =
            self.required(&fields, "steps", "steps: [5%, 25%, 50%]").and_then(|entry| self.steps(&entry));
        let bake =
            self.required(&fields, "bake", "bake: 10m").and_then(|entry| self.span(&entry, Zero::Allowed));
        Some(Strategy::Canary { steps: steps?, bake: bake? })
    }

    /// Shares that rise, each above 0% and below 100%, in hundredths of a percent as weights are.
    fn steps(&mut self, entry: &Entry<'_>) -> Option<Vec<Percent>> {
        let items = self.items(entry);
        if items.is_empty() {
            let hint = "write for example `steps: [5%, 25%, 50%]`";
            self.report(&topics::STRATEGY, &entry.key, "a canary without steps", hint);
            return None;
        }
        let mut steps: Vec<Percent> = Vec::new();
        let mut whole = true;
        for item in &items {
            let Some(step) = self.percent(item) else {
                whole = false;
                continue;
            };
            let before = steps.last().copied();
            if step.get() < 0.01 || step.get() > 99.99 {
                let message = format!("a canary step of {} is not between 0% and 100%", item.described());
                let hint = "leave it out: 100% follows by itself, and 0% judges nothing";
                self.report(&topics::STRATEGY, item.place(), message, hint);
                whole = false;
            } else if let Some(before) = before
                && hundredths(step) <= hundredths(before)
            {
                let message = format!("canary steps must rise, and {step} follows {before}");
                self.report(&topics::STRATEGY, item.place(), message, "write them from small to large");
                whole = false;
            }
            steps.push(step);
        }
        whole.then_some(steps)
    }
}

/// The share as a weight.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percent is from 0 to 100")]
fn hundredths(percent: Percent) -> u16 {
    (percent.get() * 100.0).round() as u16
}
