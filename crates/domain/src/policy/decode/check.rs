//! What can only be judged when everything is read: references between environments and to keys.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::Draft;
use super::{Decoder, suggest, topics};
use crate::policy::{EvidenceDemand, EvidenceKind, KeyPolicy, Strategy, Target};

impl Decoder {
    /// Checks all environments against each other and the keys. `keys` is `None` where they could not be read; their
    /// names then still count as known.
    pub(super) fn check(
        &mut self,
        drafts: &[Draft],
        keys: Option<&BTreeMap<String, KeyPolicy>>,
        key_names: &[&str],
    ) {
        let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        for draft in drafts {
            self.check_needs(draft, &names);
            self.check_evidence(draft, key_names);
            self.check_approval(draft, keys, key_names);
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
                self.report(&topics::NEEDS, place, message, suggest(need, &others));
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

    fn check_approval(
        &mut self,
        draft: &Draft,
        keys: Option<&BTreeMap<String, KeyPolicy>>,
        key_names: &[&str],
    ) {
        let (Some(place), Some(approval)) =
            (&draft.approval, draft.environment.as_ref().and_then(|one| one.approval.as_ref()))
        else {
            return;
        };
        for name in approval.from.iter().filter_map(|from| from.strip_prefix("key:")) {
            if !key_names.contains(&name) {
                let message = format!("`approval` names the key `{name}`, and `keys` has none called that");
                let hint = if key_names.is_empty() {
                    "list it under `keys`".into()
                } else {
                    suggest(name, key_names)
                };
                self.report(&topics::APPROVAL, place, message, hint);
            } else if keys
                .and_then(|keys| keys.get(name))
                .is_some_and(|key| !key.signs.contains(&EvidenceKind::Approval))
            {
                let message = format!("the key `{name}` may not sign approvals");
                let hint = format!("add `approval` to `signs` of `{name}`");
                self.report(&topics::APPROVAL, place, message, hint);
            }
        }
        let people = approval.from.len();
        let all_keys = approval.from.iter().all(|from| from.starts_with("key:") || from.starts_with("user:"));
        if all_keys && usize::try_from(approval.count).unwrap_or(usize::MAX) > people {
            let message = format!("{} people must agree, and only {people} may", approval.count);
            self.report(&topics::APPROVAL, place, message, "name more approvers, or lower `count`");
        }
    }

    fn check_strategy(&mut self, draft: &Draft) {
        let (Some(place), Some(environment)) = (&draft.strategy, &draft.environment) else { return };
        if let (Target::Exec(exec), Strategy::Canary { .. }) = (&environment.target, &environment.strategy)
            && !exec.weights
        {
            let message = "a canary needs weights, and this exec target can only flip";
            let hint =
                "say `weights: true` where its command can split traffic, or use `strategy: blue-green`";
            self.report(&topics::STRATEGY, place, message, hint);
        }
        let total = environment.clocks.total;
        if let Some(bakes) = draft.bakes().filter(|bakes| *bakes > total) {
            let message =
                format!("the strategy bakes for {bakes}, and the rollout is reverted after {total}");
            self.report(&topics::STRATEGY, place, message, "bake shorter, or raise `clocks.total`");
        }
    }
}
