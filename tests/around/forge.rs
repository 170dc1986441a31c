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
        .says("GitHub deployments was not told `live`")
        .says("permissions: { deployments: ");
    assert!(project.answer().contains("v1"));
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
    assert_eq!(server.lines(), [""; 0]);
}
