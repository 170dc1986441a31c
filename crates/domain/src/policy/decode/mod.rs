//! From the tree to the types: every mistake is collected, none stops the reading of the rest.

mod approval;
mod bound;
mod check;
mod environment;
mod fields;
mod freeze;
mod gates;
mod hook;
mod keys;
mod notify;
mod release;
mod router;
mod scalar;
mod shape;
mod strategy;
mod target;
mod unit;
mod verify;

use std::collections::BTreeMap;
use std::ops::Range;

use self::check::Keys;
use self::fields::Entry;
pub use self::shape::{SHAPES, Shape};
use super::yaml::{self, Node, Value};
use super::{Policy, Problem, topics};
use crate::digest::Digest;
use crate::explain::Topic;

/// Reads a policy, or lists every mistake in it in the order of the source.
pub(super) fn policy(text: &str) -> Result<Policy, Vec<Problem>> {
    let mut decoder = Decoder::default();
    let policy = decoder.read(text);
    match policy {
        Some(policy) if decoder.mistakes.is_empty() => Ok(policy),
        Some(_) | None => Err(decoder.problems(text)),
    }
}

/// The byte order mark that some editors write first.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Collects mistakes while the tree is read.
#[derive(Debug, Default)]
struct Decoder {
    mistakes: Vec<Mistake>,
    /// Where each line of the source begins.
    lines: Vec<usize>,
}

/// A mistake whose line and column are not counted yet.
#[derive(Debug)]
struct Mistake {
    topic: &'static Topic,
    span: Range<usize>,
    message: String,
    hint: String,
    hidden: bool,
}

impl Decoder {
    /// Notes a mistake. An empty hint is none.
    fn report(
        &mut self,
        topic: &'static Topic,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (message, hint) = (message.into(), hint.into());
        self.mistakes.push(Mistake { topic, span: span.clone(), message, hint, hidden: false });
    }

    /// Hides the lines of the mistakes from here on: what stands there may be a secret.
    fn hide_from(&mut self, first: usize) {
        self.mistakes[first..].iter_mut().for_each(|mistake| mistake.hidden = true);
    }

    fn read(&mut self, text: &str) -> Option<Policy> {
        if text.len() > yaml::LARGEST {
            let hint = "is this the right file? the limit is 1 MiB";
            self.report(
                &topics::SYNTAX,
                &(0..0),
                format!("{} bytes are too large for a policy", text.len()),
                hint,
            );
            return None;
        }
        if let Some(at) = text.find('\0') {
            let hint = "save the file as UTF-8 text";
            self.report(&topics::SYNTAX, &(at..at + 1), "a NUL byte: this is not a text file", hint);
            return None;
        }
        let (skipped, source) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (BYTE_ORDER_MARK.len(), rest),
            None => (0, text),
        };
        let policy = match yaml::read(source) {
            Ok(root) => {
                self.lines =
                    std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
                self.duplicates(&root);
                self.root(&root, Digest::of(text.as_bytes()))
            }
            Err(error) => {
                let message = format!("not readable as YAML: {}", error.message);
                self.report(&topics::SYNTAX, &error.span, message, error.hint);
                None
            }
        };
        for mistake in &mut self.mistakes {
            mistake.span = mistake.span.start + skipped..mistake.span.end + skipped;
        }
        policy
    }

    /// Reports every key that stands twice in one map, anywhere.
    fn duplicates(&mut self, node: &Node) {
        match &node.value {
            Value::Null | Value::Scalar(_) => {}
            Value::Sequence(items) => items.iter().for_each(|item| self.duplicates(item)),
            Value::Mapping(entries) => {
                let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
                for (key, value) in entries {
                    if let Value::Scalar(text) = &key.value {
                        if let Some(first) = seen.get(text.as_str()) {
                            let line = self.line(first.span.start);
                            self.report(
                                &topics::DUPLICATE_KEY,
                                &key.span,
                                format!("duplicate key `{text}`"),
                                format!("it stands on line {line} already; keep one of the two"),
                            );
                        } else {
                            seen.insert(text, key);
                        }
                    }
                    self.duplicates(value);
                }
            }
        }
    }

    /// The line, from 1, of a byte of the source.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    fn root(&mut self, root: &Node, digest: Digest) -> Option<Policy> {
        let entry = Entry { name: "windlass.yml".into(), key: 0..0, node: root };
        if matches!(root.value, Value::Null) {
            let hint = "run `windlass init` to write one";
            self.report(&topics::SYNTAX, &(0..0), "the policy is empty", hint);
            return None;
        }
        let fields = self.fields(&entry, &shape::ROOT)?;
        let version = self.required(&fields, "version", "version: 1").and_then(|entry| self.version(&entry));
        if version == Some(Version::Other) {
            // What another version's keys mean is not known, so that nothing else can be called a mistake.
            self.mistakes.retain(|mistake| mistake.topic == &topics::VERSION);
            return None;
        }
        let app = self.required(&fields, "app", "app: my-shop").and_then(|entry| self.name(&entry));
        let keys = fields.get("keys").map_or_else(|| Some(BTreeMap::new()), |entry| self.keys(&entry));
        let release = match fields.get("release") {
            Some(entry) => self.release(&entry),
            None => Some(super::ReleasePolicy::default()),
        };
        let environments = self
            .required(&fields, "environments", "environments: { dev: { gates: none, target: … } }")
            .and_then(|entry| self.environments(&entry));
        let mut named = Vec::new();
        let notify =
            fields.get("notify").map_or_else(|| Some(Vec::new()), |entry| self.notify(&entry, &mut named));
        // Where `keys` is there and no map, what it lists is not known, and nothing is said about missing keys.
        let key_names = fields.get("keys").map_or_else(|| Some(Vec::new()), |entry| entry.names());
        if let Some(drafts) = &environments {
            self.check(drafts, &Keys { read: keys.as_ref(), names: key_names });
            let known: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
            self.check_notify(&named, &known);
        }
        let environments: Option<Vec<_>> = environments?.into_iter().map(|draft| draft.environment).collect();
        version?;
        Some(Policy {
            app: app?,
            release: release?,
            keys: keys?,
            environments: environments?,
            notify: notify?,
            digest,
        })
    }

    fn version(&mut self, entry: &Entry<'_>) -> Option<Version> {
        match entry.scalar() {
            Some("1") => Some(Version::One),
            Some(other) if other.parse::<u64>().is_ok() => {
                let message = format!("version {other} of the grammar is not known");
                self.report(&topics::VERSION, entry.place(), message, "this Windlass knows `version: 1`");
                Some(Version::Other)
            }
            Some(_) | None => {
                let message = format!("`version` needs the number 1, not {}", entry.described());
                self.report(&topics::VERSION, entry.place(), message, "write `version: 1`");
                None
            }
        }
    }

    /// The mistakes in the order of the source, with lines and columns, counted in one walk.
    fn problems(mut self, text: &str) -> Vec<Problem> {
        self.mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        let (mut offset, mut line, mut column) = (0, 1, 1);
        let place = |mistake: Mistake| {
            for character in text.get(offset..mistake.span.start).unwrap_or_default().chars() {
                match character {
                    '\n' => (line, column) = (line + 1, 1),
                    '\u{feff}' if line == 1 && column == 1 => {}
                    _ => column += 1,
                }
            }
            offset = mistake.span.start;
            Problem {
                topic: mistake.topic,
                line,
                column,
                span: mistake.span,
                message: mistake.message,
                hint: (!mistake.hint.is_empty()).then_some(mistake.hint),
                hidden: mistake.hidden,
            }
        };
        self.mistakes.into_iter().map(place).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Other,
}

/// The word of `known` nearest to `word`, where one is near enough to be a slip.
fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|one| (strsim::damerau_levenshtein(&lower, &one.replace('-', "_")), one))
        .filter(|(distance, one)| *distance <= 1 + one.len().min(word.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, one)| one)
}

/// `did you mean …? allowed: …`, or only what is allowed.
fn suggest(word: &str, known: &[&str]) -> String {
    let allowed = known.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? allowed: {allowed}"),
        None => format!("allowed: {allowed}"),
    }
}
