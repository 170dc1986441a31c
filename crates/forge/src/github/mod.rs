//! GitHub and GitHub Enterprise Server, over octocrab.
//!
//! The types of what comes back are narrow and our own: an older server leaves fields out that octocrab's demand, and a
//! field that nobody reads must not make an answer unreadable.

mod guard;
mod need;
mod opinions;
mod records;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::wire::Wire;
use crate::Forge;
use crate::answer::{accepted, read, segment};
use crate::carrier::{Answer, Carrier};
use crate::fault::Fault;
use crate::need::Need;
use crate::place::Place;
use crate::question::{BranchProtection, Mark, Matter, Meeting, Opened, Opinions, Protection, Record};

/// How many entries a page has.
const PAGE: usize = 100;
/// The most pages that are read.
const MOST_PAGES: usize = 10;

/// GitHub.
pub(crate) struct Github {
    place: Place,
    wire: Wire,
}

/// Somebody, where anybody is.
#[derive(Clone, Debug, Deserialize)]
struct User {
    login: String,
}

impl Github {
    pub(crate) fn new(place: &Place, carrier: Carrier) -> Self {
        Self { place: place.clone(), wire: Wire::new(Arc::new(carrier)) }
    }

    /// A path of the repository.
    fn path(&self, rest: &str) -> String {
        let (owner, name) = self.place.repository.split_once('/').unwrap_or((&self.place.repository, ""));
        format!("/repos/{}/{}{rest}", segment(owner), segment(name))
    }

    fn owner(&self) -> &str {
        self.place.repository.split('/').next().unwrap_or_default()
    }

    fn attempt(&self, what: &str) -> String {
        format!("{what} of {} at {}", self.place.repository, self.place.api)
    }

    async fn answer(&self, what: &str, need: Need, path: &str) -> Result<Answer, Fault> {
        let attempt = self.attempt(what);
        let answer = self.wire.ask(&attempt, Method::GET, path, None).await?;
        accepted(self.wire.carrier(), answer, &attempt, need)
    }

    async fn get<T: DeserializeOwned>(&self, what: &str, need: Need, path: &str) -> Result<T, Fault> {
        let answer = self.answer(what, need, path).await?;
        read(self.wire.carrier(), &answer, &self.attempt(what))
    }

    /// Every entry of a list, page by page. `path` has no query but what is given.
    async fn all<T: DeserializeOwned>(&self, what: &str, need: Need, path: &str) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        let mark = if path.contains('?') { '&' } else { '?' };
        for page in 1..=MOST_PAGES {
            let page: Vec<T> =
                self.get(what, need, &format!("{path}{mark}per_page={PAGE}&page={page}")).await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
        let why = format!("there are more than {} entries", PAGE * MOST_PAGES);
        Err(Fault::Unreadable { attempt: self.attempt(what), why })
    }

    async fn post<T: DeserializeOwned>(
        &self,
        what: &str,
        need: Need,
        path: &str,
        body: &Value,
    ) -> Result<T, Fault> {
        let attempt = self.attempt(what);
        let answer = self.wire.ask(&attempt, Method::POST, path, Some(body)).await?;
        let answer = accepted(self.wire.carrier(), answer, &attempt, need)?;
        read(self.wire.carrier(), &answer, &attempt)
    }
}

#[async_trait]
impl Forge for Github {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn meet(&self) -> Result<Meeting, Fault> {
        self.meeting().await
    }

    async fn environment(&self, name: &str) -> Result<Option<Protection>, Fault> {
        self.protection(name).await
    }

    async fn branch(&self, name: &str) -> Result<BranchProtection, Fault> {
        self.branch_protection(name).await
    }

    async fn queue(&self, _: &str) -> Result<Option<String>, Fault> {
        // `concurrency` is in the workflow: there is nothing to ask.
        Ok(None)
    }

    async fn opinions(&self, matter: &Matter) -> Result<Opinions, Fault> {
        self.all_opinions(matter).await
    }

    async fn is_member(&self, team: &str, login: &str) -> Result<bool, Fault> {
        self.is_in(team, login).await
    }

    async fn open(&self, record: &Record) -> Result<Opened, Fault> {
        self.open_record(record).await
    }

    async fn mark(&self, id: &str, mark: &Mark) -> Result<(), Fault> {
        self.mark_record(id, mark).await
    }
}
