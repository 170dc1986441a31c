//! Approvals: whether enough of the right people have agreed.
//!
//! Who signed, and who spoke on a forge, is known before this is asked. Here is only counted: one vote a person, of those
//! whom the policy names.

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

/// One approval that a forge tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonVote {
    /// The login of the person.
    pub login: String,
    /// The e-mail address, where the forge shows it.
    pub email: Option<String>,
    /// When it was given; where the forge does not say, the earliest that it can have been.
    pub made: Timestamp,
    /// Whether it agrees; a later refusal takes an approval back.
    pub agrees: bool,
    /// The entries of `from` that name the person: `user:ana`, `team:release`.
    pub named_by: Vec<String>,
    /// Whether the person wrote what is deployed; nothing where the forge cannot tell.
    pub is_author: Option<bool>,
}

/// What a forge says of the people whom `from` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whether anybody was asked.
    pub is_asked: bool,
    /// Their votes.
    pub votes: Vec<PersonVote>,
    /// What could not be read: with it there might be more votes, or refusals.
    pub unclear: Vec<String>,
    /// What would let it be read, each once.
    pub remedies: Vec<String>,
    /// What was seen and does not count.
    pub notes: Vec<String>,
}

/// Why a vote is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// The policy does not name this key or person under `from`.
    NotNamed,
    /// It is older than `max_age`.
    Stale,
    /// Its holder wrote the commit.
    Author,
    /// The policy does not say who holds the key, so that it may be the author's.
    NoOwner,
    /// It was taken back by a later refusal, or replaced by a later vote of the same key or person.
    TakenBack,
    /// Its holder has voted already, with another key or on the forge.
    SamePerson,
    /// Nobody can tell whether it is of somebody who is counted already by a key, or by the forge.
    MaybeSamePerson,
    /// The forge does not know who wrote the commit.
    UnknownAuthor,
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
            Self::MaybeSamePerson => {
                "may be of a person who is counted already: the forge shows no e-mail address to compare with a key's owner"
            }
            Self::UnknownAuthor => "the forge does not know who wrote the commit, so it may be the author's",
        })
    }
}

/// What the votes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Enough: the names of the keys and people that count.
    Enough(Vec<String>),
    /// Not yet enough.
    Waiting {
        /// The names of the keys and people that count so far.
        by: Vec<String>,
        /// The votes that do not, and why.
        excluded: Vec<(String, Exclusion)>,
    },
    /// Not enough by keys, and nobody has asked the forge for these people.
    Unasked {
        /// The names of the keys that count so far.
        by: Vec<String>,
        /// The people whom `from` names.
        people: Vec<String>,
    },
    /// Cannot be judged.
    Unclear {
        /// Why, in a sentence.
        why: String,
    },
}

/// A vote of either kind, as far as counting goes.
struct Ballot<'a> {
    name: String,
    email: Option<&'a str>,
    is_key: bool,
    made: Timestamp,
    exclusion: Option<Exclusion>,
}

/// Counts the votes. `author` is the e-mail address of the commit's author.
#[must_use]
pub fn tally(
    rule: &Approval,
    votes: &[Vote],
    people: &People,
    author: Option<&str>,
    now: Timestamp,
) -> Tally {
    let has_keys = rule.from.iter().any(|from| from.starts_with("key:"));
    if rule.not_author && author.is_none() && has_keys {
        return Tally::Unclear {
            why: "the author of the commit is not known, and may not approve it".into(),
        };
    }
    let of_keys = votes.iter().map(|vote| Ballot {
        name: vote.key.clone(),
        email: vote.owner.as_deref(),
        is_key: true,
        made: vote.made,
        exclusion: of_a_key(rule, vote, author, now),
    });
    let of_people = people.votes.iter().map(|vote| Ballot {
        name: format!("user:{}", vote.login.to_lowercase()),
        email: vote.email.as_deref(),
        is_key: false,
        made: vote.made,
        exclusion: of_a_person(rule, vote, author, now),
    });
    let mut newest_first: Vec<Ballot<'_>> = of_keys.chain(of_people).collect();
    newest_first.sort_by_key(|ballot| std::cmp::Reverse(ballot.made));
    let (mut counted, mut excluded): (Vec<&Ballot<'_>>, Vec<(String, Exclusion)>) = (Vec::new(), Vec::new());
    let mut voters = BTreeSet::new();
    for ballot in &newest_first {
        let why = if voters.insert((ballot.is_key, ballot.name.as_str())) {
            ballot.exclusion.or_else(|| counted.iter().find_map(|other| same_person(ballot, other)))
        } else {
            Some(Exclusion::TakenBack)
        };
        match why {
            Some(why) => excluded.push((ballot.name.clone(), why)),
            None => counted.push(ballot),
        }
    }
    let by: Vec<String> = counted.into_iter().map(|ballot| ballot.name.clone()).collect();
    let needed = usize::try_from(rule.count.max(1)).unwrap_or(usize::MAX);
    if by.len() >= needed {
        return Tally::Enough(by);
    }
    let elsewhere: Vec<String> = rule.from.iter().filter(|from| !from.starts_with("key:")).cloned().collect();
    if elsewhere.is_empty() {
        return Tally::Waiting { by, excluded };
    }
    if !people.is_asked {
        return Tally::Unasked { by, people: elsewhere };
    }
    let unknown = excluded.iter().filter(|(_, why)| *why == Exclusion::UnknownAuthor);
    let unclear: Vec<String> =
        people.unclear.iter().cloned().chain(unknown.map(|(name, why)| format!("{name}: {why}"))).collect();
    if unclear.is_empty() {
        Tally::Waiting { by, excluded }
    } else {
        Tally::Unclear { why: unclear.join("; ") }
    }
}

fn is_stale(rule: &Approval, made: Timestamp, now: Timestamp) -> bool {
    made < now && now.duration_since(made).unsigned_abs() > rule.max_age.get()
}

fn of_a_key(rule: &Approval, vote: &Vote, author: Option<&str>, now: Timestamp) -> Option<Exclusion> {
    if !rule.from.iter().any(|from| from.strip_prefix("key:") == Some(vote.key.as_str())) {
        return Some(Exclusion::NotNamed);
    }
    if !vote.agrees {
        return Some(Exclusion::TakenBack);
    }
    if is_stale(rule, vote.made, now) {
        return Some(Exclusion::Stale);
    }
    match (rule.not_author, &vote.owner, author) {
        (false, _, _) => None,
        (true, None, _) => Some(Exclusion::NoOwner),
        (true, Some(owner), Some(author)) => owner.eq_ignore_ascii_case(author).then_some(Exclusion::Author),
        (true, Some(_), None) => Some(Exclusion::Author),
    }
}

fn of_a_person(
    rule: &Approval,
    vote: &PersonVote,
    author: Option<&str>,
    now: Timestamp,
) -> Option<Exclusion> {
    if !vote.named_by.iter().any(|named| rule.from.contains(named)) {
        return Some(Exclusion::NotNamed);
    }
    if !vote.agrees {
        return Some(Exclusion::TakenBack);
    }
    if is_stale(rule, vote.made, now) {
        return Some(Exclusion::Stale);
    }
    let has_its_address = match (&vote.email, author) {
        (Some(email), Some(author)) => email.eq_ignore_ascii_case(author),
        (None, _) | (_, None) => false,
    };
    match (rule.not_author, vote.is_author) {
        (false, _) => None,
        (true, Some(true)) => Some(Exclusion::Author),
        (true, Some(false) | None) if has_its_address => Some(Exclusion::Author),
        (true, Some(false)) => None,
        (true, None) => Some(Exclusion::UnknownAuthor),
    }
}

/// Whether two votes are, or may be, of one person. Two keys without owners are two: the policy says so by having both.
fn same_person(one: &Ballot<'_>, other: &Ballot<'_>) -> Option<Exclusion> {
    match (one.email, other.email) {
        (Some(email), Some(counted)) => email.eq_ignore_ascii_case(counted).then_some(Exclusion::SamePerson),
        (None, _) | (_, None) => (one.is_key != other.is_key).then_some(Exclusion::MaybeSamePerson),
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
        counted_with(rule, votes, &People::default(), author)
    }

    fn counted_with(
        rule: &Approval,
        votes: &[Vote],
        people: &People,
        author: Option<&str>,
    ) -> Result<Vec<String>, String> {
        match tally(rule, votes, people, author, NOW.parse().unwrap()) {
            Tally::Unasked { by, people } => Err(format!("{by:?} unasked {people:?}")),
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
    fn unknown_author_cannot_be_judged_and_people_whom_nobody_asked_are_named() {
        let votes = [vote("ana", Some("ana@example.org"), "2026-11-24T11:00:00Z")];
        assert!(counted(&rule(1), &votes, None).unwrap_err().contains("author"));
        let forge = Approval { from: vec!["team:release".into()], ..rule(1) };
        assert!(counted(&forge, &votes, Some("ben@example.org")).unwrap_err().contains("team:release"));
        let zero = Approval { count: 0, ..rule(0) };
        assert!(counted(&zero, &[], Some("ben@example.org")).is_err(), "a count of nought is not a pass");
    }

    fn person(login: &str, email: Option<&str>, made: &str) -> PersonVote {
        PersonVote {
            login: login.into(),
            email: email.map(Into::into),
            made: made.parse().unwrap(),
            agrees: true,
            named_by: vec!["team:release".into()],
            is_author: Some(false),
        }
    }

    fn mixed(count: u32) -> Approval {
        let from = vec!["team:release".into(), "user:eve".into(), "key:ana".into()];
        Approval { count, from, ..rule(count) }
    }

    #[test]
    fn people_of_a_forge_count_once_each_where_they_are_named_fresh_and_not_the_author() {
        let recent = "2026-11-24T11:00:00Z";
        let ana = person("Ana", None, recent);
        let refusal = PersonVote { agrees: false, ..person("ana", None, "2026-11-24T11:30:00Z") };
        let named = PersonVote { named_by: vec!["user:eve".into()], ..person("eve", None, recent) };
        let cases: [(&str, u32, Vec<PersonVote>, bool); 10] = [
            ("nobody", 1, vec![], false),
            ("one of one", 1, vec![ana.clone()], true),
            (
                "one person twice",
                2,
                vec![ana.clone(), PersonVote { login: "ANA".into(), ..ana.clone() }],
                false,
            ),
            ("two people", 2, vec![ana.clone(), named], true),
            (
                "one address twice",
                2,
                vec![person("a", Some("x@e.org"), recent), person("b", Some("X@e.org"), recent)],
                false,
            ),
            ("taken back", 1, vec![ana.clone(), refusal], false),
            ("too old", 1, vec![person("ana", None, "2026-11-23T11:59:59Z")], false),
            ("a stranger", 1, vec![PersonVote { named_by: vec![], ..ana.clone() }], false),
            ("the author", 1, vec![PersonVote { is_author: Some(true), ..ana.clone() }], false),
            ("the author's address", 1, vec![person("ana", Some("BEN@example.org"), recent)], false),
        ];
        for (case, count, votes, enough) in cases {
            let people = People { is_asked: true, votes, ..People::default() };
            let counted = counted_with(&mixed(count), &[], &people, Some("ben@example.org"));
            assert_eq!(counted.is_ok(), enough, "{case}: {counted:?}");
        }
    }

    #[test]
    fn a_key_and_a_login_are_two_people_only_where_their_addresses_say_so() {
        let recent = "2026-11-24T11:00:00Z";
        let key = [vote("ana", Some("ana@example.org"), recent)];
        for (email, enough) in
            [(Some("cleo@example.org"), true), (Some("ana@example.org"), false), (None, false)]
        {
            let votes = vec![person("cleo", email, recent)];
            let people = People { is_asked: true, votes, ..People::default() };
            let counted = counted_with(&mixed(2), &key, &people, Some("ben@example.org"));
            assert_eq!(counted.is_ok(), enough, "{email:?}: {counted:?}");
        }
    }

    #[test]
    fn what_a_forge_could_not_tell_is_unclear_unless_there_is_enough_without_it() {
        let recent = "2026-11-24T11:00:00Z";
        let unclear = vec!["cannot read the reviews".to_owned()];
        let asked = |votes| People { is_asked: true, votes, unclear: unclear.clone(), ..People::default() };
        let author = Some("ben@example.org");
        let why = counted_with(&mixed(1), &[], &asked(vec![]), author).unwrap_err();
        assert_eq!(why, "cannot read the reviews");
        assert!(counted_with(&mixed(1), &[], &asked(vec![person("ana", None, recent)]), author).is_ok());
        let nobody_knows = PersonVote { is_author: None, ..person("ana", None, recent) };
        let people = People { is_asked: true, votes: vec![nobody_knows], ..People::default() };
        assert!(
            counted_with(&mixed(1), &[], &people, author).unwrap_err().contains("does not know who wrote")
        );
    }
}
