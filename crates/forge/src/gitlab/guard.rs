//! What guards a project, and what the token may read of it.

use jiff::civil::Date;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{Gitlab, User, need};
use crate::answer::{read, segment};
use crate::fault::Fault;
use crate::limit;
use crate::need::Need;
use crate::question::{BranchProtection, Meeting, Protection};

#[derive(Debug, Deserialize)]
struct Project {
    default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Own {
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    expires_at: Option<Date>,
}

#[derive(Debug, Deserialize)]
struct Guarded {
    #[serde(default)]
    approval_rules: Vec<Rule>,
    #[serde(default)]
    required_approval_count: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(default)]
    user_id: Option<u64>,
    #[serde(default)]
    group_id: Option<u64>,
    #[serde(default)]
    access_level_description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Rules {
    #[serde(default)]
    approvals_before_merge: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Group {
    process_mode: String,
}

#[derive(Debug, Deserialize)]
struct Member {
    #[serde(default)]
    state: Option<String>,
}

impl Gitlab {
    pub(super) async fn meeting(&self) -> Result<Meeting, Fault> {
        let what = "read the project";
        let answer = self.ask(what, need::READ, Method::GET, &self.path(""), None).await?;
        let project: Project = read(&self.carrier, &answer, &self.attempt(what))?;
        let mut lacks = Vec::new();
        let questions: [(&str, Need, &str); 3] = [
            ("read the deployments", need::READ, "/deployments?per_page=1"),
            ("read the environments", need::READ, "/environments?per_page=1"),
            ("read the merge requests", need::READ, "/merge_requests?per_page=1"),
        ];
        for (what, need, path) in questions {
            match self.ask(what, need, Method::GET, &self.path(path), None).await {
                Ok(_) => {}
                Err(Fault::Denied { need, token, .. }) => {
                    lacks.push((format!("{} to {what}", need.permission), need.hint(token)));
                }
                Err(fault) => return Err(fault),
            }
        }
        // A job's token has no page of its own, and neither has one of a group on an older server.
        let own: Result<Own, Fault> =
            self.get("read the token itself", need::READ, "/personal_access_tokens/self").await;
        let own = own.ok();
        if let Some(expires) = own.as_ref().and_then(|own| own.expires_at)
            && let Some(now) = limit::clock(&answer.headers)
            && let Ok(left) = jiff::tz::TimeZone::UTC.to_datetime(now).date().until(expires)
            && left.get_days() < 14
        {
            lacks.push((
                format!("a life beyond {expires}"),
                "rotate the token in the project's settings before that day".to_owned(),
            ));
        }
        Ok(Meeting {
            default_branch: project.default_branch.unwrap_or_else(|| "main".to_owned()),
            clock: limit::clock(&answer.headers),
            scopes: own.map(|own| own.scopes),
            lacks,
            left: answer.header("ratelimit-remaining").and_then(|text| text.parse().ok()),
        })
    }

    pub(super) async fn protection(&self, name: &str) -> Result<Option<Protection>, Fault> {
        if !self.has_environment(name).await? {
            return Ok(None);
        }
        let path = self.path(&format!("/protected_environments/{}", segment(name)));
        let found: Result<Guarded, Fault> =
            self.get("read the protection of an environment", need::GUARDS, &path).await;
        let guarded = match found {
            Ok(guarded) => guarded,
            // Not protected, or an edition that cannot: nobody is asked in either.
            Err(fault) if fault.is_missing() => return Ok(Some(Protection::default())),
            Err(fault) => return Err(fault),
        };
        let mut reviewers: Vec<String> = guarded
            .approval_rules
            .iter()
            .map(|rule| match (rule.user_id, rule.group_id) {
                (Some(user), _) => format!("user {user}"),
                (None, Some(group)) => format!("group {group}"),
                (None, None) => rule.access_level_description.clone().unwrap_or_else(|| "a role".to_owned()),
            })
            .collect();
        if reviewers.is_empty() && guarded.required_approval_count.unwrap_or(0) > 0 {
            reviewers.push("whoever may deploy".to_owned());
        }
        Ok(Some(Protection { reviewers, no_self_review: None, is_limited_to_branches: false }))
    }

    pub(super) async fn branch_protection(&self, name: &str) -> Result<BranchProtection, Fault> {
        let path = self.path(&format!("/protected_branches/{}", segment(name)));
        let found: Result<Value, Fault> =
            self.get("read the protection of a branch", need::GUARDS, &path).await;
        let is_protected = match found {
            Ok(_) => true,
            Err(fault) if fault.is_missing() => false,
            Err(fault) => return Err(fault),
        };
        let rules: Result<Rules, Fault> =
            self.get("read the rules of approvals", need::GUARDS, &self.path("/approvals")).await;
        Ok(BranchProtection {
            is_protected,
            reviews: rules.ok().and_then(|rules| rules.approvals_before_merge),
        })
    }

    /// `unordered`, `oldest_first` and so on; `None` where no job has used the group yet.
    pub(super) async fn process_mode(&self, key: &str) -> Result<Option<String>, Fault> {
        let path = self.path(&format!("/resource_groups/{}", segment(key)));
        match self.get::<Group>("read a resource group", need::GUARDS, &path).await {
            Ok(group) => Ok(Some(group.process_mode)),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// `team` is the path of a group, with a slash between it and the group above.
    pub(super) async fn is_in(&self, team: &str, login: &str) -> Result<bool, Fault> {
        let group = format!("/groups/{}", segment(team));
        let _: Value = self.get("read a group", need::MEMBERS, &group).await?;
        let path = format!("/users?username={}", segment(login));
        let people: Vec<User> = self.get("find a person", need::MEMBERS, &path).await?;
        let Some(person) = people.into_iter().find(|one| one.username.eq_ignore_ascii_case(login)) else {
            return Ok(false);
        };
        let path = format!("{group}/members/all/{}", person.id);
        match self.get::<Member>("read a group's member", need::MEMBERS, &path).await {
            Ok(member) => Ok(member.state.as_deref().is_none_or(|state| state == "active")),
            Err(fault) if fault.is_missing() => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}
