//! Who agreed: approvals of the run's environment, and reviews of the pull request that brought the commit.
//!
//! Sources: "Get the review history for a workflow run", "List pull requests associated with a commit" and "List reviews
//! for a pull request" of GitHub's documentation. An environment's approval has no time: it cannot be older than its run,
//! so that the run's beginning stands for it.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Github, User, need};
use crate::answer::segment;
use crate::fault::Fault;
use crate::question::{Matter, Means, Opinion, Opinions};

#[derive(Debug, Deserialize)]
struct Run {
    head_sha: String,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Approval {
    state: String,
    user: Option<User>,
    #[serde(default)]
    environments: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

#[derive(Debug, Deserialize)]
struct Commit {
    author: Option<User>,
    committer: Option<User>,
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    user: Option<User>,
    merged_at: Option<Timestamp>,
    merge_commit_sha: Option<String>,
    head: Head,
}

#[derive(Debug, Deserialize)]
struct Head {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct Review {
    user: Option<User>,
    state: String,
    submitted_at: Option<Timestamp>,
    commit_id: Option<String>,
}

/// Who commits for others, when a pull request is merged on the page.
const WEB_FLOW: &str = "web-flow";

impl Github {
    pub(super) async fn all_opinions(&self, matter: &Matter) -> Result<Opinions, Fault> {
        let mut all = Opinions::default();
        if let Err(fault) = self.of_the_commit(matter, &mut all).await {
            all.missing.push(fault);
        }
        if let Err(fault) = self.of_the_run(matter, &mut all).await {
            all.missing.push(fault);
        }
        if let Err(fault) = self.of_the_reviews(matter, &mut all).await {
            all.missing.push(fault);
        }
        // Of two words at one time, the refusal counts.
        all.given.sort_by_key(|opinion| opinion.agrees);
        Ok(all)
    }

    async fn of_the_commit(&self, matter: &Matter, all: &mut Opinions) -> Result<(), Fault> {
        let path = self.path(&format!("/commits/{}", segment(&matter.commit)));
        let commit: Commit = self.get("read the author of the commit", need::REPOSITORY, &path).await?;
        wrote(&commit, all);
        Ok(())
    }

    async fn of_the_run(&self, matter: &Matter, all: &mut Opinions) -> Result<(), Fault> {
        let Some(run) = &self.place.run else { return Ok(()) };
        let path = self.path(&format!("/actions/runs/{}", segment(run)));
        let of: Run = self.get("read the run", need::ACTIONS_READ, &path).await?;
        if !of.head_sha.eq_ignore_ascii_case(&matter.commit) {
            all.notes.push(format!(
                "the approvals of run {run} are of commit {}, not of {}",
                of.head_sha, matter.commit
            ));
            return Ok(());
        }
        let path = self.path(&format!("/actions/runs/{}/approvals", segment(run)));
        let approvals: Vec<Approval> =
            self.get("read the approvals of the run", need::ACTIONS_READ, &path).await?;
        for approval in approvals {
            let is_here =
                approval.environments.iter().any(|one| one.name.eq_ignore_ascii_case(&matter.environment));
            let agrees = match approval.state.as_str() {
                "approved" => true,
                "rejected" => false,
                _ => continue,
            };
            if let (true, Some(user)) = (is_here, approval.user) {
                let (given, means) = (of.created_at, Means::Environment);
                all.given.push(Opinion { login: user.login, email: None, given, agrees, means });
            }
        }
        Ok(())
    }

    async fn of_the_reviews(&self, matter: &Matter, all: &mut Opinions) -> Result<(), Fault> {
        let path = self.path(&format!("/commits/{}/pulls", segment(&matter.commit)));
        let pulls: Vec<Pull> =
            self.all("read the pull requests of the commit", need::PULLS_READ, &path).await?;
        for pull in pulls {
            let is_merge = pull.merged_at.is_some()
                && pull
                    .merge_commit_sha
                    .as_deref()
                    .is_some_and(|sha| sha.eq_ignore_ascii_case(&matter.commit));
            if !is_merge && !pull.head.sha.eq_ignore_ascii_case(&matter.commit) {
                all.notes.push(format!("pull request {} has the commit, and went on after it", pull.number));
                continue;
            }
            all.authors.extend(pull.user.map(|user| user.login.to_lowercase()));
            let commits: Vec<Commit> = self
                .all(
                    "read the commits of a pull request",
                    need::PULLS_READ,
                    &self.path(&format!("/pulls/{}/commits", pull.number)),
                )
                .await?;
            commits.iter().for_each(|commit| wrote(commit, all));
            let reviews: Vec<Review> = self
                .all(
                    "read the reviews of a pull request",
                    need::PULLS_READ,
                    &self.path(&format!("/pulls/{}/reviews", pull.number)),
                )
                .await?;
            for review in reviews {
                judge(review, &pull.head.sha, pull.number, all);
            }
        }
        Ok(())
    }
}

fn wrote(commit: &Commit, all: &mut Opinions) {
    let people = [&commit.author, &commit.committer].into_iter().flatten();
    all.authors.extend(people.map(|user| user.login.to_lowercase()).filter(|login| login != WEB_FLOW));
}

/// A review of what was merged counts; one of an earlier state of the pull request does not, unless it refuses.
fn judge(review: Review, head: &str, pull: u64, all: &mut Opinions) {
    let (Some(user), Some(given)) = (review.user, review.submitted_at) else { return };
    let agrees = match review.state.to_ascii_uppercase().as_str() {
        "APPROVED" => true,
        "CHANGES_REQUESTED" | "DISMISSED" => false,
        _ => return,
    };
    let is_of_head = review.commit_id.is_some_and(|commit| commit.eq_ignore_ascii_case(head));
    if agrees && !is_of_head {
        all.notes.push(format!(
            "the review of pull request {pull} by {} is of an earlier commit than was merged",
            user.login
        ));
        return;
    }
    all.given.push(Opinion { login: user.login, email: None, given, agrees, means: Means::Review });
}
