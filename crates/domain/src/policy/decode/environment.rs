//! `environments`: each environment's keys, before it is known what the others are.

use std::ops::Range;

use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::{Clocks, Environment, EvidenceDemand, Gates, Span, Strategy};

const EVIDENCE: [(&str, EvidenceDemand); 2] =
    [("signed", EvidenceDemand::Signed), ("unsigned", EvidenceDemand::Unsigned)];

/// How many committed revisions stay staged where the file does not say.
const KEEP: u32 = 3;

/// An environment as far as it could be read, and the places that checks across environments point to.
#[derive(Debug)]
pub(super) struct Draft {
    /// The environment, where all of it could be read.
    pub(super) environment: Option<Environment>,
    /// Its name.
    pub(super) name: String,
    /// Where its name stands.
    pub(super) place: Range<usize>,
    /// What it needs, with the place of each.
    pub(super) needs: Vec<(String, Range<usize>)>,
    /// Whether it accepts unsigned evidence, where that could be read.
    pub(super) evidence: Option<EvidenceDemand>,
    /// Where its approvers stand.
    pub(super) approval: Option<Range<usize>>,
    /// Where its strategy stands.
    pub(super) strategy: Option<Range<usize>>,
}

impl Decoder {
    /// The environments in the order of the file.
    pub(super) fn environments(&mut self, entry: &Entry<'_>) -> Option<Vec<Draft>> {
        let named = self.named(entry, "environments: { dev: { gates: none, target: … } }")?;
        if named.is_empty() {
            let hint = "add at least one, for example `dev:`";
            self.report(&topics::MISSING_KEY, &entry.key, "no environment is listed", hint);
            return None;
        }
        Some(named.iter().map(|entry| self.environment(entry)).collect())
    }

    fn environment(&mut self, entry: &Entry<'_>) -> Draft {
        let named = self.is_name("an environment", &entry.name, &entry.key);
        let mut draft = Draft {
            environment: None,
            name: entry.name.clone(),
            place: entry.key.clone(),
            needs: Vec::new(),
            evidence: None,
            approval: None,
            strategy: None,
        };
        let read = self.body(entry, &mut draft);
        draft.environment = read.filter(|_| named);
        draft
    }

    fn body(&mut self, entry: &Entry<'_>, draft: &mut Draft) -> Option<Environment> {
        let fields = self.fields(entry, &shape::ENVIRONMENT)?;
        let needs_entry = fields.get("needs");
        let needs = needs_entry.as_ref().map_or(Some(()), |entry| self.needs(entry, draft));
        let soak = fields.get("soak").map(|entry| (entry.key.clone(), self.span(&entry, Zero::Allowed)));
        if let (Some((place, _)), true) = (&soak, needs_entry.is_none()) {
            let hint = "say where it must have been live: `needs: [staging]`";
            self.report(&topics::NEEDS, place, "`soak` stands without `needs`", hint);
        }
        let demands = (needs_entry.is_some() && needs.is_none())
            || !draft.needs.is_empty()
            || fields.get("approval").is_some();
        let gates = match fields.get("gates") {
            Some(entry) => self.gates(&entry).map(|gates| (entry.key, gates)),
            None => Some((entry.key.clone(), Gates::Conditions(Vec::new()))),
        };
        if let Some((place, Gates::Conditions(conditions))) = &gates
            && conditions.is_empty()
            && !demands
        {
            let message = format!("environment `{}` demands nothing", entry.name);
            self.report(&topics::GATES, place, message, "add conditions, or say so: `gates: none`");
        }
        draft.evidence = fields
            .get("evidence")
            .map_or(Some(EvidenceDemand::default()), |entry| self.choice(&entry, &EVIDENCE));
        let approval = fields.get("approval").map(|entry| {
            draft.approval = Some(entry.key.clone());
            self.approval(&entry)
        });
        let freeze = fields.get("freeze").map_or_else(|| Some(Vec::new()), |entry| self.freezes(&entry));
        let target = self.required(
            &fields,
            "target",
            "target: { kind: host, listen: 127.0.0.1:8080, run: [bin/shop] }",
        );
        let target = target.and_then(|entry| self.target(&entry));
        let strategy = fields.get("strategy").map_or(Some(Strategy::DEFAULT), |entry| {
            draft.strategy = Some(entry.key.clone());
            self.strategy(&entry)
        });
        let verify = fields.get("verify").map(|entry| self.verify(&entry));
        let clocks = fields.get("clocks").map_or(Some(Clocks::default()), |entry| self.clocks(&entry));
        let keep = fields.get("keep").map_or(Some(KEEP), |entry| self.count(&entry, 0, 1000));
        needs?;
        Some(Environment {
            name: entry.name.clone(),
            needs: draft.needs.iter().map(|(name, _)| name.clone()).collect(),
            soak: soak.map_or(Some(None), |(_, span)| span.map(Some))?,
            gates: gates?.1,
            evidence: draft.evidence?,
            approval: approval.map_or(Some(None), |approval| approval.map(Some))?,
            freeze: freeze?,
            target: target?,
            strategy: strategy?,
            verify: verify.map_or(Some(None), |verify| verify.map(Some))?,
            clocks: clocks?,
            keep: keep?,
        })
    }

    fn needs(&mut self, entry: &Entry<'_>, draft: &mut Draft) -> Option<()> {
        let items = self.items(entry);
        let mut whole = true;
        for item in &items {
            match self.text(item, "name an environment of this file") {
                Some(name) => draft.needs.push((name, item.place().clone())),
                None => whole = false,
            }
        }
        whole.then_some(())
    }

    fn clocks(&mut self, entry: &Entry<'_>) -> Option<Clocks> {
        let fields = self.fields(entry, &shape::CLOCKS)?;
        let default = Clocks::default();
        let step = self.span_or(fields.get("step"), Zero::Refused, default.step);
        let progress = self.span_or(fields.get("progress"), Zero::Refused, default.progress);
        let total = self.span_or(fields.get("total"), Zero::Refused, default.total);
        let clocks = Clocks { step: step?, progress: progress?, total: total? };
        for (name, span) in [("step", clocks.step), ("progress", clocks.progress)] {
            if span > clocks.total {
                let place = fields
                    .get(name)
                    .or_else(|| fields.get("total"))
                    .map_or(fields.place.clone(), |one| one.key);
                let message =
                    format!("`{name}` of {span} could never end before `total` of {}", clocks.total);
                self.report(&topics::VALUE, &place, message, "let `total` be the longest of the three");
                return None;
            }
        }
        Some(clocks)
    }
}

impl Draft {
    /// How long the strategy itself watches, at least.
    pub(super) fn bakes(&self) -> Option<Span> {
        let environment = self.environment.as_ref()?;
        let (bake, times) = match &environment.strategy {
            Strategy::Rolling { .. } => return None,
            Strategy::BlueGreen { bake } => (*bake, 1),
            Strategy::Canary { steps, bake } => (*bake, u64::try_from(steps.len()).unwrap_or(u64::MAX)),
        };
        Some(Span::millis(u64::from(bake).saturating_mul(times)))
    }
}
