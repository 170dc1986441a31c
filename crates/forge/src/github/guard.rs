//! What guards a repository, and what the token may read of it.
//!
//! Sources: "REST API endpoints for deployment environments", "… for branches", "… for rules" and "… for team members" of
//! GitHub's documentation.

use serde::Deserialize;
use serde_json::Value;

use super::{Github, User, need};
use crate::answer::segment;
use crate::fault::Fault;
use crate::limit;
use crate::need::Need;
use crate::question::{BranchProtection, Meeting, Protection};

#[derive(Debug, Deserialize)]
struct Repository {
    default_branch: String,
}

#[derive(Debug, Deserialize)]
struct Environment {
    #[serde(default)]
    protection_rules: Vec<Rule>,
    #[serde(default)]
    deployment_branch_policy: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    prevent_self_review: Option<bool>,
    #[serde(default)]
    reviewers: Vec<Reviewer>,
}

#[derive(Debug, Deserialize)]
struct Reviewer {
    #[serde(default)]
    reviewer: Option<Who>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Who {
    User(User),
    Team { slug: String },
}

#[derive(Debug, Deserialize)]
struct Branch {
    protected: bool,
}

#[derive(Debug, Deserialize)]
struct BranchRule {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    required_approving_review_count: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Membership {
    state: String,
}

impl Github {
    pub(super) async fn meeting(&self) -> Result<Meeting, Fault> {
        let answer = self.answer("read the repository", need::REPOSITORY, &self.path("")).await?;
        let attempt = self.attempt("read the repository");
        let repository: Repository = crate::answer::read(self.wire.carrier(), &answer, &attempt)?;
        let scopes = answer.header("x-oauth-scopes").map(|text| {
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
        });
        let questions: [(&str, Need, &str); 3] = [
            ("read the deployment records", need::DEPLOYMENTS_READ, "/deployments?per_page=1"),
            ("read the runs", need::ACTIONS_READ, "/actions/runs?per_page=1"),
            ("read the pull requests", need::PULLS_READ, "/pulls?per_page=1"),
        ];
        let mut lacks = Vec::new();
        for (what, need, path) in questions {
            match self.answer(what, need, &self.path(path)).await {
                Ok(_) => {}
                Err(Fault::Denied { need, token, .. }) => {
                    lacks.push((need.permission.to_owned(), need.hint(token)));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(Meeting {
            default_branch: repository.default_branch,
            clock: limit::clock(&answer.headers),
            scopes,
            lacks,
            left: answer.header("x-ratelimit-remaining").and_then(|text| text.parse().ok()),
        })
    }

    pub(super) async fn protection(&self, name: &str) -> Result<Option<Protection>, Fault> {
        let path = self.path(&format!("/environments/{}", segment(name)));
        let found: Result<Environment, Fault> =
            self.get("read an environment", need::ACTIONS_READ, &path).await;
        let environment = match found {
            Ok(environment) => environment,
            Err(fault) if fault.is_missing() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let rule = environment.protection_rules.into_iter().find(|rule| rule.kind == "required_reviewers");
        let mut protection = Protection {
            is_limited_to_branches: environment
                .deployment_branch_policy
                .is_some_and(|policy| !policy.is_null()),
            ..Protection::default()
        };
        if let Some(rule) = rule {
            protection.no_self_review = rule.prevent_self_review;
            let people = rule.reviewers.into_iter().filter_map(|one| one.reviewer);
            protection.reviewers = people
                .map(|who| match who {
                    Who::User(user) => format!("user:{}", user.login),
                    Who::Team { slug } => format!("team:{slug}"),
                })
                .collect();
        }
        Ok(Some(protection))
    }

    pub(super) async fn branch_protection(&self, name: &str) -> Result<BranchProtection, Fault> {
        let path = self.path(&format!("/branches/{}", segment(name)));
        let branch: Branch = self.get("read a branch", need::REPOSITORY, &path).await?;
        let path = self.path(&format!("/rules/branches/{}", segment(name)));
        let rules: Result<Vec<BranchRule>, Fault> =
            self.all("read the rules of a branch", need::REPOSITORY, &path).await;
        let rules = match rules {
            Ok(rules) => rules,
            // Older servers have no rules.
            Err(fault) if fault.is_missing() => Vec::new(),
            Err(fault) => return Err(fault),
        };
        let review =
            rules.into_iter().filter(|rule| rule.kind == "pull_request").filter_map(|rule| rule.parameters);
        let reviews = review.filter_map(|one| one.required_approving_review_count).max();
        Ok(BranchProtection { is_protected: branch.protected || reviews.is_some(), reviews })
    }

    /// `team` is a slug of the owner's organisation, or `organisation/slug`.
    pub(super) async fn is_in(&self, team: &str, login: &str) -> Result<bool, Fault> {
        let (organisation, slug) = team.split_once('/').unwrap_or((self.owner(), team));
        let team = format!("/orgs/{}/teams/{}", segment(organisation), segment(slug));
        // A membership that is not there and one that is hidden are both 404: only who sees the team can tell.
        self.answer("read a team", need::MEMBERS_READ, &team).await?;
        let path = format!("{team}/memberships/{}", segment(login));
        match self.get::<Membership>("read a team's membership", need::MEMBERS_READ, &path).await {
            Ok(membership) => Ok(membership.state == "active"),
            Err(fault) if fault.is_missing() => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}
