//! From outside: what a release does when its input is bad, its host is odd, or somebody else is at work.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::disallowed_methods, reason = "a test may read the environment that it scrubs")]

mod cancel;
mod clocks;
mod plan;
mod project;
mod rules;
mod watch;

use std::time::{Duration, Instant};

use project::{Ended, Project};

/// Waits until something holds, for at most ten seconds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the open rollout has shifted requests to the new release.
fn has_shifted(project: &Project) -> bool {
    let Ok((history, _)) = windlass_target::host::asleep(&project.path("state")) else { return false };
    let shift = |record: &windlass_domain::rollout::Record| {
        matches!(record.step, windlass_domain::rollout::Step::Shift { .. })
    };
    history.open().is_some_and(|open| open.done.iter().any(shift))
}

fn ledger(project: &Project) -> String {
    std::fs::read_to_string(project.path("state/ledger.jsonl")).unwrap_or_default()
}

#[test]
fn a_release_moves_and_comes_back_and_is_held() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "");
    project.deploy().is(0);
    assert!(project.answer().contains("v2"));
    project.deploy().is(0).says("live already");
    // The next environment asks for evidence, whichever run it was that moved something.
    let evidence = std::fs::read_to_string(project.path(".windlass/evidence.intoto.jsonl")).unwrap();
    assert_eq!(evidence.lines().count(), 3, "{evidence}");
    project.run(&["rollback", "--reason", "wrong prices"]).is(0);
    assert!(project.answer().contains("v1"));
    project.deploy().is(4).says("wrong prices");
    project.run(&["unhold"]).is(0);
    project.deploy().is(0);
    assert!(project.answer().contains("v2"));
    let history = project.run(&["history"]).is(0);
    let rollouts = history.document.pointer("/rollouts").unwrap().as_array().unwrap().clone();
    assert_eq!(rollouts.len(), 4);
    let told = ["at", "ended", "by", "intent", "state", "artifact"];
    assert!(rollouts.iter().all(|one| told.iter().all(|key| one[*key].is_string())), "{rollouts:?}");
    assert_eq!((&rollouts[1]["intent"], &rollouts[1]["why"]), (&"rollback".into(), &"wrong prices".into()));
}

#[test]
fn a_release_that_exits_is_put_back_with_the_last_lines_of_its_log() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "--exit-after 1ms");
    project.deploy().is(1).says("exiting, as --exit-after says");
    assert!(project.answer().contains("v1"));
    project.build("v3", "");
    project.deploy().is(0);
}

#[test]
fn a_person_reads_the_log_of_a_refused_release_once() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "--exit-after 1ms");
    let (code, text) = project.show(&["deploy"]);
    assert_eq!(code, 1, "{text}");
    assert_eq!(text.matches("the last lines of its log").count(), 1, "{text}");
}

#[test]
fn a_release_that_never_gets_ready_is_put_back() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "--never-ready");
    project.deploy().is(1).says("ready");
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_first_release_that_fails_leaves_nothing_serving() {
    let project = Project::new("v1");
    project.build("v1", "--never-ready");
    project.deploy().is(1);
    assert_eq!(project.live(), None);
    assert!(project.answer().contains("503"));
}

#[test]
fn a_secret_is_given_by_file_and_a_rollback_says_that_it_is_another_now() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = Project::new("v1");
    let path = project.path("db");
    let put = |content: &str, mode: u32| {
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let secrets = format!("stop: 2s\n      secrets: {{ DB_PASSWORD: {} }}", path.display());
    project.policy("stop: 2s", &secrets);
    project.write(".gitignore", "state/\n.windlass/\ndb\n");
    project.deploy().is(1).says("deploy.secret").says("No such file");
    put("hunter2-first", 0o644);
    project.deploy().is(1).says("open to all users");
    assert_eq!(ledger(&project), "", "nothing was touched");
    put("hunter2-first", 0o600);
    let first = project.deploy().is(0);
    let version = first.document.pointer("/release/secrets/0/version").and_then(serde_json::Value::as_str);
    assert!(version.is_some_and(|version| version.starts_with("hmac-sha256:")), "{}", first.all());
    project.deploy().is(0).says("live already");
    put("hunter2-second", 0o600);
    let second = project.deploy().is(0);
    assert!(!second.all().contains("live already"), "another secret is another release");
    let back = project.run(&["rollback", "--reason", "wrong database"]).is(0);
    let back = back.says("other contents of DB_PASSWORD than it was released with");
    assert!(!(back.all() + &ledger(&project)).contains("hunter2"));
}

#[test]
fn an_artifact_that_is_missing_touches_nothing() {
    let project = Project::new("v1");
    std::fs::remove_dir_all(project.path("dist")).unwrap();
    project.deploy().is(2).says("no artifact");
    assert!(!project.path("state").exists());
}

#[test]
fn an_older_commit_after_a_newer_one_is_refused() {
    let project = Project::new("v1");
    project.build("v2", "");
    project.deploy().is(0);
    project.git(&["checkout", "-q", "HEAD~1"]);
    project.deploy().is(6).says("newer commit");
    assert!(project.answer().contains("v2"));
}

#[test]
fn of_two_deploys_at_once_one_wins_and_the_other_says_who_holds_it() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.policy("bake: 100ms", "bake: 3s");
    project.build("v2", "");
    let first = project.start(&["deploy"]);
    until("the first run holds the fence", || ledger(&project).contains("\"revision\":2"));
    project.deploy().is(6).says("deploy, pid");
    Ended::of(&first.wait_with_output().unwrap()).is(0);
    assert!(project.answer().contains("v2"));
}

#[test]
fn a_deploy_that_is_interrupted_or_killed_is_finished_by_the_next() {
    for signal in ["-INT", "-TERM", "-KILL"] {
        let project = Project::new("v1");
        project.deploy().is(0);
        project.policy("bake: 100ms", "bake: 1s");
        project.build("v2", "");
        let run = project.start(&["deploy"]);
        until("it has shifted", || has_shifted(&project));
        let pid = run.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let ended = Ended::of(&run.wait_with_output().unwrap());
        assert!(ended.code == 3 || signal == "-KILL", "{signal}: {}", ended.all());
        let next = project.deploy().is(0);
        assert!(next.document.pointer("/recovered").unwrap().is_string(), "{signal}: {}", next.all());
        assert!(project.answer().contains("v2"));
    }
}

#[test]
fn a_run_that_dies_while_it_claims_leaves_the_fence_free() {
    let project = Project::new("v1");
    project.deploy().is(0);
    for round in 0..20 {
        project.build(&format!("round-{round}"), "");
        let mut run = project.start(&["deploy"]);
        std::thread::sleep(Duration::from_millis(round * 3));
        run.kill().unwrap();
        run.wait().unwrap();
    }
    project.deploy().is(0);
    assert!(project.answer().contains("round-19"));
}

#[test]
fn another_release_after_a_killed_one_reverts_it_first() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.policy("bake: 100ms", "bake: 1s");
    project.build("v2", "");
    let mut run = project.start(&["deploy"]);
    until("it has shifted", || has_shifted(&project));
    run.kill().unwrap();
    run.wait().unwrap();
    project.build("v3", "");
    project.deploy().is(0);
    assert!(project.answer().contains("v3"));
    assert!(ledger(&project).contains("\"event\":\"reverted\""));
}

#[test]
fn a_rollback_turns_an_open_rollout_back() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.policy("bake: 100ms", "bake: 1s");
    project.build("v2", "");
    let mut run = project.start(&["deploy"]);
    until("it has shifted", || has_shifted(&project));
    run.kill().unwrap();
    run.wait().unwrap();
    project.run(&["rollback"]).is(0);
    assert!(project.answer().contains("v1"));
    assert_eq!(project.live(), Some(1));
}

#[test]
fn a_dead_agent_is_started_again_and_adopts_what_runs() {
    let project = Project::new("v1");
    project.deploy().is(0);
    let agent = project.agent().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &agent]).status().unwrap().success());
    project.build("v2", "");
    project.deploy().is(0);
    assert!(project.answer().contains("v2"));
    assert_ne!(project.agent().unwrap().to_string(), agent);
}

#[test]
fn stop_ends_the_agent_and_what_it_runs_where_that_is_asked() {
    let project = Project::new("v1");
    project.deploy().is(0);
    let first = project.agent().unwrap();
    let stopped = project.run(&["stop"]).is(0);
    assert_eq!(
        stopped.document.pointer("/own/agent").or(stopped.document.pointer("/agent")),
        Some(&first.into())
    );
    assert_eq!(project.answer(), "nobody listens");
    assert!(project.run(&["stop"]).is(0).told.contains("no agent runs") || project.live() == Some(1));
    // The next run adopts what was left.
    project.build("v2", "");
    project.deploy().is(0);
    let log = std::fs::read_to_string(project.path("state/agent.log")).unwrap();
    assert!(log.contains("\"adopted\":1"), "{log}");
    assert!(project.answer().contains("v2"));
    project.run(&["stop", "--instances"]).is(0);
    let kept = std::fs::read_to_string(project.path("state/instances.json")).unwrap();
    assert!(kept.contains("\"instances\": []"), "{kept}");
    project.run(&["rollback"]).is(0);
    assert!(project.answer().contains("v1"));
}

#[test]
fn a_port_that_is_taken_is_named_and_the_next_run_goes_on() {
    let project = Project::new("v1");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    project.policy("listen: 127.0.0.1:0", &format!("listen: {address}"));
    let ended = project.deploy().says(&address);
    assert!(matches!(ended.code, 1 | 3), "{}", ended.all());
    drop(taken);
    project.deploy().is(0);
    assert!(project.answer().contains("v1"));
}

#[test]
fn no_way_back_by_schema_is_refused_unless_it_is_accepted() {
    let project = Project::new("v1");
    project.policy("artifact: dist/", "artifact: dist/\n  schema: 1");
    project.deploy().is(0);
    project.policy("schema: 1", "schema: 2\n  reads: 1..2");
    project.build("v2", "");
    project.deploy().is(6).says("no way back");
    assert!(project.answer().contains("v1"));
    project.run(&["deploy", "--no-way-back"]).is(0);
    assert!(project.answer().contains("v2"));
}

#[test]
fn a_policy_with_mistakes_shows_them_all_and_touches_nothing() {
    let project = Project::new("v1");
    project.policy("instances: 1", "instanses: 1");
    project.policy("drain: 1s", "drain: 1");
    let ended = project.deploy().is(2).says("instanses").says("drain");
    assert!(ended.told.contains("windlass.yml:"), "{}", ended.told);
    assert!(!project.path("state").exists());
}

#[test]
fn only_the_approved_plan_runs() {
    let project = Project::new("v1");
    let plan = project.run(&["deploy", "--plan"]).is(0);
    let plan = plan.document.pointer("/plan").unwrap().as_str().unwrap().to_owned();
    assert!(!project.path("state").exists(), "a plan starts nothing");
    let other = format!("sha256:{}", "0".repeat(64));
    project.run(&["deploy", "--approved", &other]).is(6).says("was approved");
    project.run(&["deploy", "--approved", &plan]).is(0);
}
