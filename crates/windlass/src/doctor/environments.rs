//! `environments`: the forge's environments are those of the policy, and guard what it says that they guard.

use windlass_domain::policy::Environment;
use windlass_forge::{Forge, Kind, Protection};

use super::Line;
use super::facts::Facts;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let (Ok(forge), Ok(_)) = (&facts.forge, &facts.meeting) else {
        return vec![Line::nothing("no forge was asked: see token")];
    };
    let mut lines = Vec::new();
    for environment in facts.environments() {
        lines.extend(match forge.environment(&environment.name).await {
            Ok(found) => compare(environment, found.as_ref(), &**forge),
            Err(fault) => vec![Line::untold(&fault)],
        });
    }
    lines
}

/// Whether the policy counts the agreement of people on the forge.
fn asks_people(environment: &Environment) -> bool {
    environment.approval.as_ref().is_some_and(|rule| rule.from.iter().any(|from| !from.starts_with("key:")))
}

fn compare(environment: &Environment, found: Option<&Protection>, forge: &dyn Forge) -> Vec<Line> {
    let (name, place) = (&environment.name, forge.place());
    let click = match place.kind {
        Kind::Github => format!(
            "gh api -X PUT repos/{}/environments/{name}, then add required reviewers in the repository's settings",
            place.repository
        ),
        Kind::Gitlab => format!(
            "add {name} under Operate > Environments, then protect it under Settings > CI/CD > Protected environments"
        ),
    };
    let Some(found) = found else {
        return vec![if asks_people(environment) {
            Line::wrong(
                format!(
                    "{} has no environment {name}, and windlass.yml counts approvals of people there",
                    place.kind
                ),
                click,
            )
        } else {
            Line::good(format!("{} has no environment {name} yet: its first record makes it", place.kind))
        }];
    };
    let mut lines = Vec::new();
    let not_author = environment.approval.as_ref().is_some_and(|rule| rule.not_author);
    if not_author && !found.reviewers.is_empty() && found.no_self_review == Some(false) {
        lines.push(Line::wrong(
            format!(
                "whoever starts a run may approve {name} on {}, and windlass.yml does not count the author",
                place.kind
            ),
            format!("tick `Prevent self-review` in the settings of the environment {name}"),
        ));
    }
    if asks_people(environment) && found.reviewers.is_empty() {
        // Reviews count as well: nobody must approve here, but nobody is asked either.
        lines.push(Line::good(format!(
            "{name} asks no reviewers on {}: reviews of the change alone can approve",
            place.kind
        )));
    }
    if lines.is_empty() {
        let who = if found.reviewers.is_empty() { "nobody".to_owned() } else { found.reviewers.join(", ") };
        let branches = if found.is_limited_to_branches { ", and only some branches may enter" } else { "" };
        lines.push(Line::good(format!("{name} is there and asks {who}{branches}")));
    }
    lines
}
