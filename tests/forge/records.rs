//! Deployment records: made once, never beside the CI system's own, and marked.

use serde_json::{Value, json as value};
use windlass_forge::{Mark, Opened, Record, Standing};

use crate::server::{Asked, Server, json};
use crate::{COMMIT, PATIENCE, block, forge_with, github, gitlab, gitlab_vars};

fn record() -> Record {
    Record {
        environment: "prod/eu".into(),
        commit: COMMIT.into(),
        task: "deploy",
        description: "deploy of r3\nto prod/eu".into(),
    }
}

fn mark(standing: Standing) -> Mark {
    Mark {
        standing,
        description: "r3 is live".into(),
        environment: "prod/eu".into(),
        url: Some("https://shop.example".into()),
    }
}

fn body(asked: &[Asked], method: &str) -> Value {
    let one = asked.iter().find(|one| one.method == method).expect(method);
    serde_json::from_str(&one.body).unwrap()
}

/// A GitHub with these records of the commit, whose statuses all have this log.
fn github_with(there: &'static str, log: &'static str) -> Server {
    Server::start(move |asked, _| match (asked.method.as_str(), asked.path.split('?').next().unwrap()) {
        ("GET", "/repos/shop/shop/deployments") => json(200, there),
        ("POST", "/repos/shop/shop/deployments") => json(201, r#"{ "id": 41, "url": "x" }"#),
        ("POST", _) => json(201, r#"{ "id": 1, "state": "success" }"#),
        ("GET", _) => json(200, &format!(r#"[{{ "id": 1, "log_url": "{log}", "target_url": "" }}]"#)),
        _ => json(404, "{}"),
    })
}

#[test]
fn a_record_on_github_is_made_and_marked_with_its_url_and_log() {
    let server = github_with("[]", "");
    github(&server.url(), async |forge| {
        assert_eq!(forge.open(&record()).await, Ok(Opened::Ours("41".into())));
        forge.mark("41", &mark(Standing::Live)).await.unwrap();
    });
    let asked = server.asked();
    assert_eq!(
        server.lines(),
        [
            format!(
                "GET /repos/shop/shop/deployments?sha={COMMIT}&environment=prod%2Feu&per_page=100&page=1"
            ),
            "POST /repos/shop/shop/deployments".to_owned(),
            "POST /repos/shop/shop/deployments/41/statuses".to_owned(),
        ]
    );
    let made = body(&asked, "POST");
    assert_eq!(made["ref"], COMMIT);
    assert_eq!((&made["auto_merge"], &made["required_contexts"]), (&value!(false), &value!([])));
    assert_eq!(made["description"], "deploy of r3 to prod/eu");
    let marked: Value = serde_json::from_str(&asked[2].body).unwrap();
    assert_eq!(marked["state"], "success");
    assert_eq!(marked["environment_url"], "https://shop.example");
    assert_eq!(marked["log_url"], "https://github.com/shop/shop/actions/runs/12");
}

#[test]
fn a_record_that_this_run_has_already_is_used_again_and_one_of_another_run_is_not() {
    let ours = r#"[{ "id": 30, "payload": { "windlass_run": "11", "windlass_task": "deploy" } },
                   { "id": 31, "payload": { "windlass_run": "12", "windlass_task": "rollback" } },
                   { "id": 32, "payload": { "windlass_run": "12", "windlass_task": "deploy" } }]"#;
    let server = github_with(ours, "");
    let opened = github(&server.url(), async |forge| forge.open(&record()).await);
    assert_eq!(opened, Ok(Opened::Ours("32".into())));
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn github_that_records_the_job_itself_is_left_to_do_so() {
    let there = r#"[{ "id": 30, "payload": "" }]"#;
    for (log, expected) in [
        ("https://github.com/shop/shop/actions/runs/12/job/5", Opened::CiSystems),
        ("https://github.com/shop/shop/actions/runs/120/job/5", Opened::Ours("41".into())),
    ] {
        let server = github_with(there, log);
        let opened = github(&server.url(), async |forge| forge.open(&record()).await);
        assert_eq!(opened, Ok(expected), "{log}");
    }
}

#[test]
fn github_that_merged_instead_of_recording_is_no_record() {
    let server = Server::start(|asked, _| match asked.method.as_str() {
        "GET" => json(200, "[]"),
        _ => json(202, r#"{ "message": "Auto-merged master into topic branch" }"#),
    });
    let fault = github(&server.url(), async |forge| forge.open(&record()).await.unwrap_err());
    assert!(fault.to_string().contains("names no record"), "{fault}");
}

/// A GitLab that knows the commit and the environment.
fn gitlab_server() -> Server {
    Server::start(|asked, _| match (asked.method.as_str(), asked.path.split('?').next().unwrap()) {
        ("GET", "/projects/7/environments") => {
            json(200, r#"[{ "id": 4, "name": "prod/eu", "external_url": "https://old.example" }]"#)
        }
        ("GET", path) if path.ends_with(COMMIT) => json(200, &format!(r#"{{ "id": "{COMMIT}" }}"#)),
        ("POST", "/projects/7/deployments") => json(201, r#"{ "id": 42, "iid": 2, "status": "running" }"#),
        ("PUT", _) => json(200, r#"{ "id": 42, "status": "success" }"#),
        _ => json(404, r#"{ "message": "404 Not found" }"#),
    })
}

#[test]
fn a_record_on_gitlab_is_made_marked_and_leads_to_the_service() {
    let server = gitlab_server();
    gitlab(&server.url(), async |forge| {
        assert_eq!(forge.open(&record()).await, Ok(Opened::Ours("42".into())));
        forge.mark("42", &mark(Standing::Waiting)).await.unwrap();
        forge.mark("42", &mark(Standing::Live)).await.unwrap();
    });
    assert_eq!(
        server.lines(),
        [
            format!("GET /projects/7/repository/commits/{COMMIT}"),
            "POST /projects/7/deployments".to_owned(),
            "GET /projects/7/environments?name=prod%2Feu".to_owned(),
            "PUT /projects/7/environments/4".to_owned(),
            "PUT /projects/7/deployments/42".to_owned(),
        ]
    );
    let asked = server.asked();
    let made = body(&asked, "POST");
    assert_eq!(
        (&made["sha"], &made["status"], &made["tag"]),
        (&value!(COMMIT), &value!("running"), &value!(false))
    );
    assert_eq!(asked[3].body, r#"{"external_url":"https://shop.example"}"#);
    assert_eq!(asked[4].body, r#"{"status":"success"}"#);
    assert!(asked.iter().all(|one| one.header("private-token") == Some(crate::TOKEN)));
}

#[test]
fn gitlab_that_records_the_job_itself_is_left_to_do_so() {
    let server = gitlab_server();
    let mut vars = gitlab_vars(&server.url());
    vars.insert("CI_ENVIRONMENT_NAME".into(), "prod/eu".into());
    let opened = block(async { forge_with(&vars, PATIENCE).open(&record()).await });
    assert_eq!(opened, Ok(Opened::CiSystems));
    assert_eq!(server.lines(), [""; 0]);
    vars.insert("CI_ENVIRONMENT_NAME".into(), "staging".into());
    let opened = block(async { forge_with(&vars, PATIENCE).open(&record()).await });
    assert_eq!(opened, Ok(Opened::Ours("42".into())));
}

#[test]
fn a_commit_that_gitlab_does_not_know_is_not_recorded() {
    let server = Server::start(|_, _| json(404, r#"{ "message": "404 Commit Not Found" }"#));
    let fault = gitlab(&server.url(), async |forge| forge.open(&record()).await.unwrap_err());
    assert!(fault.to_string().contains("404 Commit Not Found"), "{fault}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_job_token_is_sent_as_one() {
    let server = gitlab_server();
    let mut vars = gitlab_vars(&server.url());
    vars.remove("GITLAB_TOKEN");
    vars.insert("CI_JOB_TOKEN".into(), "glcbt-1".into());
    block(async { forge_with(&vars, PATIENCE).open(&record()).await }).unwrap();
    assert!(server.asked().iter().all(|one| one.header("job-token") == Some("glcbt-1")));
}
