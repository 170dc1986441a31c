//! Approvals: whether enough of the right people have agreed.
//!
//! Who signed is proved before this is asked. Here is only counted: one vote a person, of those whom the policy names.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::policy::Approval;

/// One approval whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The name of the key that signed it.
    pub key: String,
    /// The e-mail address of the key's holder, where the policy says it.
    pub owner: Option<String>,
    /// When it was given.
    pub made: Timestamp,
    /// Whether it agrees; a later refusal takes an approval back.
    pub agrees: bool,
}

/// Why a vote is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// The policy does not name this key under `from`.
    NotNamed,
    /// It is older than `max_age`.
    Stale,
    /// Its holder wrote the commit.
    Author,
    /// The policy does not say who holds the key, so that it may be the author's.
    NoOwner,
    /// It was taken back by a later refusal, or replaced by a later vote of the same key.
    TakenBack,
    /// Its holder has voted with another key already.
    SamePerson,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotNamed => "not among those who may approve",
            Self::Stale => "too old",
            Self::Author => "held by the author of the commit",
            Self::NoOwner => "its key has no owner in windlass.yml, so it may be the author's",
            Self::TakenBack => "taken back by a later statement",
            Self::SamePerson => "held by a person who is counted already",
        })
    }
}

/// What the votes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Enough: the names of the keys that count.
    Enough(Vec<String>),
    /// Not yet enough.
    Waiting {
        /// The names of the keys that count so far.
        by: Vec<String>,
        /// The votes that do not, and why.
        excluded: Vec<(String, Exclusion)>,
    },
    /// Cannot be judged.
    Unclear {
        /// Why, in a sentence.
        why: String,
    },
}

/// Counts the votes. `author` is the e-mail address of the commit's author.
///
/// `team:` and `user:` are people on a forge; keys alone may be enough, and where they are not, it cannot be judged here.
#[must_use]
pub fn tally(rule: &Approval, votes: &[Vote], author: Option<&str>, now: Timestamp) -> Tally {
    if rule.not_author && author.is_none() {
        return Tally::Unclear {
            why: "the author of the commit is not known, and may not approve it".into(),
        };
    }
    let mut newest_first: Vec<&Vote> = votes.iter().collect();
    newest_first.sort_by_key(|vote| std::cmp::Reverse(vote.made));
    let (mut by, mut excluded) = (Vec::new(), Vec::new());
    let (mut keys, mut people) = (BTreeSet::new(), BTreeSet::new());
    for vote in newest_first {
        let person =
            vote.owner.as_ref().map_or_else(|| format!("key:{}", vote.key), |owner| owner.to_lowercase());
        match exclusion(rule, vote, author, now) {
            _ if !keys.insert(&vote.key) => excluded.push((vote.key.clone(), Exclusion::TakenBack)),
            Some(why) => excluded.push((vote.key.clone(), why)),
            None if !people.insert(person) => excluded.push((vote.key.clone(), Exclusion::SamePerson)),
            None => by.push(vote.key.clone()),
        }
    }
    let needed = usize::try_from(rule.count.max(1)).unwrap_or(usize::MAX);
    if by.len() >= needed {
        return Tally::Enough(by);
    }
    let elsewhere: Vec<&str> =
        rule.from.iter().map(String::as_str).filter(|from| !from.starts_with("key:")).collect();
    if elsewhere.is_empty() {
        Tally::Waiting { by, excluded }
    } else {
        Tally::Unclear {
            why: format!("{} must be asked of a forge, which this version does not do", elsewhere.join(", ")),
        }
    }
}

fn exclusion(rule: &Approval, vote: &Vote, author: Option<&str>, now: Timestamp) -> Option<Exclusion> {
    if !rule.from.iter().any(|from| from.strip_prefix("key:") == Some(vote.key.as_str())) {
        return Some(Exclusion::NotNamed);
    }
    if !vote.agrees {
        return Some(Exclusion::TakenBack);
    }
    if vote.made < now && now.duration_since(vote.made).unsigned_abs() > rule.max_age.get() {
        return Some(Exclusion::Stale);
    }
    match (rule.not_author, &vote.owner, author) {
        (false, _, _) => None,
        (true, None, _) => Some(Exclusion::NoOwner),
        (true, Some(owner), Some(author)) => owner.eq_ignore_ascii_case(author).then_some(Exclusion::Author),
        (true, Some(_), None) => Some(Exclusion::Author),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Span;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn vote(key: &str, owner: Option<&str>, made: &str) -> Vote {
        Vote { key: key.into(), owner: owner.map(Into::into), made: made.parse().unwrap(), agrees: true }
    }

    fn counted(rule: &Approval, votes: &[Vote], author: Option<&str>) -> Result<Vec<String>, String> {
        match tally(rule, votes, author, NOW.parse().unwrap()) {
            Tally::Enough(by) => Ok(by),
            Tally::Waiting { by, excluded } => Err(format!("{by:?} {excluded:?}")),
            Tally::Unclear { why } => Err(why),
        }
    }

    fn rule(count: u32) -> Approval {
        Approval {
            count,
            from: vec!["key:ana".into(), "key:ben".into(), "key:ana-laptop".into()],
            not_author: true,
            max_age: Span::minutes(24 * 60),
        }
    }

    #[test]
    fn only_different_named_fresh_people_who_are_not_the_author_count() {
        let recent = "2026-11-24T11:00:00Z";
        let ana = vote("ana", Some("ana@example.org"), recent);
        let ben = vote("ben", Some("ben@example.org"), recent);
        let author = Some("Ben@Example.org");
        let taken_back =
            Vote { agrees: false, ..vote("ana", Some("ana@example.org"), "2026-11-24T11:30:00Z") };
        let cases: [(&str, u32, Vec<Vote>, bool); 9] = [
            ("nobody", 1, vec![], false),
            ("one of one", 1, vec![ana.clone()], true),
            ("the author", 1, vec![ben.clone()], false),
            ("one and the author", 2, vec![ana.clone(), ben], false),
            ("one person twice", 2, vec![ana.clone(), ana.clone()], false),
            (
                "one person, two keys",
                2,
                vec![ana.clone(), vote("ana-laptop", Some("ANA@example.org"), recent)],
                false,
            ),
            ("too old", 1, vec![vote("ana", Some("ana@example.org"), "2026-11-23T11:59:59Z")], false),
            ("a stranger", 1, vec![vote("eve", Some("eve@example.org"), recent)], false),
            ("taken back", 1, vec![ana, taken_back], false),
        ];
        for (case, count, votes, enough) in cases {
            assert_eq!(counted(&rule(count), &votes, author).is_ok(), enough, "{case}");
        }
    }

    #[test]
    fn key_without_an_owner_may_be_the_authors() {
        let votes = [vote("ana", None, "2026-11-24T11:00:00Z")];
        assert!(counted(&rule(1), &votes, Some("ben@example.org")).unwrap_err().contains("NoOwner"));
        let anyone = Approval { not_author: false, ..rule(1) };
        assert_eq!(counted(&anyone, &votes, None), Ok(vec!["ana".to_owned()]));
    }

    #[test]
    fn unknown_author_and_people_on_a_forge_cannot_be_judged() {
        let votes = [vote("ana", Some("ana@example.org"), "2026-11-24T11:00:00Z")];
        assert!(counted(&rule(1), &votes, None).unwrap_err().contains("author"));
        let forge = Approval { from: vec!["team:release".into()], ..rule(1) };
        assert!(counted(&forge, &votes, Some("ben@example.org")).unwrap_err().contains("team:release"));
        let zero = Approval { count: 0, ..rule(0) };
        assert!(counted(&zero, &[], Some("ben@example.org")).is_err(), "a count of nought is not a pass");
    }
}
