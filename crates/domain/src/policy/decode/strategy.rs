//! `strategy`: how a release takes over.

use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::yaml::Value;
use crate::policy::{CustomStep, Percent, Span, Strategy};

#[derive(Clone, Copy)]
enum Kind {
    Rolling,
    BlueGreen,
    Canary,
    Custom,
}

const KINDS: [(&str, Kind); 4] = [
    ("rolling", Kind::Rolling),
    ("blue-green", Kind::BlueGreen),
    ("canary", Kind::Canary),
    ("custom", Kind::Custom),
];

/// What a canary looks like, for hints.
const CANARY: &str = "{ kind: canary, steps: [5%, 25%, 50%], bake: 10m }";

/// What a list of one's own looks like, for hints.
const CUSTOM: &str = "{ kind: custom, steps: [{ weight: 10%, bake: 5m }, { pause: 10m }, { weight: 100% }] }";

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
                Kind::Custom => {
                    let message = "a custom strategy needs its steps";
                    self.report(&topics::MISSING_KEY, entry.place(), message, format!("write `{CUSTOM}`"));
                    None
                }
            };
        };
        let kind =
            entries.iter().find(|(key, _)| matches!(&key.value, Value::Scalar(text) if text == "kind"));
        let Some((key, value)) = kind else {
            let hint = "add `kind: rolling`, `kind: blue-green`, `kind: canary` or `kind: custom`";
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
            Kind::Custom => self.custom(entry),
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

    fn custom(&mut self, entry: &Entry<'_>) -> Option<Strategy> {
        let fields = self.fields(entry, &shape::CUSTOM)?;
        let listed =
            self.required(&fields, "steps", "steps: [{ weight: 10%, bake: 5m }, { weight: 100% }]")?;
        let items = self.items(&listed);
        if items.is_empty() {
            self.report(
                &topics::STRATEGY,
                &listed.key,
                "a strategy without steps",
                format!("write `{CUSTOM}`"),
            );
            return None;
        }
        // All first, so that every mistake in the list is told.
        let read: Vec<_> = items.iter().map(|item| self.custom_step(item)).collect();
        let mut steps: Vec<CustomStep> = Vec::new();
        let mut whole = true;
        for (item, step) in items.iter().zip(read) {
            let Some(step) = step else {
                whole = false;
                continue;
            };
            let before = steps.iter().rev().find_map(|step| step.weight);
            if let (Some(before), Some(weight)) = (before, step.weight)
                && hundredths(weight) < hundredths(before)
            {
                let message = format!("shares may not fall, and {weight} follows {before}");
                self.report(&topics::STRATEGY, item.place(), message, "write them from small to large");
                whole = false;
            }
            steps.push(step);
        }
        whole.then_some(Strategy::Custom { steps })
    }

    fn custom_step(&mut self, entry: &Entry<'_>) -> Option<CustomStep> {
        let fields = self.fields(entry, &shape::CUSTOM_STEP)?;
        let weight = fields.get("weight").map(|entry| self.percent(&entry).map(|share| (entry, share)));
        let batch = fields.get("batch").map(|entry| self.count(&entry, 1, 1000));
        let settle = fields.get("settle").map_or(Some(true), |entry| self.boolean(&entry));
        let verify = fields.get("verify").map_or(Some(true), |entry| self.boolean(&entry));
        let bake = self.span_or(fields.get("bake"), Zero::Allowed, Span::seconds(0));
        let pause = self.span_or(fields.get("pause"), Zero::Allowed, Span::seconds(0));
        let weight = weight.map_or(Some(None), |weight| weight.map(Some))?;
        if let Some((entry, share)) = &weight
            && share.get() < 0.01
        {
            let message = "a step of 0% sends the new nothing";
            self.report(&topics::STRATEGY, entry.place(), message, "leave `weight` out, or raise it");
            return None;
        }
        let step = CustomStep {
            weight: weight.map(|(_, share)| share),
            batch: batch.map_or(Some(None), |batch| batch.map(Some))?,
            settle: settle?,
            verify: verify?,
            bake: bake?,
            pause: pause?,
        };
        if step.weight.is_none() && step.batch.is_none() && u64::from(step.pause) == 0 {
            let message = "a step that changes nothing and waits for nothing";
            self.report(
                &topics::STRATEGY,
                entry.place(),
                message,
                "give it a `weight`, a `batch` or a `pause`",
            );
            return None;
        }
        if !step.verify && u64::from(step.bake) > 0 {
            let message = "a step bakes and is not judged";
            self.report(&topics::STRATEGY, entry.place(), message, "write `pause` to wait without judging");
            return None;
        }
        Some(step)
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
