//! `policy`: windlass.yml is there and has no mistakes.

use super::Line;
use super::facts::Facts;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let located = match &facts.located {
        Ok(located) => located,
        Err(failure) => {
            return vec![Line::wrong(
                failure.chain(),
                failure
                    .hints
                    .first()
                    .cloned()
                    .unwrap_or_else(|| "`windlass check` shows each place".to_owned()),
            )];
        }
    };
    if let Some(name) = &facts.session.common.environment
        && facts.environments().is_empty()
    {
        let known: Vec<&str> = located.policy.environments.iter().map(|one| one.name.as_str()).collect();
        return vec![Line::wrong(
            format!("no environment {name:?} in windlass.yml"),
            format!("known: {}", known.join(", ")),
        )];
    }
    let count = located.policy.environments.len();
    let noun = if count == 1 { "environment" } else { "environments" };
    vec![Line::good(format!("{} has {count} {noun}", located.path.display()))]
}
