//! Two hosts over real `sshd`s: released in batches under load, put back on both, and cut off in the middle.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop where its set-up does, and say why it is skipped"
)]

mod fleet;
mod joins;
mod upgrades;

use std::os::unix::fs::PermissionsExt as _;

use fleet::{Ended, Fleet, sshd_is_here, until};

#[test]
fn hosts_take_a_release_in_batches_under_load_and_give_it_back() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    fleet.both_answer("v1");
    fleet.deploy().is(0).says("live already");

    let load = fleet.load();
    fleet.build("v2", "");
    let second = fleet.deploy().is(0).says("shift r2 100% on a").says("shift r2 100% on b");
    fleet.both_answer("v2");
    let hosts = serde_json::json!([
        { "name": "a", "weights": { "r2": 10_000 }, "running": { "r2": 1 } },
        { "name": "b", "weights": { "r2": 10_000 }, "running": { "r2": 1 } },
    ]);
    assert_eq!(second.document["receipt"]["hosts"], hosts, "{}", second.document);

    // A bad one is caught on the first host, and the other one never sees it.
    fleet.build("v3", "--never-ready");
    fleet.policy("within: 20s }", "within: 2s }");
    fleet.deploy().is(1).says("a: only 0 of 1 instances of r3");
    fleet.both_answer("v2");
    assert_eq!(fleet.weights(), ["r2 100%", "r2 100%"]);
    let third = fleet.state("b").unwrap().revisions.iter().any(|one| one.revision.0 == 3);
    assert!(!third, "r3 was staged on b");

    let back = fleet.run(&["rollback", "--reason", "wrong prices"]).is(0);
    let served = |host: usize| back.document["receipt"]["hosts"][host]["weights"].clone();
    assert_eq!([served(0), served(1)], [(); 2].map(|()| serde_json::json!({ "r1": 10_000 })));
    // What was signed says it too.
    let evidence = fleet.evidence();
    assert!(
        evidence.iter().any(|statement| statement["predicate"]["receipt"]["hosts"] == hosts),
        "{evidence:?}"
    );
    load.lost_nothing();
    fleet.both_answer("v1");
    let status = fleet.run(&["status"]).is(0);
    let hosts = status.document["environments"][0]["hosts"].as_array().unwrap().clone();
    let seen: Vec<_> = hosts
        .iter()
        .map(|host| (host["name"].as_str(), host["weights"].as_str(), host["wrong"].as_str()))
        .collect();
    assert_eq!(seen, [(Some("a"), Some("r1 100%"), None), (Some("b"), Some("r1 100%"), None)]);
    assert_eq!(fleet.events("a"), fleet.events("b"), "both ledgers say the same");

    // The agent was copied once, under its digest, for nobody else to write.
    for host in ["a", "b"] {
        let folder = fleet.home(host).join(".local/share/windlass/bin");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let digest = windlass_evidence::artifact::digest(&files[0].path()).unwrap();
        assert_eq!(files[0].file_name().to_str(), Some(format!("windlassd-{}", digest.hex()).as_str()));
        // What was sent is with the revision now, and nowhere else.
        assert!(!fleet.root(host).join("incoming").exists());
        assert!(fleet.root(host).join("revisions/1/artifact/current").is_symlink());
        assert!(fleet.root(host).join("revisions/1/config/shop.conf").is_file());
    }
}

#[test]
fn hosts_are_put_back_together_when_a_release_fails_under_requests() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    let load = fleet.load();
    fleet.policy("      within: 30s", "      within: 30s\n      errors: { at_most: 5% }");
    fleet.build("v2", "--fail-rate 50%");
    fleet.deploy().is(1).says("bad");
    load.end();
    fleet.both_answer("v1");
    assert_eq!(fleet.weights(), ["r1 100%", "r1 100%"]);
}

#[test]
fn hosts_converge_in_the_next_run_after_a_deploy_was_killed() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    fleet.policy("bake: 500ms", "bake: 2s");
    fleet.build("v2", "");
    let mut deploy = fleet.start(&["deploy"]);
    until("the first host has the new", || fleet.weights() == ["r2 100%", "r1 100%"]);
    deploy.kill().unwrap();
    deploy.wait().unwrap();
    // Its lease ends with the connection, so that nobody has to wait for the time to run out.
    until("the lease is void", || ["a", "b"].iter().all(|host| fleet.state(host).unwrap().lease.is_none()));
    fleet.deploy().is(0).says("an earlier run left");
    fleet.both_answer("v2");
}

#[test]
fn hosts_converge_in_the_next_run_after_a_connection_was_cut() {
    if !sshd_is_here() {
        return;
    }
    let fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    fleet.policy("bake: 500ms", "bake: 2s");
    fleet.build("v2", "");
    let deploy = fleet.start(&["deploy"]);
    until("the first host has the new", || fleet.weights() == ["r2 100%", "r1 100%"]);
    assert!(fleet.cut(1) > 0, "nobody was connected");
    Ended::of(&deploy.wait_with_output().unwrap()).is(3).says("host b");
    fleet.deploy().is(0).says("an earlier run left");
    fleet.both_answer("v2");
}

#[test]
fn hosts_that_do_not_all_answer_are_not_touched() {
    if !sshd_is_here() {
        return;
    }
    let mut fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    let before = fleet.events("a");
    fleet.build("v2", "");
    fleet.down(1);
    fleet.deploy().is(3).says("cannot connect to the host b").says("start sshd");
    assert_eq!(fleet.events("a"), before);
    let status = fleet.run(&["status"]).is(0).says("cannot connect to the host b");
    assert_eq!(status.document["environments"][0]["live"], 1);
    fleet.up(1);

    // A host whose key is not known is no host of ours.
    fleet.write("known", "");
    fleet.deploy().is(3).says("host key is not known here");
    fleet.know_the_hosts();
    fleet.deploy().is(0);
    fleet.both_answer("v2");
}

#[test]
fn hosts_go_on_without_the_one_whose_ledger_was_the_record() {
    if !sshd_is_here() {
        return;
    }
    let mut fleet = Fleet::new("v1");
    fleet.deploy().is(0);
    fleet.build("v2", "");
    fleet.deploy().is(0);
    fleet.down(0);
    fleet.policy("hosts: [a, b]", "hosts: [b]");
    let status = fleet.run(&["status"]).is(0);
    assert_eq!(status.document["environments"][0]["live"], 2);
    fleet.run(&["rollback", "--reason", "a is on fire"]).is(0);
    assert!(fleet.answers()[1].contains("v1"));
}
