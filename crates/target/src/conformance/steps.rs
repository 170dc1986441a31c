//! The steps: each brings about what it says, and nothing else.

use windlass_domain::causes::chain;
use windlass_domain::journal::Head;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use super::ground::{Ground, Not, Target, Verdict, demand, ready, retire, shift, stage, withdraw};
use super::through;
use crate::driver::DriverError;

/// How often a target is asked who answers.
const ASKED: usize = 20;

pub(super) async fn observe_empty(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let seen = target.seen().await?;
    demand(seen.weights == Weights::none(), || format!("the weights are {}", seen.weights))?;
    demand(seen.revisions.is_empty(), || format!("there are revisions: {:?}", seen.revisions))?;
    demand(seen.lease.is_none(), || format!("there is a lease: {:?}", seen.lease))?;
    let (entries, head) = target.journal().await?;
    demand(head == Head::EMPTY, || format!("the journal has {} entries", entries.len()))
}

pub(super) async fn stage_is_quiet(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    target.raise(&lease, 2).await?;
    let scene = target.scene().await?;
    demand(scene.weights == all(1), || format!("after staging r2 the weights are {}", scene.weights))?;
    demand(scene.ready(1) >= 1 && scene.ready(2) >= 1, || {
        format!("r1 and r2 were awaited, and ready are {:?}", scene.revisions)
    })?;
    answers(&target, 1).await
}

pub(super) async fn nothing_is_not_staged(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    for step in [stage(7), ready(7), shift(all(7))] {
        let impossible = async {
            match target.driver.apply(&lease, &step).await {
                Err(DriverError::Judged { .. } | DriverError::Unreachable { .. }) => Ok(()),
                Err(error) => {
                    Err(Not::Kept(format!("`{step}` without files was refused by {}", chain(&error))))
                }
                Ok(note) => {
                    Err(Not::Kept(format!("`{step}` is said to be done ({note}), and r7 was never there")))
                }
            }
        };
        target.unchanged(&format!("`{step}`, which cannot be done,"), impossible).await?;
    }
    Ok(())
}

pub(super) async fn shift_is_absolute(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    target.raise(&lease, 2).await?;
    for revision in [2, 1, 2] {
        target.serve(&lease, revision).await?;
        let weights = target.scene().await?.weights;
        demand(weights == all(revision), || {
            format!("everything goes to r{revision}, and observed is {weights}")
        })?;
        answers(&target, revision).await?;
    }
    target.apply(&lease, &shift(Weights::none())).await?;
    target.apply(&lease, &Step::Settle).await?;
    let weights = target.scene().await?.weights;
    demand(weights.0.values().all(|weight| *weight == 0), || {
        format!("nothing is to be served, and observed is {weights}")
    })
}

pub(super) async fn shares(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    if !target.driver.capabilities().weights {
        return Err(Not::Asked("it can only flip (weights: false)".to_owned()));
    }
    target.raise(&lease, 2).await?;
    for share in [500, 2_500, 5_000, 9_999, 100] {
        let wanted = Weights::split(Sequence(2), share, Some(Sequence(1)));
        target.apply(&lease, &shift(wanted.clone())).await?;
        target.apply(&lease, &Step::Settle).await?;
        let weights = target.scene().await?.weights;
        demand(weights == wanted, || format!("asked for {wanted}, and observed is {weights}"))?;
    }
    let half = Weights::split(Sequence(2), 5_000, Some(Sequence(1)));
    target.apply(&lease, &shift(half)).await?;
    target.apply(&lease, &Step::Settle).await?;
    half_each(&target).await
}

/// With equal shares, 400 answers hold at least 100 of each: the odds against that of a fair split are beyond 1 in 10^24.
async fn half_each(target: &Target<'_>) -> Verdict {
    let Some(url) = target.seen().await?.url else { return Ok(()) };
    let mut counts = [0_u32; 2];
    for _ in 0..400 {
        match through::who(&url, &[1, 2]).await {
            Some(1) => counts[0] += 1,
            Some(_) => counts[1] += 1,
            None => {}
        }
    }
    let [one, two] = counts;
    // Answers without a mark tell nothing.
    demand(one + two == 0 || (one >= 100 && two >= 100), || {
        format!("with half each, r1 answered {one} and r2 {two} of 400 requests")
    })
}

pub(super) async fn settle_is_true(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    target.raise(&lease, 2).await?;
    // Several times, since a change that is on its way may be there by chance.
    for revision in [2, 1, 2, 1] {
        target.serve(&lease, revision).await?;
        let weights = target.scene().await?.weights;
        demand(weights == all(revision), || {
            format!("settle was answered, everything goes to r{revision}, and observed is {weights}")
        })?;
        answers(&target, revision).await?;
    }
    Ok(())
}

pub(super) async fn commit_is_quiet(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    let commit = async { target.apply(&lease, &Step::Commit { revision: Sequence(1) }).await.map(drop) };
    target.unchanged("`commit r1`", commit).await?;
    answers(&target, 1).await
}

/// Three revisions, of which the third is live.
pub(super) async fn three<'a>(ground: &Ground<'a>) -> Verdict<(Target<'a>, windlass_domain::fence::Lease)> {
    let (target, lease) = ground.serving().await?;
    for revision in [2, 3] {
        target.raise(&lease, revision).await?;
        target.serve(&lease, revision).await?;
    }
    Ok((target, lease))
}

pub(super) async fn retire_keeps(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = three(ground).await?;
    target.apply(&lease, &retire(3, &[2, 3])).await?;
    let scene = target.scene().await?;
    demand(scene.weights == all(3) && scene.ready(3) >= 1, || {
        format!("after `retire all but r3`, observed is {scene:?}")
    })?;
    answers(&target, 3).await?;
    demand(scene.has(2), || format!("r2 was to be kept, and there are {:?}", scene.revisions))?;
    // The way back: what was kept runs again where it lies.
    target.apply(&lease, &stage(2)).await?;
    target.apply(&lease, &ready(2)).await?;
    target.serve(&lease, 2).await?;
    answers(&target, 2).await
}

pub(super) async fn retire_removes(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = three(ground).await?;
    target.apply(&lease, &retire(3, &[2, 3])).await?;
    let scene = target.scene().await?;
    demand(!scene.has(1), || format!("nothing keeps r1, and there are {:?}", scene.revisions))
}

pub(super) async fn withdraw_keeps_files(ground: &Ground<'_>) -> Verdict {
    let (target, lease) = ground.serving().await?;
    target.raise(&lease, 2).await?;
    target.apply(&lease, &withdraw(2)).await?;
    let scene = target.scene().await?;
    demand(scene.weights == all(1) && scene.ready(1) >= 1, || {
        format!("r2 was withdrawn, r1 serves, and observed is {scene:?}")
    })?;
    answers(&target, 1).await?;
    target.apply(&lease, &stage(2)).await?;
    target.apply(&lease, &ready(2)).await.map(drop)
}

pub(super) async fn apart(ground: &Ground<'_>) -> Verdict {
    let (other, _) = three(ground).await?;
    let (target, lease) = ground.serving().await?;
    let moves = async {
        target.raise(&lease, 2).await?;
        target.serve(&lease, 2).await?;
        target.apply(&lease, &withdraw(1)).await?;
        target.apply(&lease, &retire(2, &[2])).await.map(drop)
    };
    other.unchanged("what was done in another environment", moves).await?;
    answers(&other, 3).await
}

/// Demands that whoever asks the target is answered by `revision`, where answers tell.
pub(super) async fn answers(target: &Target<'_>, revision: u64) -> Verdict {
    let Some(url) = target.seen().await?.url else { return Ok(()) };
    for _ in 0..ASKED {
        if let Some(who) = through::who(&url, &[1, 2, 3]).await {
            demand(who == revision, || {
                format!("everything goes to r{revision}, and r{who} answers at {url}")
            })?;
        }
    }
    Ok(())
}

fn all(revision: u64) -> Weights {
    Weights::all(Sequence(revision))
}
