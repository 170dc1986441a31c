//! Maps and lists: which keys there are, which are unknown, which are missing.

use std::collections::BTreeSet;
use std::ops::Range;

use super::shape::Shape;
use super::{Decoder, suggest, topics};
use crate::policy::yaml::{Node, Value};

/// A value with the name and the place of its key.
#[derive(Clone, Debug)]
pub(super) struct Entry<'n> {
    /// What it is called in messages.
    pub(super) name: String,
    /// The place of its key; for an item of a list, of the item.
    pub(super) key: Range<usize>,
    /// The value.
    pub(super) node: &'n Node,
}

impl<'n> Entry<'n> {
    /// Where a mistake in the value is shown: at a text, or at the key of anything that may be long or empty.
    pub(super) fn place(&self) -> &Range<usize> {
        match self.node.value {
            Value::Scalar(_) => &self.node.span,
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => &self.key,
        }
    }

    /// Its text, where it is one.
    pub(super) fn scalar(&self) -> Option<&'n str> {
        match &self.node.value {
            Value::Scalar(text) => Some(text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// What it is, for `…, not …`.
    pub(super) fn described(&self) -> String {
        match &self.node.value {
            Value::Null => "nothing".into(),
            Value::Scalar(text) if text.chars().count() <= 40 => format!("`{text}`"),
            Value::Scalar(_) => "a long text".into(),
            Value::Sequence(_) => "a list".into(),
            Value::Mapping(_) => "a map".into(),
        }
    }

    /// Whether it is `{word}` without quotes, which YAML reads as a map.
    fn unquoted_braces(&self) -> Option<&'n str> {
        match &self.node.value {
            Value::Mapping(entries) => match entries.as_slice() {
                [(Node { value: Value::Scalar(text), .. }, Node { value: Value::Null, .. })] => Some(text),
                _ => None,
            },
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => None,
        }
    }

    /// The keys of a map that are texts; `None` where it is no map.
    pub(super) fn names(&self) -> Option<Vec<&'n str>> {
        let Value::Mapping(entries) = &self.node.value else { return None };
        let names = entries.iter().filter_map(|(key, _)| match &key.value {
            Value::Scalar(text) => Some(text.as_str()),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        });
        Some(names.collect())
    }
}

/// A map whose keys are fixed.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    /// Where a missing key is shown.
    pub(super) place: Range<usize>,
    /// What the map is called in messages.
    pub(super) name: String,
    entries: &'n [(Node, Node)],
}

impl<'n> Fields<'n> {
    /// The value of `key`; of two, the first.
    pub(super) fn get(&self, key: &str) -> Option<Entry<'n>> {
        self.entries.iter().find_map(|(node, value)| match &node.value {
            Value::Scalar(text) if text == key => {
                Some(Entry { name: key.to_owned(), key: node.span.clone(), node: value })
            }
            Value::Null | Value::Scalar(_) | Value::Sequence(_) | Value::Mapping(_) => None,
        })
    }
}

impl Decoder {
    /// The map of `shape` in `entry`; unknown keys are reported.
    pub(super) fn fields<'n>(&mut self, entry: &Entry<'n>, shape: &'static Shape) -> Option<Fields<'n>> {
        let Value::Mapping(entries) = &entry.node.value else {
            let hint = format!("keys of {}: {}", shape.title, shape.keys.join(", "));
            self.wrong_type(entry, "a map", &hint);
            return None;
        };
        for (key, _) in entries {
            match &key.value {
                Value::Scalar(text) if shape.keys.contains(&text.as_str()) => {}
                Value::Scalar(text) => {
                    let message = format!("unknown key `{text}` in {}", shape.title);
                    let hint = if text == "<<" {
                        "merge keys are not part of the grammar; write the keys out".to_owned()
                    } else {
                        suggest(text, shape.keys)
                    };
                    self.report(&topics::UNKNOWN_KEY, &key.span, message, hint);
                }
                Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
                    self.unusable_key(&key.span, shape.title)
                }
            }
        }
        Some(Fields { place: entry.key.clone(), name: entry.name.clone(), entries })
    }

    /// The entries of a map whose keys are names of the author's own, each once.
    pub(super) fn named<'n>(&mut self, entry: &Entry<'n>, example: &str) -> Option<Vec<Entry<'n>>> {
        let Value::Mapping(entries) = &entry.node.value else {
            self.wrong_type(entry, "a map", &format!("write for example `{example}`"));
            return None;
        };
        let mut named: Vec<Entry<'n>> = Vec::new();
        let mut seen = BTreeSet::new();
        for (key, value) in entries {
            match &key.value {
                Value::Scalar(text) if seen.insert(text) => {
                    named.push(Entry { name: text.clone(), key: key.span.clone(), node: value });
                }
                // The walk for duplicates has reported it.
                Value::Scalar(_) => {}
                Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
                    self.unusable_key(&key.span, &entry.name)
                }
            }
        }
        Some(named)
    }

    fn unusable_key(&mut self, span: &Range<usize>, title: &str) {
        self.report(&topics::WRONG_TYPE, span, format!("a key in {title} is not a text"), "keys are words");
    }

    /// The value of a key that has no default.
    pub(super) fn required<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &str,
        example: &str,
    ) -> Option<Entry<'n>> {
        let entry = fields.get(key);
        if entry.is_none() {
            let message = format!("`{}` has no `{key}`", fields.name);
            self.report(&topics::MISSING_KEY, &fields.place, message, format!("add for example `{example}`"));
        }
        entry
    }

    /// The items of a list; a single text or map stands for a list of one.
    pub(super) fn items<'n>(&mut self, entry: &Entry<'n>) -> Vec<Entry<'n>> {
        match &entry.node.value {
            Value::Sequence(items) => items
                .iter()
                .map(|node| Entry { name: entry.name.clone(), key: node.span.clone(), node })
                .collect(),
            Value::Scalar(_) | Value::Mapping(_) => vec![entry.clone()],
            Value::Null => {
                self.wrong_type(entry, "a list", "remove the key, or give it a value");
                Vec::new()
            }
        }
    }

    /// Reports that `entry` is not what `needed` says.
    pub(super) fn wrong_type(&mut self, entry: &Entry<'_>, needed: &str, hint: &str) {
        let message = format!("`{}` needs {needed}, not {}", entry.name, entry.described());
        let hint = match entry.unquoted_braces() {
            Some(word) => format!("YAML reads braces as a map; quote the text: \"{{{word}}}\""),
            None => hint.to_owned(),
        };
        self.report(&topics::WRONG_TYPE, entry.place(), message, hint);
    }
}
