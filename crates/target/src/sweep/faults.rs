//! A journal that is damaged when a run comes: a last line that is torn is none, a corrupted one in the middle stops every
//! change until it is mended.

use super::world::Damage;
use super::*;

/// The journals that killed runs leave: with every number of entries that there is.
async fn left_open(moment: Moment) -> Vec<(World, String)> {
    let mut worlds = Vec::new();
    for mutation in 0.. {
        let world = world_with_one().await.again(Fate { death: Some((mutation, moment)), ..Fate::default() });
        if run(&world, Some(&deploy(&canary(), 2, Some(1))), &good()).await.is_ok() {
            return worlds;
        }
        worlds.push((world.again(Fate::default()), format!("killed at {mutation} {moment:?}")));
    }
    worlds
}

#[tokio::test(start_paused = true)]
async fn a_torn_last_line_is_none_wherever_it_was_torn() {
    let mut torn = 0;
    for bytes in [1, 20, 100] {
        for (world, case) in left_open(Moment::Before).await {
            world.state.lock().unwrap().damage = Some(Damage::Torn(bytes));
            // The agent that starts cuts it off; whoever reads the file before that does not count it.
            let read = world.read().await.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(read, world.state.lock().unwrap().journal, "{case}");
            world.state.lock().unwrap().damage = None;
            let driven = run(&world, Some(&deploy(&canary(), 2, Some(1))), &good()).await;
            let outcome = driven.unwrap_or_else(|error| panic!("{case}: {error}")).expect("a plan").outcome;
            assert_eq!(outcome, Outcome::Passed, "{case}");
            check_world(&world, outcome, &case);
            torn += 1;
        }
    }
    assert!(torn > 60, "{torn}");
}

#[tokio::test(start_paused = true)]
async fn a_corrupted_line_anywhere_stops_every_change_until_it_is_mended() {
    let mut corrupted = 0;
    for moment in [Moment::Before, Moment::After] {
        for (world, case) in left_open(moment).await {
            let lines = world.state.lock().unwrap().journal.len();
            for line in [0, lines / 2, lines - 1] {
                let stood = |world: &World| {
                    let state = world.state.lock().unwrap();
                    (
                        state.weights.clone(),
                        state.running.clone(),
                        state.staged.clone(),
                        state.journal.clone(),
                    )
                };
                let before = stood(&world);
                world.state.lock().unwrap().damage = Some(Damage::Corrupted(line));
                let refused = run(&world, Some(&deploy(&canary(), 2, Some(1))), &good()).await;
                let why = match refused {
                    Err(DriverError::Unreachable { source, .. }) => source.to_string(),
                    other => panic!("{case}: line {line}: {other:?}"),
                };
                assert!(why.starts_with(&format!("line {} of the ledger", line + 1)), "{case}: {why}");
                assert_eq!(stood(&world), before, "{case}: line {line}");
                assert!(world.state.lock().unwrap().fence.lease.is_none(), "{case}: it holds up nobody");
                world.state.lock().unwrap().damage = None;
                corrupted += 1;
            }
            let driven = run(&world, Some(&deploy(&canary(), 2, Some(1))), &good()).await;
            let outcome = driven.unwrap_or_else(|error| panic!("{case}: {error}")).expect("a plan").outcome;
            assert_eq!(outcome, Outcome::Passed, "{case}");
            check_world(&world, outcome, &case);
        }
    }
    assert!(corrupted > 120, "{corrupted}");
}
