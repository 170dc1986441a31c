//! The journal: kept as it was given, in order, after its head only.

use std::sync::Arc;

use windlass_domain::causes::chain;
use windlass_domain::journal::{Entry, Event, Head};

use super::ground::{Ground, Not, Target, Verdict, demand, hold};
use crate::driver::DriverError;

/// How many appends race.
const RACERS: usize = 8;

pub(super) async fn keeps(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let lease = target.claim("first").await?;
    let mut written = Vec::new();
    let mut head = Head::EMPTY;
    // One alone, several at once, and one after them.
    for batch in [vec!["a"], vec!["b", "c", "d"], vec!["e"]] {
        let events: Vec<Event> = batch.iter().map(|reason| hold(reason)).collect();
        written.extend(events.clone());
        head = target.append(&lease, head, events).await?;
        let (entries, ends) = target.journal().await?;
        same(&entries, &written)?;
        demand(ends == head, || {
            format!("the append answered head {}, and the journal ends with {}", head.number, ends.number)
        })?;
    }
    let (entries, _) = target.journal().await?;
    let strange =
        entries.iter().find(|entry| entry.epoch != lease.epoch || entry.by != "the conformance kit");
    demand(strange.is_none(), || {
        format!("an entry has another epoch or writer than it was given: {strange:?}")
    })
}

pub(super) async fn hostile(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let lease = target.claim("first").await?;
    let texts = [
        "two\nlines and a\r\n return".to_owned(),
        r#"quotes " ' ` and \ backslashes \n \\"#.to_owned(),
        "$(touch /tmp/never) ${HOME} `id` ; & | > < * ? [a] {b} ! ~ #".to_owned(),
        "percent %s %d %n and -n -e".to_owned(),
        "\u{e9}\u{4e2d}\u{1f6a2} \u{202e} \u{0} \u{1b}[31m".to_owned(),
        String::new(),
        "long ".repeat(40_000),
    ];
    let events: Vec<Event> = texts.iter().map(|text| hold(text)).collect();
    target.append(&lease, Head::EMPTY, events.clone()).await?;
    same(&target.journal().await?.0, &events)
}

pub(super) async fn head(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let lease = target.claim("first").await?;
    let first = target.append(&lease, Head::EMPTY, vec![hold("first")]).await?;
    let second = target.append(&lease, first, vec![hold("second")]).await?;
    let elsewhere = Head { number: second.number, hash: first.hash };
    for (stale, what) in [
        (Head::EMPTY, "the empty journal's head"),
        (first, "the head before"),
        (elsewhere, "the right number with another hash"),
    ] {
        let append = async {
            match target.driver.append(&lease, stale, "the conformance kit", vec![hold("lost")]).await {
                Err(DriverError::Head(named)) => demand(named == second, || {
                    format!(
                        "the journal ends with entry {}, and the refusal names {}",
                        second.number, named.number
                    )
                }),
                Ok(_) => Err(Not::Kept(format!("an append after {what} was kept"))),
                Err(error) => Err(Not::Kept(format!(
                    "an append after {what} was not refused by the head: {}",
                    chain(&error)
                ))),
            }
        };
        target.unchanged("an append that was refused", append).await?;
    }
    Ok(())
}

pub(super) async fn race(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let lease = target.claim("first").await?;
    let before = target.append(&lease, Head::EMPTY, vec![hold("before")]).await?;
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..RACERS {
        let (driver, lease) = (Arc::clone(&target.driver), lease.clone());
        racers.spawn(async move {
            driver.append(&lease, before, "the conformance kit", vec![hold(&format!("racer {racer}"))]).await
        });
    }
    let mut kept = 0;
    for result in racers.join_all().await {
        match result {
            Ok(_) => kept += 1,
            Err(DriverError::Head(_)) => {}
            Err(error) => {
                return Err(Not::Kept(format!(
                    "an append ended neither kept nor refused: {}",
                    chain(&error)
                )));
            }
        }
    }
    let length = target.journal().await?.0.len();
    demand(kept == 1 && length == 2, || {
        format!(
            "{kept} of {RACERS} appends after one head were kept, and the journal has {length} entries and not 2"
        )
    })
}

pub(super) async fn shared(ground: &Ground<'_>) -> Verdict {
    let target = ground.target().await?;
    let lease = target.claim("first").await?;
    let head = target.append(&lease, Head::EMPTY, vec![hold("by the first run")]).await?;
    target.free().await?;
    let lease = target.claim("second").await?;
    target.append(&lease, head, vec![Event::Unhold { reason: None }]).await?;
    same(&target.journal().await?.0, &[hold("by the first run"), Event::Unhold { reason: None }])?;
    empty_is_empty(&ground.target().await?).await
}

async fn empty_is_empty(target: &Target<'_>) -> Verdict {
    let count = target.journal().await?.0.len();
    demand(count == 0, || format!("a new target's journal has {count} entries"))
}

fn same(entries: &[Entry], written: &[Event]) -> Verdict {
    let read: Vec<&Event> = entries.iter().map(|entry| &entry.event).collect();
    demand(read.iter().copied().eq(written), || {
        let first = read.iter().zip(written).position(|(read, written)| *read != written);
        let first = first.unwrap_or(read.len().min(written.len()));
        format!(
            "{} events were written and {} are read; they differ from entry {} on",
            written.len(),
            read.len(),
            first + 1
        )
    })
}
