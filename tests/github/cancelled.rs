//! Cancelled in the middle of a shift: the run puts back what it had begun, or dies and the next one finishes it.

use std::process::Command;

use crate::act;
use crate::consumer::Consumer;
use crate::until;

#[test]
fn a_run_that_dies_in_the_middle_of_a_shift_is_finished_by_the_next() {
    if !act::is_here() {
        return;
    }
    let shop = Consumer::new();
    shop.push();
    shop.serves(&[("production", "v1")]);
    // It stands still in the middle, with half of the requests at the new one.
    let strategy = "{ kind: canary, steps: [50%], bake: 100ms }";
    shop.edit("windlass.yml", strategy, "{ kind: custom, steps: [{ weight: 50% }, { pause: 10m }] }");
    shop.commit("v2");
    let open = || {
        let history = shop.history("production");
        history.and_then(|history| history.open().map(|open| open.word().to_owned())).unwrap_or_default()
    };
    let run = shop.start("push", "release.yml", &[]);
    until("the shift has begun", || open() == "pausing");
    // As the emulator takes it: its steps are killed, and none follows.
    Command::new("kill").args(["-INT", &run.child.id().to_string()]).status().unwrap();
    let ran = run.end();
    assert_ne!(ran.code, Some(0), "{}", ran.log);
    until("the run is gone", || open() == "pausing");
    // The next commit's run puts the half of it back, and goes its own way.
    shop.edit("windlass.yml", "{ kind: custom, steps: [{ weight: 50% }, { pause: 10m }] }", strategy);
    shop.commit("v3");
    let ran = shop.push();
    ran.says("a rollout of r2 that an earlier run left pausing");
    shop.serves(&[("production", "v3 is well")]);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
}
