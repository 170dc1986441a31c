//! A host that comes later: it gets what is live first, so that it can go back like the others.

use std::fs;

use crate::fleet::{Fleet, sshd_is_here};

#[test]
fn hosts_of_which_one_is_new_give_it_the_live_release_first_and_go_back_together() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.policy("hosts: [a, b]", "hosts: [a]");
    fleet.deploy().is(0);
    fleet.policy("hosts: [a]", "hosts: [a, b]");
    fleet.build("v2", "--fail-rate 50%");
    fleet.policy("      within: 30s", "      within: 30s\n      errors: { at_most: 5% }");
    let plan = fleet.run(&["deploy", "--plan"]).is(0);
    let steps: Vec<_> = plan.document["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps[..2], ["stage r1 ×1 on b", "await-ready r1 ×1 on b"], "{}", plan.document);
    assert!(fleet.state("b").is_none(), "a plan starts nothing");
    assert!(plan.document["way_back"][0]["step"] == "stage r1 ×1", "{}", plan.document);

    // A bad release: both go back to the old, also the one that never had it.
    let load = fleet.load_on(&["a"]);
    fleet.deploy().is(1);
    load.end();
    fleet.both_answer("v1");
    assert_eq!(fleet.weights(), ["r1 100%", "r1 100%"]);
    let (a, b) = (fleet.revision("a", 1), fleet.revision("b", 1));
    let digest = |path| windlass_evidence::artifact::digest(path).unwrap();
    assert_eq!(digest(&a.join("artifact")), digest(&b.join("artifact")));
    assert_eq!(fs::read(a.join("config/shop.conf")).unwrap(), fs::read(b.join("config/shop.conf")).unwrap());

    // A good one: both have it, and one command takes both back.
    fleet.build("v3", "");
    fleet.deploy().is(0);
    fleet.both_answer("v3");
    fleet.run(&["rollback"]).is(0);
    fleet.both_answer("v1");
    assert_eq!(fleet.events("a"), fleet.events("b"), "both ledgers say the same");
}

#[test]
fn hosts_whose_disk_was_lost_get_the_live_release_back_by_one_command() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    fleet.lose("b");
    // Nothing is deployed: what is live is brought back to where it is missing.
    let back = fleet.run(&["rollback", "--to", "1", "--no-hold"]).is(0);
    assert!(!back.told.contains("live already"), "{}", back.told);
    fleet.both_answer("v1");
    fleet.run(&["rollback", "--to", "1"]).is(0).says("live already");
}

#[test]
fn hosts_none_of_which_has_the_live_release_any_more_are_told_what_to_do() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    // What lies on the first is not what was staged there: nobody is given that.
    fleet.lose("b");
    fleet.spoil("a", 1);
    fleet.build("v2", "");
    fleet.deploy().is(1).says("b cannot get the files of r1").says("is not what was staged there");
    assert_eq!(fleet.weights()[0], "r1 100%", "a serves on");
    // And where it is nowhere, the plan says so before anything is done.
    let ledger = fs::read(fleet.root("a").join("ledger.jsonl")).unwrap();
    fleet.lose("a");
    fleet.lose("b");
    fs::create_dir_all(fleet.root("a")).unwrap();
    fs::write(fleet.root("a").join("ledger.jsonl"), ledger).unwrap();
    let plan = fleet.run(&["deploy", "--plan"]).is(6);
    plan.says("there would be no way back to r1").says("--no-way-back");
}
