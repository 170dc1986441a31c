//! A request as environment variables, for commands that have no parser of JSON. Revisions are written `r7`, lists have
//! blanks between; of the configuration's files there is one a line, name and path with a tab between.

use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use super::protocol::{Files, Request, Verb};

/// The variables of a request, beside those of the run. Each begins with `WINDLASS_`.
pub(super) fn facts(request: &Request) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("WINDLASS_PROTOCOL", request.protocol.to_string()),
        ("WINDLASS_APP", request.app.clone()),
        ("WINDLASS_ENVIRONMENT", request.environment.clone()),
        ("WINDLASS_VERB", request.verb.word().to_owned()),
    ];
    match &request.verb {
        Verb::Capabilities | Verb::Observe | Verb::Read => {}
        Verb::Claim { owner, ttl_ms } => {
            let json = serde_json::to_string(owner).expect("an owner has only string keys");
            facts.push(("WINDLASS_RUN", owner.run.clone()));
            facts.push(("WINDLASS_OWNER", json));
            facts.push(("WINDLASS_TTL_MS", ttl_ms.to_string()));
        }
        Verb::Release { epoch } => facts.push(("WINDLASS_EPOCH", epoch.0.to_string())),
        Verb::Apply { epoch, step, package } => {
            facts.push(("WINDLASS_EPOCH", epoch.0.to_string()));
            facts.push(("WINDLASS_STEP", step.word().to_owned()));
            of_step(step, &mut facts);
            if let Some(files) = package {
                of_files(files, &mut facts);
            }
        }
        Verb::Append { epoch, after, head, entries } => {
            facts.push(("WINDLASS_EPOCH", epoch.0.to_string()));
            facts.push(("WINDLASS_AFTER_NUMBER", after.number.to_string()));
            facts.push(("WINDLASS_AFTER_HASH", after.hash.to_string()));
            facts.push(("WINDLASS_HEAD_NUMBER", head.number.to_string()));
            facts.push(("WINDLASS_HEAD_HASH", head.hash.to_string()));
            facts.push(("WINDLASS_ENTRIES", entries.to_string()));
        }
    }
    facts
}

fn of_step(step: &Step, facts: &mut Vec<(&'static str, String)>) {
    match step {
        Step::Stage { revision, instances, .. } | Step::AwaitReady { revision, instances, .. } => {
            facts.push(("WINDLASS_REVISION", revision.to_string()));
            facts.push(("WINDLASS_INSTANCES", instances.to_string()));
        }
        Step::Shift { weights, .. } => facts.push(("WINDLASS_WEIGHTS", weighted(weights))),
        // The command's words are in the JSON: a list does not fit into a variable.
        Step::Migrate { revision, .. } | Step::Commit { revision } | Step::Withdraw { revision } => {
            facts.push(("WINDLASS_REVISION", revision.to_string()));
        }
        Step::Retire { live, warm, keep } => {
            facts.push(("WINDLASS_LIVE", live.to_string()));
            facts.push(("WINDLASS_WARM", list(warm)));
            facts.push(("WINDLASS_KEEP", list(keep)));
        }
        Step::Settle | Step::Verify { .. } | Step::Pause { .. } | Step::Hook { .. } => {}
    }
}

fn of_files(files: &Files, facts: &mut Vec<(&'static str, String)>) {
    facts.push(("WINDLASS_ARTIFACT_DIGEST", files.artifact.to_string()));
    if let Some(path) = &files.artifact_path {
        facts.push(("WINDLASS_ARTIFACT_PATH", path.display().to_string()));
    }
    if let Some(config) = &files.config {
        facts.push(("WINDLASS_CONFIG_DIGEST", config.to_string()));
    }
    let lines = files.config_paths.iter().map(|one| format!("{}\t{}\n", one.name, one.path.display()));
    facts.push(("WINDLASS_CONFIG_PATHS", lines.collect()));
}

fn weighted(weights: &Weights) -> String {
    let one = |(revision, weight): (&Sequence, &u16)| format!("{revision}={weight}");
    weights.0.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn list(revisions: &[Sequence]) -> String {
    revisions.iter().map(Sequence::to_string).collect::<Vec<_>>().join(" ")
}
