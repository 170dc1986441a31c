//! The fence: one holder, a rising epoch, an end by itself, and nothing under an old epoch.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_domain::causes::chain;
use windlass_domain::fence::{Lease, Refusal};
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Step, Weights};

use super::ground::{
    Ground, Not, Target, Verdict, broken, demand, hold, owner, ready, retire, shift, stage, withdraw,
};
use crate::driver::DriverError;

/// How many runs race.
const RACERS: u64 = 8;

/// The shortest lease that is asked for. Targets may keep time in whole seconds.
const SHORT: Span = Span::seconds(2);

/// How long after its end a lease may still be in force, on a target that keeps time in whole seconds and on a machine
/// that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn is_one(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let lease = target.claim("first").await?;
    let seen = target.seen().await?.lease;
    demand(seen.as_ref().is_some_and(|seen| seen.epoch == lease.epoch && seen.owner == lease.owner), || {
        format!("the lease of epoch {} is held, and observe says {seen:?}", lease.epoch.0)
    })?;
    match target.driver.claim(&owner("second"), Span::minutes(1)).await {
        Err(DriverError::Fence(Refusal::Held { by })) => {
            demand(by.owner == lease.owner && by.epoch == lease.epoch, || {
                format!("it is held by {:?}, and the refusal names {by:?}", lease.owner)
            })
        }
        other => Err(Not::Kept(format!("a second run was not refused as `held`: {}", told(&other)))),
    }
}

pub(super) async fn renews(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let first = target.claim_for("first", Span::minutes(1)).await?;
    let again = target.driver.renew(&first, Span::minutes(9)).await;
    let again = again.map_err(broken("the holder's own renewal was refused"))?;
    demand(again.epoch == first.epoch, || {
        format!("a renewal came under epoch {} and not {}", again.epoch.0, first.epoch.0)
    })?;
    demand(again.expires > first.expires, || {
        format!("a renewal for longer ends at {}, and before it was {}", again.expires, first.expires)
    })?;
    target.append(&first, target.journal().await?.1, vec![hold("under a renewed lease")]).await.map(drop)
}

pub(super) async fn rises(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let mut last = 0;
    for run in ["first", "second", "first"] {
        let lease = target.claim(run).await?;
        demand(lease.epoch.0 > last, || format!("epoch {} was given after epoch {last}", lease.epoch.0))?;
        last = lease.epoch.0;
        target.driver.release(&lease).await.map_err(broken("the holder cannot give the fence back"))?;
    }
    Ok(())
}

pub(super) async fn race(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let mut racers = tokio::task::JoinSet::new();
    for run in 0..RACERS {
        let driver = Arc::clone(&target.driver);
        racers.spawn(async move { driver.claim(&owner(&format!("racer {run}")), Span::minutes(10)).await });
    }
    let mut given = Vec::new();
    for result in racers.join_all().await {
        match result {
            Ok(lease) => given.push(lease),
            Err(DriverError::Fence(Refusal::Held { .. })) => {}
            Err(error) => {
                return Err(Not::Kept(format!("a claim ended neither given nor held: {}", chain(&error))));
            }
        }
    }
    let epochs: BTreeSet<u64> = given.iter().map(|lease| lease.epoch.0).collect();
    demand(given.len() == 1, || {
        format!("{} of {RACERS} claims at once were given, with the epochs {epochs:?}", given.len())
    })
}

pub(super) async fn releases(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let first = target.claim("first").await?;
    target.driver.release(&first).await.map_err(broken("the holder cannot give the fence back"))?;
    let lease = target.seen().await?.lease;
    demand(lease.is_none(), || format!("the fence was given back, and observe says {lease:?}"))?;
    refuses_append(&target, &first, "its lease was given back").await?;
    let second = target.claim("second").await?;
    // A run that wakes late gives back what is not its own any more.
    let _ = target.driver.release(&first).await;
    let lease = target.seen().await?.lease;
    demand(lease.as_ref().is_some_and(|lease| lease.epoch == second.epoch), || {
        format!("a release under the old epoch took the fence from the holder of the new: {lease:?}")
    })?;
    target.append(&second, target.journal().await?.1, vec![hold("held still")]).await.map(drop)
}

pub(super) async fn expires(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let asked = Instant::now();
    let first = target.claim_for("first", SHORT).await?;
    // Nobody else claims: the lease's own end must be enough.
    let ends = Instant::now() + PATIENCE;
    loop {
        let head = target.journal().await?.1;
        match target.driver.append(&first, head, "the conformance kit", vec![hold("still in time?")]).await {
            Ok(_) => demand(Instant::now() < ends, || {
                format!("a lease of {SHORT} admits appends after {} s still", PATIENCE.as_secs())
            })?,
            Err(DriverError::Fence(_)) => break,
            Err(error) => {
                return Err(Not::Kept(format!("an append near the lease's end: {}", chain(&error))));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let lasted = asked.elapsed();
    // Whole seconds may be cut off once, at the end.
    demand(lasted + Duration::from_secs(1) >= SHORT.get(), || {
        format!("a lease of {SHORT} ended after {} ms", lasted.as_millis())
    })?;
    let second = target.claim("second").await?;
    demand(second.epoch > first.epoch, || {
        format!(
            "the lease after one that ended has epoch {} and not more than {}",
            second.epoch.0, first.epoch.0
        )
    })?;
    refuses_append(&target, &first, "its lease has ended").await
}

pub(super) async fn stale(ground: &Ground<'_>) -> Verdict {
    let (target, old) = ground.serving().await?;
    target.raise(&old, 2).await?;
    target.supply(3);
    target.driver.release(&old).await.map_err(broken("the holder cannot give the fence back"))?;
    let new = target.claim("newer").await?;
    let everything_to = |revision| shift(Weights::all(Sequence(revision)));
    let steps = [
        stage(3),
        stage(2),
        ready(2),
        everything_to(2),
        Step::Settle,
        Step::Commit { revision: Sequence(2) },
        retire(2, &[2]),
        withdraw(1),
        withdraw(2),
    ];
    for step in &steps {
        let stale = async {
            match target.driver.apply(&old, step).await {
                Err(DriverError::Fence(_)) => Ok(()),
                other => Err(Not::Kept(format!(
                    "`{step}` under epoch {} was not refused when epoch {} is in force: {}",
                    old.epoch.0,
                    new.epoch.0,
                    told(&other)
                ))),
            }
        };
        target.unchanged(&format!("`{step}`, which was refused,"), stale).await?;
    }
    refuses_append(&target, &old, "a newer epoch is in force").await
}

/// Demands that an append under this lease is refused by the fence, and that nothing was written.
async fn refuses_append(target: &Target<'_>, lease: &Lease, since: &str) -> Verdict {
    let head = target.journal().await?.1;
    let append = async {
        match target.driver.append(lease, head, "the conformance kit", vec![hold("too late")]).await {
            Err(DriverError::Fence(_)) => Ok(()),
            other => Err(Not::Kept(format!(
                "an append under epoch {} was not refused by the fence, though {since}: {}",
                lease.epoch.0,
                told(&other)
            ))),
        }
    };
    target.unchanged("an append that was refused", append).await
}

fn told<T: std::fmt::Debug>(result: &Result<T, DriverError>) -> String {
    match result {
        Ok(value) => format!("it was done ({value:?})"),
        Err(error) => chain(error),
    }
}
