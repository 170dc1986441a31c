//! GitLab, on gitlab.com and elsewhere: a thin client of its REST API, version 4.
//!
//! Shapes from its documentation: "Deployments API", "Environments API", "Merge request approvals API", "Commits API",
//! "Group and project members API", "Protected environments API", "Protected branches API", "Resource groups API".

mod guard;
mod need;
mod opinions;
mod records;

use async_trait::async_trait;
use hyper::body::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

/// GitLab.
pub(crate) struct Gitlab {
    place: Place,
    carrier: Carrier,
}

/// Somebody, where anybody is.
#[derive(Clone, Debug, Deserialize)]
struct User {
    id: u64,
    username: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    public_email: Option<String>,
}

impl Gitlab {
    pub(crate) fn new(place: &Place, carrier: Carrier) -> Self {
        Self { place: place.clone(), carrier }
    }

    /// A path of the project.
    fn path(&self, rest: &str) -> String {
        format!("/projects/{}{rest}", segment(&self.place.repository))
    }

    fn attempt(&self, what: &str) -> String {
        format!("{what} of project {} at {}", self.place.repository, self.place.api)
    }

    async fn ask(
        &self,
        what: &str,
        need: Need,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let attempt = self.attempt(what);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let body = body.map_or_else(Bytes::new, |body| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            body.to_string().into()
        });
        let address = self.carrier.address(path);
        let answer = self.carrier.send(&attempt, method, &address, headers, body).await?;
        accepted(&self.carrier, answer, &attempt, need)
    }

    async fn get<T: DeserializeOwned>(&self, what: &str, need: Need, path: &str) -> Result<T, Fault> {
        let answer = self.ask(what, need, Method::GET, path, None).await?;
        read(&self.carrier, &answer, &self.attempt(what))
    }

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
}

#[async_trait]
impl Forge for Gitlab {
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

    async fn queue(&self, key: &str) -> Result<Option<String>, Fault> {
        self.process_mode(key).await
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
