//! `token`: the forge is known, the token reaches the repository, and may read what Windlass asks for.
//!
//! Whether it may write records cannot be asked without writing one: where the forge lists scopes, they say it.

use windlass_forge::Kind;

use super::Line;
use super::facts::Facts;

/// Below this many requests a run may not get through.
const FEW: u64 = 50;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let (Ok(forge), Ok(meeting)) = (&facts.forge, &facts.meeting) else {
        return facts.meeting.as_ref().err().map(Line::untold).into_iter().collect();
    };
    let place = forge.place();
    let variable = place.token.as_ref().map_or("no variable", |token| token.variable);
    let mut lines: Vec<Line> = meeting
        .lacks
        .iter()
        .map(|(permission, remedy)| {
            Line::wrong(format!("the token in {variable} lacks {permission}"), remedy.clone())
        })
        .collect();
    if let Some(scopes) = &meeting.scopes {
        let writing: &[&str] = match place.kind {
            Kind::Github => &["repo", "repo_deployment"],
            Kind::Gitlab => &["api"],
        };
        if !scopes.iter().any(|scope| writing.contains(&scope.as_str())) {
            lines.push(Line::wrong(
                format!(
                    "the token in {variable} has the scopes [{}], and writes no deployment record",
                    scopes.join(", ")
                ),
                format!("give it one of {}, or set `forge: {{ records: false }}`", writing.join(", ")),
            ));
        }
    }
    if let Some(left) = meeting.left.filter(|left| *left < FEW) {
        lines.push(Line::wrong(
            format!("{left} requests are left before the rate limit of {variable}"),
            "wait for the limit's next hour, or set WINDLASS_FORGE_TOKEN to a token of its own",
        ));
    }
    if lines.is_empty() {
        lines.push(Line::good(format!("{variable} reads {} at {}", place.repository, place.api)));
    }
    lines
}
