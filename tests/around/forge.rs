//! The forge around a rollout: records of it, and people who must agree.

use serde_json::Value;

use crate::project::{Ended, Project};
use crate::server::{Asked, Says, Server, json, says};

const TOKEN: &str = "ghs_TheTokenThatNobodyMaySee";

/// Runs a tool in run 12 of a GitHub at this address.
pub(crate) fn run(project: &Project, api: &str, words: &[&str]) -> Ended {
    let mut command = project.command(words);
    command.env("GITHUB_REPOSITORY", "shop/shop").env("GITHUB_API_URL", api).env("GITHUB_RUN_ID", "12");
    command.env("GITHUB_TOKEN", TOKEN);
    let ended = Ended::of(&command.output().unwrap());
    assert!(!ended.all().contains(TOKEN), "the token is shown: {}", ended.all());
    ended
}

pub(crate) fn path(asked: &Asked) -> &str {
    asked.path.split('?').next().unwrap().trim_start_matches("/repos/shop/shop")
}

/// A GitHub that records what it is told to, with number 7.
fn recorder() -> Server {
    Server::start(|asked, _| match asked.method.as_str() {
        "GET" => json(200, "[]"),
        _ => json(201, r#"{ "id": 7 }"#),
    })
}

/// What was written, as `task state`.
fn written(server: &Server) -> Vec<String> {
    let asked = server.asked();
    let bodies = asked.iter().filter(|one| one.method == "POST").map(|one| {
        let body: Value = serde_json::from_str(&one.body).unwrap();
        let word = body.get("task").or_else(|| body.get("state")).unwrap();
        word.as_str().unwrap().to_owned()
    });
    bodies.collect()
}

#[test]
fn a_deploy_and_a_rollback_are_recorded_with_commit_url_and_log() {
    let project = Project::new("v1");
    project.policy("    strategy: {", "    forge: { url: \"https://shop.example\" }\n    strategy: {");
    let first = project.git(&["rev-parse", "HEAD"]);
    let server = recorder();
    run(&project, &server.url(), &["deploy"]).is(0);
    assert_eq!(written(&server), ["deploy", "in_progress", "success"]);
    let last: Value = serde_json::from_str(&server.asked().last().unwrap().body).unwrap();
    assert_eq!(last["environment_url"], "https://shop.example");
    assert_eq!(last["log_url"], "https://github.com/shop/shop/actions/runs/12");
    project.build("v2", "");
    run(&project, &server.url(), &["deploy"]).is(0);

    let server = recorder();
    run(&project, &server.url(), &["rollback"]).is(0);
    assert_eq!(written(&server), ["rollback", "in_progress", "success"]);
    let made = server.asked().into_iter().find(|one| path(one) == "/deployments" && one.method == "POST");
    let made: Value = serde_json::from_str(&made.unwrap().body).unwrap();
    assert_eq!(made["ref"], first, "the commit that is live again");
}

#[test]
fn a_release_that_is_put_back_is_recorded_as_failed() {
    let project = Project::new("v1");
    project.deploy().is(0);
    project.build("v2", "--never-ready");
    let server = recorder();
    let ended = run(&project, &server.url(), &["deploy"]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    assert_eq!(written(&server), ["deploy", "in_progress", "failure"]);
}

#[test]
fn a_forge_that_takes_no_record_changes_nothing_and_shows() {
    let project = Project::new("v1");
    let said = r#"{ "message": "Resource not accessible by integration" }"#;
    let server = Server::start(move |_, _| json(403, said));
    run(&project, &server.url(), &["deploy"])
        .is(0)
        .says("GitHub deployments was not told `started`, `live`")
        .says("permissions: { contents: read, deployments: write }");
    assert!(project.answer().contains("v1"));
}

/// The job's summary after a run on GitHub of this event.
fn summary(
    project: &Project,
    api: &str,
    event: (&str, &str),
    words: &[&str],
) -> (Option<i32>, String, String) {
    let (summary, payload) = (project.path("summary.md"), project.path("event.json"));
    let _ = std::fs::remove_file(&summary);
    std::fs::write(&payload, event.1).unwrap();
    let mut command = project.command(&[words, &["--ci", "github"]].concat());
    command.env("GITHUB_REPOSITORY", "shop/shop").env("GITHUB_API_URL", api).env("GITHUB_RUN_ID", "12");
    command.env("GITHUB_TOKEN", TOKEN).env("GITHUB_EVENT_NAME", event.0).env("GITHUB_EVENT_PATH", payload);
    let output = command.env("GITHUB_STEP_SUMMARY", &summary).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), std::fs::read_to_string(summary).unwrap(), log)
}

const PUSH: (&str, &str) = ("push", "{}");

#[test]
fn each_refusal_of_a_record_stands_in_the_summary_with_the_line_that_mends_it() {
    let project = Project::new("v1");
    project.deploy().is(0);
    for (status, means) in [
        (401, "the token in GITHUB_TOKEN is wrong, expired or revoked; it needs deployments: write"),
        (403, "the token in GITHUB_TOKEN lacks deployments: write"),
        (404, "it is not there, or the token in GITHUB_TOKEN may not see it and lacks deployments: write"),
    ] {
        let server = Server::start(move |_, _| json(status, r#"{ "message": "no" }"#));
        project.build(&format!("v{status}"), "");
        for words in [&["deploy"][..], &["rollback", "--no-hold"]] {
            let (code, told, log) = summary(&project, &server.url(), PUSH, words);
            assert_eq!(code, Some(0), "{log}");
            let said = format!("status {status}: no: {means}");
            assert!(log.contains(&said) && told.contains(&said.replace('_', "\\_")), "{told}");
            assert!(told.contains("`permissions: { contents: read, deployments: write }`"), "{told}");
            assert!(log.contains("::warning title=GitHub deployments was not told::"), "{log}");
        }
    }
}

#[test]
fn a_token_of_ones_own_that_may_not_is_named() {
    let project = Project::new("v1");
    let server = Server::start(|_, _| json(403, r#"{ "message": "no" }"#));
    let mut command = project.command(&["deploy"]);
    command
        .env("GITHUB_REPOSITORY", "shop/shop")
        .env("GITHUB_API_URL", server.url())
        .env("GITHUB_RUN_ID", "12");
    command.env("GITHUB_TOKEN", "ghs_x").env("WINDLASS_FORGE_TOKEN", TOKEN);
    let ended = Ended::of(&command.output().unwrap()).is(0);
    assert!(!ended.all().contains(TOKEN), "the token is shown: {}", ended.all());
    ended.says("the token in WINDLASS_FORGE_TOKEN lacks deployments: write").says("or leave that out");
}

#[test]
fn the_record_of_a_forks_pull_request_is_left_out_and_the_summary_says_so_in_one_line() {
    let project = Project::new("v1");
    let server =
        Server::start(|_, _| json(403, r#"{ "message": "Resource not accessible by integration" }"#));
    let event = |head: &str| {
        format!(
            r#"{{ "pull_request": {{ "head": {{ "repo": {{ "full_name": "{head}" }} }}, "base": {{ "repo": {{ "full_name": "shop/shop" }} }} }} }}"#
        )
    };
    let (code, told, log) =
        summary(&project, &server.url(), ("pull_request", &event("eve/shop")), &["deploy"]);
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("GitHub deployments")).collect();
    let line = "- GitHub deployments was not told `started`, `live`: this run is of a pull request from the fork eve/shop, whose token only reads: no record was written, and this summary stands for it";
    assert_eq!(lines, [line], "{told}");
    assert!(!told.contains("permissions"), "nobody can give a fork's token more: {told}");
    assert!(log.contains("::notice title=GitHub deployments was not told::"), "{log}");
    // One of the repository's own branches lacks what its workflow did not ask for.
    project.build("v2", "");
    let own = event("shop/shop");
    let (code, told, log) = summary(&project, &server.url(), ("pull_request", &own), &["deploy"]);
    assert_eq!(code, Some(0), "{log}");
    assert!(told.contains("`permissions: { contents: read, deployments: write }`"), "{told}");
}

#[test]
fn no_record_is_written_where_the_policy_or_the_command_line_says_so() {
    let project = Project::new("v1");
    let server = recorder();
    // Offline it is not judged either, and goes on with the next run.
    run(&project, &server.url(), &["deploy", "--offline"]).is(3);
    project.deploy().is(0);
    project.policy("    strategy: {", "    forge: { records: false }\n    strategy: {");
    project.build("v2", "");
    run(&project, &server.url(), &["deploy"]).is(0);
    assert_eq!(server.lines(), [""; 0]);
}

/// A GitHub on which this person has reviewed pull request 3, which `opener` opened and which brought the commit.
fn reviewed(project: &Project, by: &str) -> Server {
    let (commit, by) = (project.git(&["rev-parse", "HEAD"]), by.to_owned());
    Server::start(move |asked, _| answer(asked, &commit, &by))
}

fn answer(asked: &Asked, commit: &str, by: &str) -> Says {
    match path(asked) {
        "/pulls/3/reviews" => json(
            200,
            &format!(
                r#"[{{ "state": "APPROVED", "user": {{ "login": "{by}" }}, "commit_id": "{commit}", "submitted_at": "{}" }}]"#,
                jiff::Timestamp::now()
            ),
        ),
        "/pulls/3/commits" => json(200, "[]"),
        "/actions/runs/12" => {
            json(200, &format!(r#"{{ "head_sha": "{commit}", "created_at": "2026-01-01T00:00:00Z" }}"#))
        }
        "/actions/runs/12/approvals" => json(200, "[]"),
        "/orgs/shop/teams/release" => json(200, "{}"),
        "/orgs/shop/teams/release/memberships/ana" => json(200, r#"{ "state": "active" }"#),
        path if path.ends_with("/pulls") => json(
            200,
            &format!(
                r#"[{{ "number": 3, "user": {{ "login": "opener" }}, "merged_at": null, "merge_commit_sha": null, "head": {{ "sha": "{commit}" }} }}]"#
            ),
        ),
        path if path.starts_with("/commits/") => {
            json(200, r#"{ "author": { "login": "opener" }, "committer": null }"#)
        }
        _ if asked.method == "POST" => json(201, r#"{ "id": 7 }"#),
        "/deployments" => json(200, "[]"),
        _ => json(404, r#"{ "message": "Not Found" }"#),
    }
}

fn guarded(from: &str) -> Project {
    let project = Project::new("v1");
    project.policy("    strategy: {", &format!("    approval: {{ from: [\"{from}\"] }}\n    strategy: {{"));
    project.git(&["commit", "-qam", "guarded"]);
    project
}

#[test]
fn a_team_is_asked_for_and_its_member_who_reviewed_the_commit_lets_it_in() {
    let project = guarded("team:release");
    run(&project, &reviewed(&project, "eve").url(), &["deploy"]).is(4).says("waits for approval: 0 of 1");
    run(&project, &reviewed(&project, "ana").url(), &["deploy"]).is(0);
    assert!(project.answer().contains("v1"));
}

#[test]
fn who_wrote_the_commit_does_not_let_it_in() {
    let project = guarded("user:opener");
    let server = reviewed(&project, "opener");
    run(&project, &server.url(), &["deploy"]).is(4).says("held by the author of the commit");
}

#[test]
fn what_cannot_be_asked_is_could_not_judge_with_what_is_missing() {
    let project = guarded("user:ana");
    let server =
        Server::start(|_, _| json(403, r#"{ "message": "Resource not accessible by integration" }"#));
    run(&project, &server.url(), &["deploy"]).is(3).says("pull-requests: read").says("actions: read");
    let (code, told, log) = summary(&project, &server.url(), PUSH, &["deploy"]);
    assert_eq!(code, Some(3), "{log}");
    let line = "`permissions: { actions: read, contents: read, pull-requests: read }`";
    assert!(told.contains(line) && log.contains(line.trim_matches('`')), "{told}\n{log}");
    run(&project, &server.url(), &["deploy", "--offline"]).is(3).says("--offline");
    project.run(&["deploy"]).is(3).says("no forge is known");
    let limited = Server::start(|_, _| says(429, &["retry-after: 3600"], ""));
    run(&project, &limited.url(), &["deploy"]).is(3).says("asks to wait 3600 s");
    assert_eq!(project.live(), None, "nothing was moved");
}

#[test]
fn gate_check_asks_no_forge_and_says_who_does() {
    let project = guarded("user:ana");
    let server = recorder();
    let ended =
        run(&project, &server.url(), &["gate-check"]).is(0).says("left-to-deploy").says("deploy does");
    assert_eq!(ended.document.pointer("/conditions/0/status").unwrap(), "left-to-deploy");
    let (_, told, log) = summary(&project, &server.url(), PUSH, &["gate-check"]);
    let line = "`permissions: { actions: read, contents: read, pull-requests: read }`";
    assert!(told.contains(line), "{told}\n{log}");
    assert_eq!(server.lines(), [""; 0]);
}
