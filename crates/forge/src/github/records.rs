//! Deployment records: found, made, marked.
//!
//! Source: "REST API endpoints for deployments" and "… for deployment statuses" of GitHub's documentation. A job with
//! `environment:` makes GitHub write a record itself, and no variable says so: it is known by the log of one of its
//! statuses, which lies in this run.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Github, need};
use crate::answer::segment;
use crate::fault::Fault;
use crate::question::{Mark, Opened, Record, Standing};

/// The longest description, in characters.
const LONGEST: usize = 140;

#[derive(Debug, Deserialize)]
struct Deployment {
    id: u64,
    #[serde(default)]
    payload: Value,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    log_url: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Made {
    id: Option<u64>,
}

impl Github {
    pub(super) async fn open_record(&self, record: &Record) -> Result<Opened, Fault> {
        if let Some(run) = &self.place.run
            && let Some(found) = self.of_this_run(record, run).await?
        {
            return Ok(found);
        }
        let body = json!({
            "ref": record.commit,
            "task": record.task,
            "auto_merge": false,
            "required_contexts": [],
            "environment": record.environment,
            "description": cut(&record.description),
            "payload": { "windlass_run": self.place.run, "windlass_task": record.task },
        });
        let made: Made = self
            .post("write a deployment record", need::DEPLOYMENTS_WRITE, &self.path("/deployments"), &body)
            .await?;
        // A 202 has a message and no number: GitHub merged something instead, which was not asked for.
        made.id.map(|id| Opened::Ours(id.to_string())).ok_or_else(|| Fault::Unreadable {
            attempt: self.attempt("write a deployment record"),
            why: "the answer names no record".to_owned(),
        })
    }

    /// The record that this run has already: ours from an earlier attempt at it, or GitHub's own.
    async fn of_this_run(&self, record: &Record, run: &str) -> Result<Option<Opened>, Fault> {
        let path = self.path(&format!(
            "/deployments?sha={}&environment={}",
            segment(&record.commit),
            segment(&record.environment)
        ));
        let there: Vec<Deployment> =
            self.all("read the deployment records", need::DEPLOYMENTS_WRITE, &path).await?;
        let ours = there.iter().find(|one| {
            one.payload.get("windlass_run").and_then(Value::as_str) == Some(run)
                && one.payload.get("windlass_task").and_then(Value::as_str) == Some(record.task)
        });
        if let Some(ours) = ours {
            return Ok(Some(Opened::Ours(ours.id.to_string())));
        }
        let Some(log) = &self.place.log else { return Ok(None) };
        // The newest few: GitHub's own is not older than the run.
        for one in there.iter().filter(|one| one.payload.get("windlass_run").is_none()).take(5) {
            let path = self.path(&format!("/deployments/{}/statuses?per_page=30", one.id));
            let statuses: Vec<Status> =
                self.get("read the statuses of a deployment record", need::DEPLOYMENTS_WRITE, &path).await?;
            let is_here = |url: &Option<String>| url.as_deref().is_some_and(|url| is_under(url, log));
            if statuses.iter().any(|status| is_here(&status.log_url) || is_here(&status.target_url)) {
                return Ok(Some(Opened::CiSystems));
            }
        }
        Ok(None)
    }

    pub(super) async fn mark_record(&self, id: &str, mark: &Mark) -> Result<(), Fault> {
        let mut body = json!({
            "state": state(mark.standing),
            "description": cut(&mark.description),
            "environment": mark.environment,
            "auto_inactive": mark.standing == Standing::Live,
        });
        if let Some(log) = &self.place.log {
            body["log_url"] = json!(log);
        }
        if let Some(url) = &mark.url {
            body["environment_url"] = json!(url);
        }
        let path = self.path(&format!("/deployments/{}/statuses", segment(id)));
        let _: Value = self.post("mark a deployment record", need::DEPLOYMENTS_WRITE, &path, &body).await?;
        Ok(())
    }
}

/// Whether a page is the run's own or one of its jobs': run 12 is not run 123.
fn is_under(url: &str, log: &str) -> bool {
    url.strip_prefix(log).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

const fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Running => "in_progress",
        Standing::Waiting => "pending",
        Standing::Live => "success",
        Standing::Failed => "failure",
        Standing::Broken => "error",
        Standing::Inactive => "inactive",
    }
}

fn cut(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_of_this_run_and_no_other_that_begins_like_it() {
        let log = "https://github.com/a/b/actions/runs/12";
        for (url, is_its) in [
            ("https://github.com/a/b/actions/runs/12", true),
            ("https://github.com/a/b/actions/runs/12/job/7", true),
            ("https://github.com/a/b/actions/runs/123/job/7", false),
            ("https://elsewhere.example/12", false),
        ] {
            assert_eq!(is_under(url, log), is_its, "{url}");
        }
    }

    #[test]
    fn a_description_is_one_line_of_at_most_140_characters() {
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(cut(&"é".repeat(200)).chars().count(), 140);
    }
}
