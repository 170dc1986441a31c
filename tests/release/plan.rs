//! A plan says what would happen, and what was approved is what runs.

use serde_json::Value;
use windlass_domain::fence::Owner;
use windlass_domain::policy::Span;
use windlass_domain::release::Sequence;
use windlass_domain::rollout::Step;
use windlass_target::driver::Driver as _;

use super::project::{Ended, Project};

fn hash(plan: &Ended) -> String {
    plan.document.pointer("/plan").unwrap().as_str().unwrap().to_owned()
}

/// The steps of a list of the document.
fn steps(ended: &Ended, list: &str) -> Vec<String> {
    let lines = ended.document.pointer(list).unwrap().as_array().unwrap();
    lines.iter().map(|line| line["step"].as_str().unwrap().to_owned()).collect()
}

/// Somebody changes the target beside the ledger: it has one instance more of what is live.
fn drift(project: &Project) {
    let host = project.host();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let owner = Owner { run: "drift".into(), who: "somebody".into() };
        let lease = host.claim(&owner, Span::seconds(15)).await.unwrap();
        for step in [Step::stage(Sequence(1), 2), Step::await_ready(Sequence(1), 2)] {
            host.apply(&lease, &step).await.unwrap();
        }
        host.release(&lease).await.unwrap();
    });
}

#[test]
fn a_plan_tells_what_changes_the_way_back_and_the_longest_time() {
    let project = Project::new("v1");
    let first = project.run(&["deploy", "--plan"]).is(0);
    assert_eq!(steps(&first, "/way_back"), ["shift nothing is served", "settle", "withdraw r1"]);
    project.deploy().is(0);
    project.policy("drain: 1s", "drain: 2s");
    project.policy("bake: 100ms }", "bake: 100ms }\n    clocks: { step: 10s, progress: 1m, total: 1h }");
    project.build("v2", "");
    let plan = project.run(&["deploy", "--plan"]).is(0);
    let changes = plan.document.pointer("/changes").unwrap().as_array().unwrap();
    let changed: Vec<&str> = changes.iter().map(|change| change["what"].as_str().unwrap()).collect();
    assert_eq!(changed, ["artifact", "commit", "drain"]);
    assert_eq!((&changes[2]["old"], &changes[2]["new"]), (&Value::from("1000"), &Value::from("2000")));
    assert_eq!(
        steps(&plan, "/way_back"),
        ["stage r1 ×1", "await-ready r1 ×1", "shift r1 100%", "settle", "withdraw r2"]
    );
    // stage, await-ready, shift, settle, shift, settle, commit by the step clock; one verdict within ten minutes.
    let longest = plan.document.pointer("/longest").unwrap();
    assert_eq!((&longest["forward"], &longest["back"]), (&Value::from(670_000), &Value::from(50_000)));
    let (_, text) = project.show(&["deploy", "--plan"]);
    for told in
        ["drain: 1000 → 2000", "withdraw r2", "11m10s until it is live", "r1 live; r1 100%; ready r1 ×1"]
    {
        assert!(text.contains(told), "{told:?} is not in: {text}");
    }
    assert_eq!(project.live(), Some(1), "a plan changes nothing");
}

#[test]
fn a_plan_that_was_approved_before_the_target_drifted_is_refused() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "");
    let approved = hash(&project.run(&["deploy", "--plan"]).is(0));
    assert_eq!(hash(&project.run(&["deploy", "--plan"]).is(0)), approved, "the same target, the same plan");
    drift(&project);
    project.run(&["deploy", "--approved", &approved]).is(6).says("was approved").says("ready r1 ×2");
    assert!(project.answer().contains("v1"));
    let anew = hash(&project.run(&["deploy", "--plan"]).is(0));
    assert_ne!(anew, approved);
    project.run(&["deploy", "--approved", &anew]).is(0);
    assert!(project.answer().contains("v2"));
}

#[test]
fn a_plan_made_while_the_agent_was_down_is_the_one_that_runs() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "");
    let agent = project.agent().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &agent]).status().unwrap().success());
    let plan = hash(&project.run(&["deploy", "--plan"]).is(0));
    project.run(&["deploy", "--approved", &plan]).is(0);
    assert!(project.answer().contains("v2"));
}

#[test]
fn a_rollback_has_a_plan_too_and_only_the_approved_one_runs() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "");
    project.deploy().is(0);
    let plan = project.run(&["rollback", "--plan"]).is(0);
    assert_eq!(
        steps(&plan, "/steps"),
        ["stage r1 ×1", "await-ready r1 ×1", "shift r1 100%", "settle", "commit r1", "retire all but r1"]
    );
    let other = format!("sha256:{}", "0".repeat(64));
    project.run(&["rollback", "--approved", &other]).is(6).says("was approved");
    assert!(project.answer().contains("v2"));
    project.run(&["rollback", "--approved", &hash(&plan)]).is(0);
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_list_of_ones_own_is_what_runs() {
    let project = Project::new("v1");
    project.deploy().is(0);
    let own = "{ kind: custom, steps: [{ weight: 10%, bake: 200ms }, { pause: 300ms }, { weight: 60%, settle: false, verify: false }] }";
    project.policy("{ kind: canary, steps: [50%], bake: 100ms }", own);
    project.run(&["check"]).is(0).says("{ weight: 10%, bake: 200ms }");
    project.build("v2", "");
    let planned = steps(&project.run(&["deploy", "--plan"]).is(0), "/steps");
    assert_eq!(
        planned,
        [
            "stage r2 ×1",
            "await-ready r2 ×1",
            "shift r2 10%, r1 90%",
            "settle",
            "verify at 10% for 200ms",
            "pause 300ms",
            "shift r2 60%, r1 40%",
            "shift r2 100%",
            "settle",
            "commit r2",
            "retire all but r2",
        ]
    );
    let ended = project.deploy().is(0);
    assert_eq!(steps(&ended, "/steps"), planned);
    assert!(project.answer().contains("v2"));
}
