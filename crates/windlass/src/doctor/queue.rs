//! `queue`: GitLab lets the jobs of a resource group in by their order. By itself it takes any of them, so that an older
//! commit may come after a newer one; `deploy` refuses it then, and somebody wonders.

use windlass_forge::Kind;

use super::Line;
use super::facts::Facts;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let (Ok(forge), Ok(_)) = (&facts.forge, &facts.meeting) else {
        return vec![Line::nothing("no forge was asked: see token")];
    };
    if forge.place().kind == Kind::Github {
        return vec![Line::nothing("GitHub's order is `concurrency` in the workflow itself")];
    }
    let mut lines = Vec::new();
    for environment in facts.environments() {
        let key = format!("deploy-{}", environment.name);
        lines.push(match forge.queue(&key).await {
            Ok(None) => Line::nothing(format!("no job has used the resource group {key} yet")),
            Ok(Some(mode)) if mode == "unordered" => Line::wrong(
                format!("the resource group {key} is unordered: an older commit may be deployed after a newer one"),
                format!(
                    "curl -X PUT -H \"PRIVATE-TOKEN: $TOKEN\" -d process_mode=oldest_first {}/projects/{}/resource_groups/{key}",
                    forge.place().api,
                    forge.place().repository.replace('/', "%2F")
                ),
            ),
            Ok(Some(mode)) => Line::good(format!("the resource group {key} is {mode}")),
            Err(fault) => Line::untold(&fault),
        });
    }
    lines
}
