//! Who agreed: approvals of the job's deployment, and of the merge request that brought the commit.
//!
//! A merge request's approval stays when commits are pushed after it, unless the project says otherwise: so one that is
//! older than the newest version of the change does not count.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Gitlab, User, need};
use crate::answer::segment;
use crate::fault::Fault;
use crate::question::{Matter, Means, Opinion, Opinions};

#[derive(Debug, Deserialize)]
struct Deployment {
    sha: String,
    #[serde(default)]
    deployable: Option<Job>,
    #[serde(default)]
    approvals: Vec<Word>,
    id: u64,
}

#[derive(Debug, Deserialize)]
struct Job {
    id: u64,
}

#[derive(Debug, Deserialize)]
struct Word {
    user: User,
    status: String,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Change {
    iid: u64,
    state: String,
    author: User,
    created_at: Timestamp,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    squash_commit_sha: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Version {
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approved>,
}

#[derive(Debug, Deserialize)]
struct Approved {
    user: User,
    #[serde(default)]
    approved_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Commit {
    author_email: String,
    author_name: String,
}

impl Gitlab {
    pub(super) async fn all_opinions(&self, matter: &Matter) -> Result<Opinions, Fault> {
        let mut all = Opinions::default();
        if let Err(fault) = self.of_the_deployment(matter, &mut all).await {
            all.missing.push(fault);
        }
        if let Err(fault) = self.of_the_changes(matter, &mut all).await {
            all.missing.push(fault);
        }
        all.given.sort_by_key(|opinion| opinion.agrees);
        Ok(all)
    }

    async fn of_the_deployment(&self, matter: &Matter, all: &mut Opinions) -> Result<(), Fault> {
        let Some(job) = self.place.run.as_ref().and_then(|run| run.parse::<u64>().ok()) else {
            return Ok(());
        };
        let path = self.path(&format!(
            "/deployments?environment={}&order_by=id&sort=desc&per_page=50",
            segment(&matter.environment)
        ));
        let newest: Vec<Deployment> = self.get("read the deployments", need::READ, &path).await?;
        let ours = newest.into_iter().find(|one| one.deployable.as_ref().is_some_and(|by| by.id == job));
        let Some(ours) = ours else { return Ok(()) };
        if !ours.sha.eq_ignore_ascii_case(&matter.commit) {
            all.notes.push(format!(
                "the deployment of this job is of commit {}, not of {}",
                ours.sha, matter.commit
            ));
            return Ok(());
        }
        // Lists leave the approvals out.
        let path = self.path(&format!("/deployments/{}", ours.id));
        let whole: Deployment = self.get("read a deployment", need::READ, &path).await?;
        for word in whole.approvals {
            let agrees = match word.status.as_str() {
                "approved" => true,
                "rejected" => false,
                _ => continue,
            };
            let email = self.address_of(&word.user).await;
            let (login, given, means) = (word.user.username, word.created_at, Means::Environment);
            all.given.push(Opinion { login, email, given, agrees, means });
        }
        Ok(())
    }

    async fn of_the_changes(&self, matter: &Matter, all: &mut Opinions) -> Result<(), Fault> {
        let path = self.path(&format!("/repository/commits/{}/merge_requests", segment(&matter.commit)));
        let changes: Vec<Change> =
            self.all("read the merge requests of the commit", need::READ, &path).await?;
        let is_it =
            |sha: &Option<String>| sha.as_deref().is_some_and(|sha| sha.eq_ignore_ascii_case(&matter.commit));
        for change in changes {
            let is_merge = change.state == "merged"
                && (is_it(&change.merge_commit_sha) || is_it(&change.squash_commit_sha));
            if !is_merge && !is_it(&change.sha) {
                all.notes.push(format!("merge request {} has the commit, and went on after it", change.iid));
                continue;
            }
            all.authors.insert(change.author.username.to_lowercase());
            self.of_a_change(&change, all).await?;
        }
        Ok(())
    }

    async fn of_a_change(&self, change: &Change, all: &mut Opinions) -> Result<(), Fault> {
        let part = |rest: &str| self.path(&format!("/merge_requests/{}/{rest}", change.iid));
        let versions: Vec<Version> =
            self.get("read the versions of a merge request", need::READ, &part("versions")).await?;
        let newest = versions.iter().map(|version| version.created_at).max();
        let commits: Vec<Commit> =
            self.all("read the commits of a merge request", need::READ, &part("commits")).await?;
        let approvals: Approvals =
            self.get("read the approvals of a merge request", need::READ, &part("approvals")).await?;
        for approved in approvals.approved_by {
            let login = approved.user.username.clone();
            // Older servers do not say when: it cannot be older than the request itself.
            let given = approved.approved_at.unwrap_or(change.created_at);
            if newest.is_some_and(|newest| given < newest) {
                all.notes.push(format!(
                    "the approval of merge request {} by {login} is older than what was pushed last, or has no time",
                    change.iid
                ));
                continue;
            }
            let email = self.address_of(&approved.user).await;
            // A commit names no login: who has its address, or bears its author's name, is taken for who wrote it.
            let wrote = |commit: &Commit| {
                email.as_ref().is_some_and(|email| commit.author_email.eq_ignore_ascii_case(email))
                    || commit.author_name.trim().eq_ignore_ascii_case(approved.user.name.trim())
            };
            if commits.iter().any(wrote) {
                all.authors.insert(login.to_lowercase());
            }
            all.given.push(Opinion { login, email, given, agrees: true, means: Means::Review });
        }
        Ok(())
    }

    /// The e-mail address that a person shows. That it cannot be read is no fault: it is seldom shown.
    async fn address_of(&self, user: &User) -> Option<String> {
        let found: Result<User, Fault> =
            self.get("read a person", need::READ, &format!("/users/{}", user.id)).await;
        found.ok().and_then(|user| user.public_email).filter(|email| !email.is_empty())
    }
}
