//! Migrations: expand and contract, what closes the way back, and what a killed run leaves.

use std::process::Command;

use crate::project::Ended;
use crate::shop::Shop;
use crate::until;

#[test]
fn a_schema_is_expanded_once_and_the_old_comes_back_to_it() {
    let shop = Shop::new("v1");
    shop.0.deploy().is(0);
    shop.writes_two("1..2", true);
    shop.build("v2", "1 2", &shop.to_two());
    let deploy = shop.0.deploy().is(0).says("migrated after");
    assert!(deploy.document.to_string().contains("migrate to the schema of r2"), "{}", deploy.all());
    assert_eq!((shop.ups(), shop.database().as_str()), (vec!["v2".to_owned()], "2"));
    // The data has that schema now: a further release has nothing to migrate.
    shop.build("v3", "1 2", &shop.to_two());
    shop.0.deploy().is(0);
    assert_eq!(shop.ups(), ["v2"]);
    shop.0.run(&["rollback", "--to", "r1"]).is(0);
    assert!(shop.0.answer().contains("v1"));
    assert_eq!((shop.ups().len(), shop.database().as_str()), (1, "2"), "a rollback migrates nothing");
}

#[test]
fn a_migration_that_fails_turns_back_and_shows_its_last_lines() {
    let shop = Shop::new("v1");
    shop.0.deploy().is(0);
    shop.writes_two("1..2", true);
    shop.build("v2", "1 2", "echo relation orders is locked; exit 4");
    shop.0.deploy().is(1).says("exit code 4").says("relation orders is locked");
    assert!(shop.0.answer().contains("v1"));
    assert_eq!(shop.database(), "1");
    shop.build("v3", "1 2", &shop.to_two());
    shop.0.deploy().is(0);
    assert_eq!(shop.ups(), ["v2", "v3"]);
}

#[test]
fn a_migration_for_good_asks_first_and_says_after_which_step() {
    let shop = Shop::new("v1");
    shop.0.deploy().is(0);
    shop.writes_two("2", false);
    shop.build("v2", "2", &shop.to_two());
    let step = "there is no way back after step 2 (migrate)";
    shop.0.deploy().is(6).says(step).says("--no-way-back");
    let plan = shop.0.run(&["deploy", "--plan"]).is(6).says(step);
    let human = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["deploy", "--plan"])
        .current_dir(shop.0.folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(human.stdout).unwrap();
    assert!(text.contains(step) && text.contains("for good"), "{text}");
    assert_eq!((shop.ups().len(), shop.database().as_str()), (0, "1"), "nothing was touched");
    let plan = plan.document.pointer("/plan").unwrap().as_str().unwrap().to_owned();
    // The plan is the same one, whoever accepts that it closes the way back.
    shop.0.run(&["deploy", "--no-way-back", "--approved", &plan]).is(0);
    assert!(shop.0.answer().contains("v2"));
    shop.0.run(&["rollback"]).is(6);
}

#[test]
fn an_approval_of_exactly_this_plan_accepts_that_there_is_no_way_back() {
    let shop = Shop::new("v1");
    shop.0.deploy().is(0);
    let signer = windlass_evidence::sign::Signer::generate().unwrap();
    shop.0.write("state-keys/windlass.pub", &signer.public().to_pem());
    shop.0.write("state-keys/windlass.key", signer.to_pem().expose());
    shop.0.policy(
        "environments:\n  live:\n",
        "keys:\n  ana: { public: state-keys/windlass.pub, signs: [approval], owner: ana@example.org }\nenvironments:\n  live:\n    approval: { from: [\"key:ana\"] }\n",
    );
    shop.writes_two("2", false);
    shop.build("v2", "2", &shop.to_two());
    shop.0.deploy().is(4).says("waits for approval");
    let plan =
        shop.0.run(&["deploy", "--plan"]).document.pointer("/plan").unwrap().as_str().unwrap().to_owned();
    let key = ["--signing-key", "state-keys/windlass.key"];
    let other = format!("sha256:{}", "0".repeat(64));
    shop.0.run(&["approve", "--plan", &other, key[0], key[1]]).is(0);
    shop.0.deploy().is(6).says("was approved");
    shop.0.run(&["approve", "--plan", &plan, key[0], key[1]]).is(0);
    shop.0.deploy().is(0);
    assert!(shop.0.answer().contains("v2"));
}

#[test]
fn a_failure_before_a_migration_for_good_goes_back_and_one_after_it_freezes() {
    let shop = Shop::new("v1");
    shop.0.deploy().is(0);
    shop.writes_two("2", false);
    shop.build("v2", "2", &shop.to_two());
    let text = std::fs::read_to_string(shop.0.path("windlass.yml")).unwrap();
    shop.0.write("windlass.yml", &format!("{text}    hooks: [{{ before: migrate, run: [/bin/false] }}]\n"));
    shop.0.run(&["deploy", "--no-way-back"]).is(1);
    assert!(shop.0.answer().contains("v1"));
    assert!(shop.ups().is_empty());
    shop.0.write("windlass.yml", &text);
    // It reads nothing: the data is migrated, and the release does not get ready.
    shop.build("v3", "none", &shop.to_two());
    shop.0.run(&["deploy", "--no-way-back"]).is(5).says("cannot be migrated back");
    assert_eq!(shop.ups(), ["v3"]);
    assert!(shop.0.answer().contains("v1"), "what served still does: a human decides");
    shop.0.deploy().is(4).says("on hold");
}

#[test]
fn a_deploy_that_is_killed_in_its_migration_is_finished_by_the_next_and_migrates_once() {
    let shop = Shop::new("v1");
    shop.0.deploy().is(0);
    shop.writes_two("1..2", true);
    let go = shop.0.path("state-go");
    let waits = format!("while [ ! -e '{}' ]; do sleep 0.05; done; {}", go.display(), shop.to_two());
    shop.build("v2", "1 2", &waits);
    let mut run = shop.0.start(&["deploy"]);
    until("the migration has begun", || shop.ups().len() == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    let next = shop.0.start(&["deploy"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::fs::write(go, "").unwrap();
    Ended::of(&next.wait_with_output().unwrap()).is(0).says("an earlier run left migrating");
    assert_eq!((shop.ups(), shop.database().as_str()), (vec!["v2".to_owned()], "2"));
    assert!(shop.0.answer().contains("v2"));
}
