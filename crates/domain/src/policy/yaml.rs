//! YAML to a tree with places: the only module that knows the YAML library.
//!
//! Every scalar keeps its text as written, so that `1.10`, `012` and `yes` are what the author typed, and nothing is
//! guessed from their look. Duplicate keys stay in the tree; the decoder reports them all.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::{AliasLimits, DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_yaml::{Budget, Location, Options, Spanned};

/// The largest `windlass.yml`, in bytes.
pub(super) const LARGEST: usize = 1024 * 1024;
/// How deeply lists and maps may nest. The grammar needs seven.
const DEEPEST: usize = 32;
/// How many values a file may have, aliases expanded.
const MOST_NODES: usize = 10_000;

/// A value and the bytes of the source it was read from.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The bytes of the source; for an alias, those of the alias.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// A text, quoting and escapes resolved.
    Scalar(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A map: its keys in the order of the file, duplicates included.
    Mapping(Vec<(Node, Node)>),
}

/// The file is not YAML, or larger than a policy can be.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Where.
    pub(super) span: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do; empty where the message says it.
    pub(super) hint: &'static str,
}

/// Reads `source`, whose spans are then relative to its start. An empty file is [`Value::Null`].
///
/// # Errors
/// The first syntax error, or the budget that was exceeded.
pub(super) fn read(source: &str) -> Result<Node, SyntaxError> {
    let mut options = Options::default();
    let mut budget = Budget::default();
    budget.max_depth = DEEPEST;
    budget.flow_nesting_limit = DEEPEST;
    budget.max_nodes = MOST_NODES;
    budget.max_events = 4 * MOST_NODES;
    budget.max_aliases = 256;
    budget.max_anchors = 64;
    budget.max_documents = 2;
    budget.max_total_scalar_bytes = LARGEST;
    let mut aliases = AliasLimits::default();
    aliases.max_total_replayed_events = 10_000;
    aliases.max_replay_stack_depth = 8;
    aliases.max_alias_expansions_per_anchor = 64;
    options.budget = Some(budget);
    options.alias_limits = aliases;
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    options.non_finite_float_policy = NonFiniteFloatPolicy::AsString;
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options.reject_unsupported_tags = true;
    options.with_snippet = false;
    let read: Result<Option<Spanned<Raw>>, _> = serde_yaml::from_str_with_options(source, options);
    match read {
        Ok(Some(raw)) => Ok(resolve(raw, source)),
        Ok(None) => Ok(Node { span: 0..0, value: Value::Null }),
        Err(error) => Err(syntax_error(error.without_snippet(), source)),
    }
}

fn syntax_error(error: &serde_yaml::Error, source: &str) -> SyntaxError {
    let span = error.location().map_or(0..0, |location| range(location, source));
    let fail = |span, message: &str, hint| SyntaxError { span, message: message.to_owned(), hint };
    match error {
        serde_yaml::Error::MultipleDocuments { .. } => fail(
            span,
            "a second document begins here",
            "a policy is one document: remove `---` and what follows",
        ),
        serde_yaml::Error::Budget { .. }
        | serde_yaml::Error::AliasReplayLimitExceeded { .. }
        | serde_yaml::Error::AliasExpansionLimitExceeded { .. }
        | serde_yaml::Error::AliasReplayStackDepthExceeded { .. } => fail(
            span,
            "larger, deeper or more often repeated than a policy can be",
            "write it out, and flatter",
        ),
        _ => match tab(source) {
            Some(at) => fail(at..at + 1, "a tab indents this line", "YAML is indented by spaces only"),
            None => fail(span, &message(&error.to_string()), ""),
        },
    }
}

/// The first tab that indents a line.
fn tab(source: &str) -> Option<usize> {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(at) = line[..indent].find('\t') {
            return Some(start + at);
        }
        start += line.len();
    }
    None
}

/// The library's message in our form: one line, lower case, no full stop, no place of its own.
fn message(text: &str) -> String {
    let first = text.lines().next().unwrap_or("unreadable");
    let first = first.find(" at line ").map_or(first, |end| &first[..end]);
    let first = first.trim().trim_end_matches('.');
    let mut characters = first.chars();
    characters.next().map_or_else(String::new, |start| start.to_lowercase().chain(characters).collect())
}

/// A value as the library gives it. `None` for a scalar whose look it interpreted: its text is cut from the source.
enum Raw {
    Null,
    Scalar(Option<String>),
    Sequence(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

/// The bytes of a place. Errors of the scanner have no byte offsets; theirs are counted from line and column.
fn range(location: Location, source: &str) -> Range<usize> {
    let span = location.span();
    let clamp = |offset: u64| {
        let mut offset = usize::try_from(offset).unwrap_or(usize::MAX).min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let Some(offset) = span.byte_offset() else {
        let start = offset_of(location, source);
        return start..start;
    };
    let start = clamp(offset);
    start..clamp(offset.saturating_add(span.byte_len().unwrap_or(0))).max(start)
}

fn offset_of(location: Location, source: &str) -> usize {
    let line = usize::try_from(location.line()).unwrap_or(usize::MAX).saturating_sub(1);
    let column = usize::try_from(location.column()).unwrap_or(usize::MAX).saturating_sub(1);
    let Some(text) = source.split_inclusive('\n').nth(line) else { return source.len() };
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    before + text.char_indices().nth(column).map_or(text.trim_end().len(), |(at, _)| at)
}

fn resolve(raw: Spanned<Raw>, source: &str) -> Node {
    let span = range(raw.referenced, source);
    let defined = range(raw.defined, source);
    let written = source.get(defined).unwrap_or_default();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Scalar(text) => Value::Scalar(text.unwrap_or_else(|| written.trim().to_owned())),
        Raw::Sequence(items) => {
            Value::Sequence(items.into_iter().map(|item| resolve(item, source)).collect())
        }
        Raw::Mapping(entries) => Value::Mapping(
            entries.into_iter().map(|(key, value)| (resolve(key, source), resolve(value, source))).collect(),
        ),
    };
    Node { span, value }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Some(text)))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values are not used here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            list.push(entry);
            if list.len() > MOST_NODES {
                return Err(A::Error::custom("more keys than a policy can have"));
            }
        }
        Ok(Raw::Mapping(list))
    }
}
