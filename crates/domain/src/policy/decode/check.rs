//! What can only be judged when everything is read: references between environments and to keys.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::Draft;
use super::{Decoder, suggest, topics};
use crate::policy::{EvidenceDemand, EvidenceKind, KeyPolicy, Strategy, Target};

/// What is known of `keys`.
pub(super) struct Keys<'k> {
    /// The keys, where all of them could be read.
    pub(super) read: Option<&'k BTreeMap<String, KeyPolicy>>,
    /// Their names; `None` where not even those are known.
    pub(super) names: Option<Vec<&'k str>>,
}

impl Decoder {
    /// Checks all environments against each other and the keys.
    pub(super) fn check(&mut self, drafts: &[Draft], keys: &Keys<'_>) {
        let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        for draft in drafts {
            self.check_needs(draft, &names);
            if let Some(known) = &keys.names {
                self.check_evidence(draft, known);
                self.check_approvers(draft, keys.read, known);
            }
            self.check_count(draft);
            self.check_strategy(draft);
        }
        self.check_circles(drafts);
    }

    fn check_needs(&mut self, draft: &Draft, names: &[&str]) {
        let mut seen = BTreeSet::new();
        for (need, place) in &draft.needs {
            if !seen.insert(need) {
                self.report(
                    &topics::NEEDS,
                    place,
                    format!("`{need}` is needed twice"),
                    "keep one of the two",
                );
            } else if *need == draft.name {
                let message = format!("environment `{need}` needs itself");
                self.report(&topics::NEEDS, place, message, "name one that comes before, or remove `needs`");
            } else if !names.contains(&need.as_str()) {
                let others: Vec<&str> = names.iter().copied().filter(|name| *name != draft.name).collect();
                let message = format!("`needs` names `{need}`, and no environment is called that");
                let hint =
                    if others.is_empty() { "this file has no other".into() } else { suggest(need, &others) };
                self.report(&topics::NEEDS, place, message, hint);
            }
        }
    }

    /// Names each circle once, at the need that closes it.
    fn check_circles(&mut self, drafts: &[Draft]) {
        let mut done = BTreeSet::new();
        for draft in drafts {
            self.walk(draft, drafts, &mut Vec::new(), &mut done);
        }
    }

    fn walk<'d>(
        &mut self,
        draft: &'d Draft,
        drafts: &'d [Draft],
        path: &mut Vec<&'d str>,
        done: &mut BTreeSet<&'d str>,
    ) {
        if done.contains(draft.name.as_str()) {
            return;
        }
        path.push(&draft.name);
        for (need, place) in draft.needs.iter().filter(|(need, _)| *need != draft.name) {
            if let Some(start) = path.iter().position(|name| name == need) {
                let circle = [&path[start..], &[need.as_str()]].concat().join("` → `");
                let message = format!("`needs` runs in a circle: `{circle}`");
                self.report(&topics::NEEDS, place, message, "the first environment needs none");
            } else if let Some(next) = drafts.iter().find(|other| other.name == *need) {
                self.walk(next, drafts, path, done);
            }
        }
        path.pop();
        done.insert(&draft.name);
    }

    fn check_evidence(&mut self, draft: &Draft, key_names: &[&str]) {
        if draft.evidence == Some(EvidenceDemand::Signed) && key_names.is_empty() {
            let message = format!("environment `{}` wants signed evidence, and no key is listed", draft.name);
            let hint =
                "list a public key under `keys` (`windlass keygen` makes one), or write `evidence: unsigned`";
            self.report(&topics::KEYS, &draft.place, message, hint);
        }
    }

    fn check_approvers(&mut self, draft: &Draft, keys: Option<&BTreeMap<String, KeyPolicy>>, known: &[&str]) {
        for (from, place) in &draft.approvers {
            let Some(name) = from.strip_prefix("key:") else { continue };
            let key = keys.and_then(|keys| keys.get(name));
            if !known.contains(&name) {
                let message = format!("`approval` names the key `{name}`, and `keys` has none called that");
                let hint =
                    if known.is_empty() { "list it under `keys`".into() } else { suggest(name, known) };
                self.report(&topics::APPROVAL, place, message, hint);
            } else if key.is_some_and(|key| !key.signs.contains(&EvidenceKind::Approval)) {
                let message = format!("the key `{name}` may not sign approvals");
                let hint = format!("add `approval` to `signs` of `{name}`");
                self.report(&topics::APPROVAL, place, message, hint);
            }
        }
    }

    /// A team may have any number of people; a key and a user are one each.
    fn check_count(&mut self, draft: &Draft) {
        let Some((place, approval)) = &draft.approval else { return };
        let people = approval.from.len();
        let counted = approval.from.iter().all(|from| from.starts_with("key:") || from.starts_with("user:"));
        if counted && usize::try_from(approval.count).unwrap_or(usize::MAX) > people {
            let message = format!("{} people must agree, and only {people} may", approval.count);
            self.report(&topics::APPROVAL, place, message, "name more approvers, or lower `count`");
        }
    }

    fn check_strategy(&mut self, draft: &Draft) {
        let Some((place, strategy)) = &draft.strategy else { return };
        let splits = match strategy {
            Strategy::Canary { .. } => true,
            Strategy::Custom { steps } => {
                steps.iter().any(|step| step.weight.is_some_and(|share| share.get() < 100.0))
            }
            Strategy::Rolling { .. } | Strategy::BlueGreen { .. } => false,
        };
        if let Some(Target::Exec(exec)) = &draft.target
            && splits
            && !exec.weights
        {
            let message = "the strategy splits requests by weight, and this exec target can only flip";
            let hint =
                "say `weights: true` where its command can split traffic, or use `strategy: blue-green`";
            self.report(&topics::STRATEGY, place, message, hint);
        }
        if let (Some(clocks), Some(bakes)) = (draft.clocks, draft.bakes())
            && bakes > clocks.total
        {
            let message =
                format!("the strategy bakes for {bakes}, and the rollout is reverted after {}", clocks.total);
            self.report(&topics::STRATEGY, place, message, "bake shorter, or raise `clocks.total`");
        }
    }
}
