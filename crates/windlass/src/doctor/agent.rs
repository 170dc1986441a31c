//! `agent`: each environment's target can be reached. Looks, and wakes nothing.

use std::time::Duration;

use windlass_domain::explain::Topic;
use windlass_domain::policy::{Environment, TargetKind};
use windlass_moving::Failures;

use super::Line;
use super::facts::Facts;

/// How long one target may take.
const WITHIN: Duration = Duration::from_secs(20);

static TARGET: Topic = Topic { key: "doctor", means: "", next: "" };
static FAILURES: Failures = Failures { driver: &TARGET, target: &TARGET, fence: &TARGET, judged: &TARGET };

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for environment in facts.environments() {
        lines.push(reach(facts, environment).await);
    }
    if lines.is_empty() {
        lines.push(Line::nothing("without a policy there is no target"));
    }
    lines
}

async fn reach(facts: &Facts<'_>, environment: &Environment) -> Line {
    let name = &environment.name;
    let Ok(located) = &facts.located else { return Line::nothing("without a policy there is no target") };
    if facts.session.common.offline && environment.target.kind() != TargetKind::Host {
        return Line::unknown(format!("{name} was not looked at: --offline"), "run it without --offline");
    }
    let look = async {
        let reached = windlass_moving::find(facts.session, located, environment, &FAILURES)?;
        reached.driver.look().await.map_err(|error| FAILURES.of(error))
    };
    match tokio::time::timeout(WITHIN, look).await {
        Ok(Ok(look)) => {
            let lost =
                look.hosts.iter().find_map(|host| host.seen.as_ref().err().map(|why| (&host.name, why)));
            match lost {
                Some((host, why)) => Line::wrong(
                    format!("{name}: {host} cannot be reached: {why}"),
                    format!("`ssh {host} true` must work from here without a question"),
                ),
                None if look.is_awake => Line::good(format!("{name} answers")),
                None => Line::good(format!("{name} is asleep: the next deploy starts its agent")),
            }
        }
        Ok(Err(failure)) => Line::wrong(
            format!("{name}: {}", failure.chain()),
            format!("`windlass status -e {name}` says more"),
        ),
        Err(_) => Line::unknown(
            format!("{name} did not answer within {} s", WITHIN.as_secs()),
            format!("`windlass status -e {name}` says more"),
        ),
    }
}
