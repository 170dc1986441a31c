//! Finding secrets in a text: one pass for the keywords of all rules, then a rule's pattern around each.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

use super::plausible::{entropy, is_placeholder};
use super::rule::{Reach, Rule, Seen};
use super::rules::RULES;
use crate::severity::Severity;

/// All rules, ready to match. Each pattern is compiled when its first keyword is seen.
pub(crate) struct Matcher {
    keywords: AhoCorasick,
    /// For each keyword its rule, by index.
    owners: Vec<usize>,
    patterns: Vec<OnceLock<Regex>>,
}

/// A secret that was found in a text.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// The rule, by index in [`RULES`].
    pub(crate) rule: usize,
    /// Where the whole match begins, in bytes.
    pub(crate) start: usize,
    /// Where the secret is, in bytes.
    pub(crate) secret: Range<usize>,
    /// How bad it is.
    pub(crate) severity: Severity,
}

impl Matcher {
    /// Prepares the keywords.
    pub(crate) fn new() -> Self {
        let pairs = || {
            RULES.iter().enumerate().flat_map(|(rule, it)| it.keywords.iter().map(move |word| (rule, *word)))
        };
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(pairs().map(|(_, word)| word))
            .expect("a hundred short keywords fit");
        Self {
            keywords,
            owners: pairs().map(|(rule, _)| rule).collect(),
            patterns: RULES.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Every secret in `text`, by place. Where a named rule and a generic one find the same secret, the named one is
    /// told.
    pub(crate) fn find(&self, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut seen = BTreeSet::new();
        for keyword in self.keywords.find_overlapping_iter(text) {
            let rule = self.owners[keyword.pattern().as_usize()];
            self.try_rule(rule, text, keyword.range(), &mut seen, &mut hits);
        }
        hits.sort_by_key(|hit: &Hit| (hit.secret.start, hit.rule));
        without_doubles(hits)
    }

    fn try_rule(
        &self,
        index: usize,
        text: &[u8],
        keyword: Range<usize>,
        seen: &mut BTreeSet<(usize, usize)>,
        hits: &mut Vec<Hit>,
    ) {
        let rule = &RULES[index];
        let window = window(text, keyword, rule.reach);
        for captures in self.pattern(index).captures_iter(&text[window.clone()]) {
            let whole = captures.get(0).expect("group 0 is the match");
            let secret = captures.iter().skip(1).flatten().next().unwrap_or(whole);
            if !seen.insert((index, window.start + secret.start())) {
                continue;
            }
            if let Some(severity) = judge(rule, secret.as_bytes(), whole.as_bytes()) {
                let at = |place: usize| window.start + place;
                let secret = at(secret.start())..at(secret.end());
                hits.push(Hit { rule: index, start: at(whole.start()), secret, severity });
            }
        }
    }

    fn pattern(&self, rule: usize) -> &Regex {
        self.patterns[rule].get_or_init(|| {
            RegexBuilder::new(RULES[rule].pattern)
                .unicode(false)
                .build()
                .expect("a test compiles every pattern")
        })
    }
}

/// The part of `text` around a keyword in which the rule's pattern is tried.
fn window(text: &[u8], keyword: Range<usize>, reach: Reach) -> Range<usize> {
    let (before, after) = match reach {
        Reach::Line { before, after } | Reach::Block { before, after } => (before, after),
    };
    let mut start = keyword.start.saturating_sub(before);
    let mut end = (keyword.end + after).min(text.len());
    match reach {
        Reach::Line { .. } => {
            let is_break = |byte: &u8| *byte == b'\n';
            start = text[start..keyword.start]
                .iter()
                .rposition(is_break)
                .map_or(start, |place| start + place + 1);
            end = text[keyword.end..end].iter().position(is_break).map_or(end, |place| keyword.end + place);
        }
        Reach::Block { .. } => {}
    }
    start..end
}

fn judge(rule: &Rule, secret: &[u8], whole: &[u8]) -> Option<Severity> {
    if is_placeholder(secret) || (rule.entropy > 0.0 && entropy(secret) < rule.entropy) {
        return None;
    }
    (rule.check)(&Seen { secret, whole, severity: rule.severity })
}

/// Of hits whose secrets overlap, the one of the earliest rule: the table has its generic rules last.
fn without_doubles(hits: Vec<Hit>) -> Vec<Hit> {
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match kept.last_mut() {
            Some(last) if hit.secret.start < last.secret.end => {
                if hit.rule < last.rule {
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    kept
}
