//! The plan of a rollback: where to, and whether the way is there.

use windlass_ci::fail::{Failure, Result};
use windlass_domain::journal::History;
use windlass_domain::policy::{Environment, Span, Strategy};
use windlass_domain::release::{Release, Sequence};
use windlass_domain::rollout::{Intent, Plan, Takeover, WayBack, compile_rollback};
use windlass_target::driver::{Seen, standing};
use windlass_target::reach::instances;

use crate::args::{Arguments, To};
use crate::topics;

/// What a rollback has to do.
pub(crate) enum Course {
    /// Nothing: the release that `--to` names is live and serves everything.
    AlreadyLive,
    /// This.
    Go(Box<Plan>),
}

/// What is to be done, where the target shows this. One that sleeps shows no requests: of it, the ledger alone tells
/// what is live.
///
/// # Errors
/// Invalid (2) when no such release was ever live; refused (6) when its files are gone or it cannot read the data.
pub(crate) fn course(
    environment: &Environment,
    history: &History,
    seen: &Seen,
    is_awake: bool,
    arguments: &Arguments,
) -> Result<Course> {
    let Some(live) = history.live().map(|commit| commit.revision) else {
        return Err(Failure::invalid(&topics::NOTHING, format!("nothing is live in {}", environment.name)));
    };
    let to = destination(environment, history, live, arguments.to)?;
    if to == live && !history.is_stuck() && (!is_awake || seen.serves_only(live)) {
        return Ok(Course::AlreadyLive);
    }
    let release =
        history.releases.get(&to).cloned().ok_or_else(|| unknown(environment, "is not in the ledger"))?;
    if !seen.keeps(to) {
        return Err(Failure::refused(
            &topics::GONE,
            format!("the files of {to} are not on the target any more"),
        )
        .hint(format!("staged are: {}", list(seen.revisions.iter().map(|(staged, _)| *staged)))));
    }
    reads_todays_data(history, &release)?;
    if let Some(past) = history.migrated_past(to).filter(|_| to != live) {
        return Err(Failure::refused(
            &topics::SCHEMA,
            format!("the migration of {past} is not reversible, and {to} was live before it"),
        ));
    }
    let current = history.releases.get(&live);
    let takeover = Takeover {
        hooks: environment.hooks.clone(),
        keep: history.keep(to, environment.keep.releases),
        warm: history.warm(to, environment.keep.warm),
        ..Takeover::bare(to, Some((live, current.map_or(1, instances))), instances(&release))
    };
    // After a stuck rollout, or where somebody moved requests by hand, the way leads to what the ledger calls live, and
    // there is nothing else to return to.
    let way_back = if to == live {
        WayBack::None
    } else {
        WayBack::Anchor { revision: live, instances: current.map_or(1, instances) }
    };
    let plan = Plan {
        environment: environment.name.clone(),
        intent: Intent::Rollback { reason: arguments.reason.clone(), hold: !arguments.no_hold },
        way_back,
        strategy: Strategy::BlueGreen { bake: Span::millis(0) },
        steps: compile_rollback(&takeover),
        clocks: environment.clocks,
        hooks: environment.revert_hooks(),
        from: standing(history, seen),
        release,
    };
    windlass_moving::check_hooks(&plan, &topics::HOOK)?;
    Ok(Course::Go(Box::new(plan)))
}

fn destination(
    environment: &Environment,
    history: &History,
    live: Sequence,
    to: Option<To>,
) -> Result<Sequence> {
    let was_live = |revision: Sequence| history.commits.iter().any(|commit| commit.revision == revision);
    let chosen = match to {
        None if history.is_stuck() => live,
        None => history.before_live().ok_or_else(|| {
            Failure::invalid(
                &topics::NOTHING,
                format!("nothing was live in {} before {live}", environment.name),
            )
        })?,
        Some(To::Sequence(sequence)) => sequence,
        Some(To::Digest(digest)) => {
            let mut commits = history.commits.iter().rev().map(|commit| commit.revision);
            let artifact =
                |revision: &Sequence| history.releases.get(revision).map(|release| release.artifact);
            commits.find(|revision| artifact(revision) == Some(digest)).ok_or_else(|| {
                unknown(environment, &format!("with the artifact {digest} was never live there"))
            })?
        }
    };
    if !was_live(chosen) {
        return Err(unknown(environment, &format!("{chosen} was never live there"))
            .hint(format!("live were: {}", list(history.commits.iter().map(|commit| commit.revision)))));
    }
    Ok(chosen)
}

fn unknown(environment: &Environment, why: &str) -> Failure {
    Failure::invalid(&topics::WHICH, format!("no way to go there in {}: the release {why}", environment.name))
        .hint(format!("see `windlass history -e {}`", environment.name))
}

fn list(revisions: impl Iterator<Item = Sequence>) -> String {
    let mut revisions: Vec<Sequence> = revisions.collect();
    revisions.sort_unstable();
    revisions.dedup();
    revisions.iter().map(Sequence::to_string).collect::<Vec<_>>().join(", ")
}

fn reads_todays_data(history: &History, release: &Release) -> Result<()> {
    match (history.schema_written(), release.schema) {
        (Some(written), Some(schema)) if !schema.reads(written) => Err(Failure::refused(
            &topics::SCHEMA,
            format!(
                "{} reads schemas {} to {}, and the data was written under {written}",
                release.sequence, schema.reads_from, schema.reads_to
            ),
        )),
        (Some(written), None) => Err(Failure::refused(
            &topics::SCHEMA,
            format!(
                "{} does not say which schemas it reads, and the data was written under {written}",
                release.sequence
            ),
        )),
        (_, _) => Ok(()),
    }
}
