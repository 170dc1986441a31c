//! `hooks`: what is run before and after the phases of a rollout.

use std::collections::BTreeMap;

use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::{Hook, HookPhase, Span, When};

const PHASES: [(&str, HookPhase); 6] = [
    ("stage", HookPhase::Stage),
    ("migrate", HookPhase::Migrate),
    ("shift", HookPhase::Shift),
    ("commit", HookPhase::Commit),
    ("retire", HookPhase::Retire),
    ("revert", HookPhase::Revert),
];

impl Decoder {
    /// A list of hooks, in the order in which those of one place are run.
    pub(super) fn hooks(&mut self, entry: &Entry<'_>) -> Option<Vec<Hook>> {
        let items = self.items(entry);
        // All first, so that every mistake in the list is told.
        let hooks: Vec<_> = items.iter().map(|item| self.hook(item)).collect();
        hooks.into_iter().collect()
    }

    fn hook(&mut self, entry: &Entry<'_>) -> Option<Hook> {
        const PLACE: &str =
            "write `before:` or `after:` and a phase: stage, migrate, shift, commit, retire, revert";
        let fields = self.fields(entry, &shape::HOOK)?;
        let place = match (fields.get("before"), fields.get("after")) {
            (Some(entry), None) => Some((When::Before, entry)),
            (None, Some(entry)) => Some((When::After, entry)),
            (Some(_), Some(entry)) => {
                self.report(&topics::HOOKS, &entry.key, "a hook stands both before and after a phase", PLACE);
                None
            }
            (None, None) => {
                self.report(&topics::HOOKS, &entry.key, "a hook stands at no phase", PLACE);
                None
            }
        };
        let place = place.and_then(|(when, entry)| self.choice(&entry, &PHASES).map(|phase| (when, phase)));
        let run = self.required(&fields, "run", "run: [bin/warm-up, \"{environment}\"]");
        let run = run.and_then(|entry| self.command(&entry));
        let env = fields.get("env").map_or_else(|| Some(BTreeMap::new()), |entry| self.env(&entry));
        let timeout = self.span_or(fields.get("timeout"), Zero::Refused, Span::minutes(1));
        let (when, phase) = place?;
        Some(Hook { when, phase, run: run?, env: env?, timeout: timeout? })
    }
}
