//! `keys`: whose signatures count, and for what.

use std::collections::BTreeMap;

use super::fields::Entry;
use super::{Decoder, shape, topics};
use crate::policy::{EvidenceKind, KeyPolicy};

/// The kinds of evidence by their words.
const KINDS: [(&str, EvidenceKind); 7] = [
    ("tests", EvidenceKind::Tests),
    ("scan", EvidenceKind::Scan),
    ("gate", EvidenceKind::Gate),
    ("deploy", EvidenceKind::Deploy),
    ("health", EvidenceKind::Health),
    ("rollback", EvidenceKind::Rollback),
    ("approval", EvidenceKind::Approval),
];

/// What a key may sign where `signs` is absent: everything but approvals, which are a person's.
fn machine() -> Vec<EvidenceKind> {
    KINDS.iter().map(|(_, kind)| *kind).filter(|kind| *kind != EvidenceKind::Approval).collect()
}

impl Decoder {
    /// The keys by name.
    pub(super) fn keys(&mut self, entry: &Entry<'_>) -> Option<BTreeMap<String, KeyPolicy>> {
        let named = self.named(entry, "keys: { release: keys/release.pub }")?;
        let mut keys = BTreeMap::new();
        let mut whole = true;
        for entry in named {
            let good = self.is_name("a key", &entry.name, &entry.key);
            match self.key(&entry) {
                Some(key) if good => _ = keys.insert(entry.name, key),
                Some(_) | None => whole = false,
            }
        }
        whole.then_some(keys)
    }

    /// `keys/release.pub` or the long form.
    fn key(&mut self, entry: &Entry<'_>) -> Option<KeyPolicy> {
        const PUBLIC: &str = "name the file of the public key, or write its PEM: `keys/release.pub`";
        if entry.scalar().is_some() {
            return Some(KeyPolicy { public: self.text(entry, PUBLIC)?, signs: machine(), owner: None });
        }
        let fields = self.fields(entry, &shape::KEY)?;
        let public = self.required(&fields, "public", "public: keys/release.pub");
        let public = public.and_then(|entry| self.text(&entry, PUBLIC));
        let signs = match fields.get("signs") {
            Some(entry) => self.signs(&entry),
            None => Some(machine()),
        };
        let owner = fields.get("owner").map(|entry| self.owner(&entry));
        Some(KeyPolicy {
            public: public?,
            signs: signs?,
            owner: owner.map_or(Some(None), |owner| owner.map(Some))?,
        })
    }

    fn signs(&mut self, entry: &Entry<'_>) -> Option<Vec<EvidenceKind>> {
        let items = self.items(entry);
        if items.is_empty() {
            let message = "a key that signs nothing vouches for nothing";
            self.report(&topics::KEYS, &entry.key, message, "name kinds of evidence, or remove `signs`");
            return None;
        }
        let kinds: Vec<_> = items.iter().map(|item| self.choice(item, &KINDS)).collect();
        kinds.into_iter().collect()
    }

    fn owner(&mut self, entry: &Entry<'_>) -> Option<String> {
        const HINT: &str = "write an e-mail address as commits have it: `ana@example.org`";
        let text = self.text(entry, HINT)?;
        let address = text.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '<')
        });
        if !address {
            let message = format!("`owner` needs an e-mail address, not `{text}`");
            self.report(&topics::KEYS, entry.place(), message, HINT);
        }
        address.then_some(text)
    }
}
