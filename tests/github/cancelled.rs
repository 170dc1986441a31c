//! Cancelled in the middle of a shift: the run puts back what it had begun, or dies and the next one finishes it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::act::{self, Running};
use crate::consumer::Consumer;
use crate::register::{By, executed};
use crate::until;

/// The step that a cancelled run goes back by, and its condition.
const STEP: &str = "Put it back, as the run was cancelled";
const CONDITION: &str =
    "${{ cancelled() && (steps.deploy.outcome == 'cancelled' || steps.health.outcome == 'cancelled') }}";

/// The strategy of the consumer's environments, and one that stands still with half of the requests at the new one.
const STRATEGY: &str = "{ kind: canary, steps: [50%], bake: 100ms }";
const HALF_WAY: &str = "{ kind: custom, steps: [{ weight: 50% }, { pause: 10m }] }";

/// What the rollout in production that is open does; empty where none is.
fn open(shop: &Consumer) -> String {
    let history = shop.history("production");
    history.and_then(|history| history.open().map(|open| open.word().to_owned())).unwrap_or_default()
}

/// A run that releases v2 and stands still in the middle of its shift.
fn stands_still(shop: &Consumer) -> Running {
    shop.edit("windlass.yml", STRATEGY, HALF_WAY);
    shop.commit("v2");
    let run = shop.start("push", "release.yml", &[]);
    until("the shift has begun", || open(shop) == "pausing");
    run
}

/// The `deploy` of production that this consumer's run has started, as the kernel knows it.
fn deploying(shop: &Consumer) -> Option<u32> {
    let store = format!("STUB_STORE={}", shop.path("store").display());
    let has = |process: &Path, file: &str, wanted: &str| {
        let text = fs::read(process.join(file)).unwrap_or_default();
        text.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).find_map(|process| {
        let is_it = has(&process, "cmdline", "deploy")
            && has(&process, "environ", &store)
            && has(&process, "environ", "WINDLASS_ENVIRONMENT=production");
        is_it.then(|| process.file_name()?.to_str()?.parse().ok()).flatten()
    })
}

/// GitHub asks the step's process to stop, calls it cancelled, and goes on with the steps that want to run then. The emulator
/// knows no such steps: here the process is asked to stop in the same way, and the two words for it are `failure`.
#[test]
fn a_run_that_is_cancelled_in_the_middle_of_a_shift_puts_it_back_itself() {
    if !act::is_here() {
        return;
    }
    let shop = Consumer::new();
    shop.push();
    shop.serves(&[("production", "v1")]);
    let file = shop.path("export/.github/workflows/environment.yml");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(CONDITION).count(), 1, "the condition is another");
    let failed = CONDITION.replace("cancelled()", "failure()").replace("'cancelled'", "'failure'");
    fs::write(&file, text.replace(CONDITION, &failed)).unwrap();
    let run = stands_still(&shop);
    let deploy = deploying(&shop).expect("the run's deploy");
    Command::new("kill").args(["-INT", &deploy.to_string()]).status().unwrap();
    let ran = run.end();
    ran.step_is("production: Deploy", Some("failure"));
    assert!(ran.steps.contains_key(&format!("production: {STEP}")), "{}", ran.log);
    ran.step_is("production: Put it back, as it is not healthy", None);
    ran.step_is("production: Keep the evidence", Some("success"));
    assert_eq!(open(&shop), "", "nothing is left open: {}", ran.log);
    shop.serves(&[("staging", "v2"), ("production", "v1 is well")]);
    let history = shop.history("production").unwrap();
    assert!(history.held(jiff::Timestamp::now()).is_none(), "the next release may come: {}", ran.log);
    executed(By::Cancelled, &[ran]);
}

#[test]
fn a_run_that_dies_in_the_middle_of_a_shift_is_finished_by_the_next() {
    if !act::is_here() {
        return;
    }
    let shop = Consumer::new();
    shop.push();
    shop.serves(&[("production", "v1")]);
    let run = stands_still(&shop);
    // As the emulator takes it: its steps are killed, and none follows.
    Command::new("kill").args(["-INT", &run.child.id().to_string()]).status().unwrap();
    let ran = run.end();
    assert_ne!(ran.code, Some(0), "{}", ran.log);
    until("the run is gone", || open(&shop) == "pausing");
    // The next commit's run puts the half of it back, and goes its own way.
    shop.edit("windlass.yml", HALF_WAY, STRATEGY);
    shop.commit("v3");
    let ran = shop.push();
    ran.says("a rollout of r2 that an earlier run left pausing");
    shop.serves(&[("production", "v3 is well")]);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
}
