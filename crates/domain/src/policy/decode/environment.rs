//! `environments`: each environment's keys, before it is known what the others are.

use std::ops::Range;

use super::approval::Approvers;
use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::yaml::Value;
use crate::policy::{
    Approval, Clocks, Environment, EvidenceDemand, Gates, Keep, OnForge, Span, Strategy, Target,
};

const EVIDENCE: [(&str, EvidenceDemand); 2] =
    [("signed", EvidenceDemand::Signed), ("unsigned", EvidenceDemand::Unsigned)];

/// The most environments of one policy: what is walked by recursion is bounded.
const MOST: usize = 200;

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
    /// Who may approve, with the place of each.
    pub(super) approvers: Approvers,
    /// The approval, where it could be read, and its place.
    pub(super) approval: Option<(Range<usize>, Approval)>,
    /// The target, where it could be read.
    pub(super) target: Option<Target>,
    /// The strategy, where it could be read, and its place.
    pub(super) strategy: Option<(Range<usize>, Strategy)>,
    /// The clocks, where they could be read.
    pub(super) clocks: Option<Clocks>,
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
        if let Some(entry) = named.get(MOST) {
            let message = format!("{} environments are too many", named.len());
            self.report(&topics::VALUE, &entry.key, message, format!("a policy has at most {MOST}"));
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
            approvers: Vec::new(),
            approval: None,
            target: None,
            strategy: None,
            clocks: None,
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
        let no_needs = needs.is_some() && draft.needs.is_empty();
        if let (Some((place, _)), true) = (&soak, no_needs) {
            let hint = "say where it must have been live: `needs: [staging]`";
            self.report(&topics::NEEDS, place, "`soak` stands without `needs`", hint);
        }
        let demands = !no_needs || fields.get("approval").is_some();
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
            let approval = self.approval(&entry, &mut draft.approvers);
            draft.approval = approval.clone().map(|approval| (entry.key, approval));
            approval
        });
        let freeze = fields.get("freeze").map_or_else(|| Some(Vec::new()), |entry| self.freezes(&entry));
        let target = self.required(
            &fields,
            "target",
            "target: { kind: host, listen: 127.0.0.1:8080, run: [bin/shop] }",
        );
        draft.target = target.and_then(|entry| self.target(&entry));
        let strategy = fields.get("strategy").map_or(Some(Strategy::DEFAULT), |entry| {
            let strategy = self.strategy(&entry);
            draft.strategy = strategy.clone().map(|strategy| (entry.key, strategy));
            strategy
        });
        let verify = fields.get("verify").map(|entry| self.verify(&entry));
        draft.clocks = fields.get("clocks").map_or(Some(Clocks::default()), |entry| self.clocks(&entry));
        let hooks = fields.get("hooks").map_or_else(|| Some(Vec::new()), |entry| self.hooks(&entry));
        let prove = fields.get("prove_rollback").map_or(Some(false), |entry| self.boolean(&entry));
        let keep = fields.get("keep").map_or(Some(Keep::default()), |entry| self.keep(&entry));
        let forge = fields.get("forge").map_or(Some(OnForge::default()), |entry| self.forge(&entry));
        needs?;
        Some(Environment {
            name: entry.name.clone(),
            needs: draft.needs.iter().map(|(name, _)| name.clone()).collect(),
            soak: soak.map_or(Some(None), |(_, span)| span.map(Some))?,
            gates: gates?.1,
            evidence: draft.evidence?,
            approval: approval.map_or(Some(None), |approval| approval.map(Some))?,
            freeze: freeze?,
            target: draft.target.clone()?,
            strategy: strategy?,
            verify: verify.map_or(Some(None), |verify| verify.map(Some))?,
            clocks: draft.clocks?,
            hooks: hooks?,
            prove_rollback: prove?,
            keep: keep?,
            forge: forge?,
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

    /// `keep: 3` or the long form.
    fn keep(&mut self, entry: &Entry<'_>) -> Option<Keep> {
        let Value::Mapping(_) = &entry.node.value else {
            return Some(Keep { releases: self.count(entry, 0, 1000)?, ..Keep::default() });
        };
        let fields = self.fields(entry, &shape::KEEP)?;
        let default = Keep::default();
        let releases =
            fields.get("releases").map_or(Some(default.releases), |entry| self.count(&entry, 0, 1000));
        let warm = fields.get("warm").map_or(Some(default.warm), |entry| self.count(&entry, 0, 1000));
        let keep = Keep { releases: releases?, warm: warm? };
        // The anchor stays beside those that are counted.
        if keep.warm > keep.releases.saturating_add(1) {
            let place = fields.get("warm").map_or(entry.key.clone(), |one| one.place().clone());
            let message = format!("{} cannot stay warm where {} stay at all", keep.warm, keep.releases + 1);
            self.report(&topics::VALUE, &place, message, "raise `releases`, or lower `warm`");
            return None;
        }
        Some(keep)
    }

    fn forge(&mut self, entry: &Entry<'_>) -> Option<OnForge> {
        let fields = self.fields(entry, &shape::FORGE)?;
        let records = fields.get("records").map_or(Some(true), |entry| self.boolean(&entry));
        let url = fields.get("url").map(|entry| self.page(&entry));
        Some(OnForge { records: records?, url: url.map_or(Some(None), |url| url.map(Some))? })
    }

    /// The address of a page that people open: nothing that holds a name and a password.
    fn page(&mut self, entry: &Entry<'_>) -> Option<String> {
        const HINT: &str = "write its whole address, such as `https://shop.example`";
        let text = self.text(entry, HINT)?;
        let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let good = rest.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
        });
        if !good {
            let message = format!("`{}` is no address of a page", entry.name);
            self.report(&topics::VALUE, entry.place(), message, HINT);
        }
        good.then_some(text)
    }

    fn clocks(&mut self, entry: &Entry<'_>) -> Option<Clocks> {
        let fields = self.fields(entry, &shape::CLOCKS)?;
        let default = Clocks::default();
        let total = self.span_or(fields.get("total"), Zero::Refused, default.total);
        // Clocks that are not said never make a shorter total a mistake.
        let most = total.unwrap_or(default.total);
        let step = self.span_or(fields.get("step"), Zero::Refused, default.step.min(most));
        let progress = self.span_or(fields.get("progress"), Zero::Refused, default.progress.min(most));
        let clocks = Clocks { step: step?, progress: progress?, total: total? };
        for (name, span) in [("step", clocks.step), ("progress", clocks.progress)] {
            if span > clocks.total {
                let place = fields.get(name).map_or(entry.key.clone(), |one| one.place().clone());
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
        let (bake, times) = match &self.strategy.as_ref()?.1 {
            Strategy::Rolling { .. } => return None,
            Strategy::BlueGreen { bake } => (*bake, 1),
            Strategy::Canary { steps, bake } => (*bake, u64::try_from(steps.len()).unwrap_or(u64::MAX)),
            Strategy::Custom { steps } => {
                let waits =
                    steps.iter().map(|step| u64::from(step.bake).saturating_add(u64::from(step.pause)));
                return Some(Span::millis(waits.fold(0, u64::saturating_add)));
            }
        };
        Some(Span::millis(u64::from(bake).saturating_mul(times)))
    }
}
