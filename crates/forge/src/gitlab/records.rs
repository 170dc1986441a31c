//! Deployment records: made, marked, and the environment's URL.
//!
//! A job with `environment:` whose action is `start` makes GitLab write a record itself, and CI_ENVIRONMENT_NAME says
//! so. A record has no place for the address of a log: it is in the environment's page only where a job of GitLab's made
//! the record.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Gitlab, need};
use crate::answer::{read, segment};
use crate::fault::Fault;
use crate::question::{Mark, Opened, Record, Standing};

#[derive(Debug, Deserialize)]
struct Made {
    id: u64,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Environment {
    id: u64,
    name: String,
    #[serde(default)]
    external_url: Option<String>,
}

impl Gitlab {
    pub(super) async fn open_record(&self, record: &Record) -> Result<Opened, Fault> {
        if self.place.environment.as_deref() == Some(record.environment.as_str()) {
            return Ok(Opened::CiSystems);
        }
        // GitLab takes any text for a commit: one that it does not know would show a record of nothing.
        let path = self.path(&format!("/repository/commits/{}", segment(&record.commit)));
        let commit: Commit = self.get("read the commit", need::READ, &path).await?;
        let body = json!({
            "environment": record.environment,
            "sha": commit.id,
            "ref": commit.id,
            "tag": false,
            "status": "running",
        });
        let what = "write a deployment record";
        let answer =
            self.ask(what, need::RECORD, Method::POST, &self.path("/deployments"), Some(&body)).await?;
        let made: Made = read(&self.carrier, &answer, &self.attempt(what))?;
        Ok(Opened::Ours(made.id.to_string()))
    }

    pub(super) async fn mark_record(&self, id: &str, mark: &Mark) -> Result<(), Fault> {
        if let Some(url) = &mark.url
            && mark.standing == Standing::Live
        {
            self.lead_to(&mark.environment, url).await?;
        }
        let Some(status) = status(mark.standing) else { return Ok(()) };
        let path = self.path(&format!("/deployments/{}", segment(id)));
        let marked = self
            .ask(
                "mark a deployment record",
                need::RECORD,
                Method::PUT,
                &path,
                Some(&json!({ "status": status })),
            )
            .await;
        match marked {
            // GitLab refuses a status that it has already.
            Err(Fault::Refused { status: 400, says, .. }) if says.contains("Cannot transition status") => {
                Ok(())
            }
            marked => marked.map(|_| ()),
        }
    }

    /// Sets the address of the environment's button, where it is another.
    async fn lead_to(&self, environment: &str, url: &str) -> Result<(), Fault> {
        let found = self.named(environment).await?;
        let Some(found) = found.filter(|found| found.external_url.as_deref() != Some(url)) else {
            return Ok(());
        };
        let path = self.path(&format!("/environments/{}", found.id));
        let body = json!({ "external_url": url });
        self.ask("set the URL of an environment", need::RECORD, Method::PUT, &path, Some(&body)).await?;
        Ok(())
    }

    async fn named(&self, environment: &str) -> Result<Option<Environment>, Fault> {
        let path = self.path(&format!("/environments?name={}", segment(environment)));
        let found: Vec<Environment> = self.get("read an environment", need::READ, &path).await?;
        Ok(found.into_iter().find(|one| one.name == environment))
    }

    /// Whether the environment is there.
    pub(super) async fn has_environment(&self, environment: &str) -> Result<bool, Fault> {
        Ok(self.named(environment).await?.is_some())
    }
}

/// GitLab knows no waiting and no inactive record: those stay as they are.
const fn status(standing: Standing) -> Option<&'static str> {
    match standing {
        // It was made running.
        Standing::Running | Standing::Waiting | Standing::Inactive => None,
        Standing::Live => Some("success"),
        Standing::Failed => Some("failed"),
        Standing::Broken => Some("canceled"),
    }
}
