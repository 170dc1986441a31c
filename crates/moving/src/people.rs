//! The people of a forge whom `approval.from` names: what they said of this commit, as votes.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_ci::session::{Located, Session};
use windlass_domain::approval::{People, PersonVote};
use windlass_domain::policy::{Approval, Environment};
use windlass_forge::{Fault, Forge, Matter, Opinion, Opinions, Patience, remedies};

/// How long the forge is asked, in all.
const WITHIN: Duration = Duration::from_secs(120);

/// Asks the forge, where the policy names people of it. Whatever it cannot tell is unclear, never nobody.
pub async fn people(
    session: &Session,
    located: &Located,
    environment: &Environment,
    commit: Option<&str>,
) -> People {
    let Some(rule) = environment.approval.as_ref().filter(|rule| of_a_forge(rule).next().is_some()) else {
        return People { is_asked: true, ..People::default() };
    };
    let unclear = |why: String| People { is_asked: true, unclear: vec![why], ..People::default() };
    let Some(commit) = commit else {
        return unclear(
            "the commit is not known, so that nobody on the forge can have agreed to it".to_owned(),
        );
    };
    session.progress.now("asking the forge who has agreed");
    let forge = match crate::forge::forge(session, &located.folder, Patience::default()) {
        Ok(forge) => forge,
        Err(fault) => return of_faults(&[fault]),
    };
    let matter = Matter { commit: commit.to_owned(), environment: environment.name.clone() };
    match tokio::time::timeout(WITHIN, ask(&*forge, rule, &matter)).await {
        Ok(people) => people,
        Err(_) => unclear(format!("the forge gave no whole answer within {} s", WITHIN.as_secs())),
    }
}

fn of_a_forge(rule: &Approval) -> impl Iterator<Item = &str> {
    rule.from.iter().map(String::as_str).filter(|from| !from.starts_with("key:"))
}

async fn ask(forge: &dyn Forge, rule: &Approval, matter: &Matter) -> People {
    let opinions = match forge.opinions(matter).await {
        Ok(opinions) => opinions,
        Err(fault) => return of_faults(&[fault]),
    };
    let mut faults = opinions.missing.clone();
    let mut votes = Vec::new();
    let mut members = BTreeMap::new();
    for opinion in &opinions.given {
        let mut named_by = Vec::new();
        for from in of_a_forge(rule) {
            match is_named(forge, from, &opinion.login, &mut members).await {
                Ok(true) => named_by.push(from.to_owned()),
                Ok(false) => {}
                Err(fault) if faults.contains(&fault) => {}
                Err(fault) => faults.push(fault),
            }
        }
        votes.push(vote(opinion, &opinions, named_by));
    }
    People { votes, notes: opinions.notes.clone(), ..of_faults(&faults) }
}

/// What could not be read, and what would let it be.
fn of_faults(faults: &[Fault]) -> People {
    People {
        is_asked: true,
        unclear: faults.iter().map(ToString::to_string).collect(),
        remedies: remedies(faults),
        ..People::default()
    }
}

fn vote(opinion: &Opinion, all: &Opinions, named_by: Vec<String>) -> PersonVote {
    let is_author = all.authors.contains(&opinion.login.to_lowercase());
    PersonVote {
        login: opinion.login.clone(),
        email: opinion.email.clone(),
        made: opinion.given,
        agrees: opinion.agrees,
        named_by,
        is_author: (is_author || !all.authors.is_empty()).then_some(is_author),
    }
}

/// Whether an entry of `from` names somebody. A team is asked once for each person.
async fn is_named(
    forge: &dyn Forge,
    from: &str,
    login: &str,
    members: &mut BTreeMap<(String, String), Result<bool, Fault>>,
) -> Result<bool, Fault> {
    if let Some(user) = from.strip_prefix("user:") {
        return Ok(user.eq_ignore_ascii_case(login));
    }
    let Some(team) = from.strip_prefix("team:") else { return Ok(false) };
    let key = (team.to_owned(), login.to_lowercase());
    if let Some(known) = members.get(&key) {
        return known.clone();
    }
    let is_member = forge.is_member(team, login).await;
    members.insert(key, is_member.clone());
    is_member
}
