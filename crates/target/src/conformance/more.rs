//! What not every release asks for: warm revisions, migrations, and steps for some hosts only.

use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use super::ground::{Ground, Not, Verdict, demand};
use super::steps::{answers, three};
use crate::driver::DriverError;

pub(super) async fn retire_keeps_warm(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = three(ground).await?;
    let warm = vec![Sequence(2)];
    let step = Step::Retire { live: Sequence(3), warm: warm.clone(), keep: vec![Sequence(2), Sequence(3)] };
    target.apply(&lease, &step).await?;
    let scene = target.scene().await?;
    demand(scene.weights == Weights::all(Sequence(3)) && scene.ready(3) >= 1, || {
        format!("after `{step}`, observed is {scene:?}")
    })?;
    demand(scene.ready(2) >= 1, || format!("r2 was to stay warm, and ready are {:?}", scene.revisions))?;
    demand(!scene.has(1), || format!("nothing keeps r1, and there are {:?}", scene.revisions))?;
    // Warm is: nothing has to be started before it serves.
    target.serve(&lease, 2).await?;
    answers(&target, 2).await
}

pub(super) async fn migrates_once(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    target.supply(2);
    target.apply(&lease, &Step::stage(Sequence(2), 0)).await?;
    let folder =
        tempfile::tempdir().map_err(|error| Not::Asked(format!("no folder to look into: {error}")))?;
    let trace = folder.path().join("migrated");
    let run =
        ["/bin/sh", "-c", "printf x >>\"$0\"", &trace.display().to_string()].map(str::to_owned).to_vec();
    let (revision, timeout) = (Sequence(2), Span::minutes(1));
    let migrate = Step::Migrate { revision, run, timeout, reversible: true };
    let before = target.scene().await?;
    match target.driver.apply(&lease, &migrate).await {
        Ok(_) => {}
        Err(DriverError::Judged { why, .. }) => {
            let after = target.scene().await?;
            demand(before == after, || {
                format!("a migration that was judged no changed the target from {before:?} to {after:?}")
            })?;
            demand(!trace.exists(), || "a migration that was judged no was run".to_owned())?;
            return Err(Not::Asked(format!("it migrates nothing ({why})")));
        }
        Err(error) => return Err(super::ground::broken("`migrate` did not take effect")(error)),
    }
    target.apply(&lease, &migrate).await?;
    // Another run, as after a kill.
    target.free().await?;
    let lease = target.claim("second").await?;
    target.apply(&lease, &migrate).await?;
    let scene = target.scene().await?;
    demand(scene.weights == before.weights, || {
        format!("a migration moves no request, and observed is {}", scene.weights)
    })?;
    match std::fs::read_to_string(&trace) {
        Ok(times) => demand(times == "x", || format!("it ran {} times", times.len())),
        // Where it runs somewhere else, this cannot be seen from here.
        Err(_) => Err(Not::Asked("its migrations leave no trace on this machine".to_owned())),
    }
}

/// Several hosts are the business of a target that has them: it asks each for a step without names. Whoever is asked with a
/// name and knows none must not take it for all.
pub(super) async fn no_hosts(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    target.supply(2);
    let on = || vec!["elsewhere".to_owned()];
    let (revision, instances) = (Sequence(2), 1);
    for step in [
        Step::Stage { revision, instances, on: on() },
        Step::AwaitReady { revision: Sequence(1), instances, on: on() },
        Step::Shift { weights: Weights::none(), on: on() },
    ] {
        let refused = async {
            match target.driver.apply(&lease, &step).await {
                Err(DriverError::Judged { .. }) => Ok(()),
                Err(error) => Err(Not::Kept(format!("`{step}` was not judged no, but: {error}"))),
                Ok(note) => {
                    Err(Not::Kept(format!("`{step}` is said to be done ({note}), and there is no such host")))
                }
            }
        };
        target.unchanged(&format!("`{step}`"), refused).await?;
    }
    answers(&target, 1).await
}
