//! The forge as the pipeline asks it: who approved, by the job's own token; and a fork's token, which may not write.

use std::sync::{Arc, Mutex};

use crate::act;
use crate::consumer::{Consumer, REPOSITORY, TOKEN};
use crate::pipeline::{ALL, failed_in};
use crate::register::{By, executed};
use crate::server::{Asked, Says, Server, json};

/// What a test tells its GitHub meanwhile: the commit that is released, and who has approved production.
#[derive(Default)]
struct Known {
    commit: String,
    approved_by: Option<&'static str>,
}

fn answer(asked: &Asked, known: &Known) -> Says {
    let path = asked.path.split('?').next().unwrap();
    let path = path
        .split_once("/actions/runs/")
        .map_or(path, |(_, run)| run.trim_start_matches(|one: char| one.is_ascii_digit()));
    let commit = &known.commit;
    match path {
        "" => json(200, &format!(r#"{{ "head_sha": "{commit}", "created_at": "{}" }}"#, jiff::Timestamp::now())),
        "/approvals" => json(
            200,
            &known.approved_by.map_or_else(
                || "[]".to_owned(),
                |login| {
                    format!(r#"[{{ "state": "approved", "user": {{ "login": "{login}" }}, "environments": [{{ "name": "production" }}] }}]"#)
                },
            ),
        ),
        path if path.ends_with(&format!("/commits/{commit}")) => {
            json(200, r#"{ "author": { "login": "bo" }, "committer": { "login": "bo" } }"#)
        }
        _ if asked.method == "POST" => json(201, r#"{ "id": 1 }"#),
        _ => json(200, "[]"),
    }
}

#[test]
fn an_approval_by_a_person_of_the_forge_is_read_inside_the_pipeline() {
    if !act::is_here() {
        return;
    }
    let known = Arc::new(Mutex::new(Known::default()));
    let told = Arc::clone(&known);
    let mut shop = Consumer::beside(Server::start(move |asked, _| answer(asked, &told.lock().unwrap())));
    let hook = format!("{}/hook", shop.api.url());
    shop.set("--secret", "HOOK_URL", &hook);
    shop.set("--secret", "HOOK_SECRET", "shared between two");
    let told = "notify:\n  - webhook: { url: HOOK_URL, secret: HOOK_SECRET }\n    environments: [production]\nenvironments:\n";
    shop.edit("windlass.yml", "environments:\n", told);
    let approval = "    needs: [staging]\n    approval: { from: [\"user:ana\"] }\n";
    shop.edit("windlass.yml", "    needs: [staging]\n", approval);
    shop.commit("v1");
    known.lock().unwrap().commit = shop.git(&["rev-parse", "HEAD"]);
    // The author's own word does not count.
    known.lock().unwrap().approved_by = Some("bo");
    let ran = shop.push();
    ran.jobs_are(&failed_in("production")).step_is("production: Judge", Some("success"));
    ran.step_is("production: Plan", Some("failure")).step_is("production: Deploy", None);
    ran.says("approve the run's environment, or the pull request that brought the commit, on the forge");
    shop.serves(&[("staging", "v1")]);

    known.lock().unwrap().approved_by = Some("Ana");
    let before = shop.api.asked().len();
    shop.push().jobs_are(&ALL);
    shop.serves(&[("production", "v1")]);
    let asked = shop.api.asked().split_off(before);
    for call in ["/approvals", "/pulls", "/deployments"] {
        let of_it: Vec<&Asked> =
            asked.iter().filter(|one| one.path.split('?').next().unwrap().ends_with(call)).collect();
        assert!(!of_it.is_empty(), "{call} was not asked: {:?}", shop.api.lines());
        let bearer = format!("Bearer {TOKEN}");
        assert!(of_it.iter().all(|one| one.header("authorization") == Some(bearer.as_str())), "{of_it:?}");
    }
    let asked = shop.api.asked();
    let told = asked.iter().filter(|one| one.path == "/hook" && one.header("x-windlass-signature").is_some());
    let moments: Vec<Option<&str>> = told.map(|one| one.header("x-windlass-moment")).collect();
    // A plan tells nobody: what waited ended with its plan.
    assert_eq!(moments, [Some("live")]);
}

#[test]
fn a_forks_token_that_only_reads_stops_nothing_and_each_summary_says_what_was_left_out() {
    if !act::is_here() {
        return;
    }
    let mut shop = Consumer::beside(Server::start(|asked, _| match asked.method.as_str() {
        "GET" => json(200, "[]"),
        _ => json(403, r#"{ "message": "Resource not accessible by integration" }"#),
    }));
    // A fork's run has no secrets but the token.
    let at = shop.settings.iter().position(|word| word.starts_with("WINDLASS_SIGNING_KEY=")).unwrap();
    shop.settings.drain(at - 1..=at);
    shop.edit("windlass.yml", "    target:\n", "    evidence: unsigned\n    target:\n");
    shop.edit(".github/workflows/release.yml", "  push:\n", "  pull_request:\n");
    shop.commit("v1");
    let run = |shop: &Consumer, head: &str| {
        let event = format!(
            r#"{{ "number": 3, "pull_request": {{ "number": 3, "head": {{ "ref": "change", "repo": {{ "full_name": "{head}" }} }}, "base": {{ "ref": "main", "repo": {{ "full_name": "{}" }} }} }} }}"#,
            REPOSITORY
        );
        std::fs::write(shop.path("event.json"), event).unwrap();
        let event = shop.path("event.json").display().to_string();
        shop.run("pull_request", "release.yml", &["--eventpath", &event])
    };
    let ran = run(&shop, "eve/shop");
    ran.jobs_are(&ALL).says("No provenance is attested, since this is the pull request of a fork");
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    executed(By::Fork, &[ran]);
    assert!(!shop.path("store/attested").exists(), "a fork's token cannot sign");
    shop.serves(&[("dev", "v1"), ("staging", "v1"), ("production", "v1")]);
    for environment in ["dev", "staging", "production"] {
        let summary = shop.stored(&format!("artifacts/windlass-evidence-{environment}/deploy.md"));
        let lines: Vec<&str> = summary.lines().filter(|line| line.contains("GitHub deployments")).collect();
        let said = "was not told `started`, `live`: this run is of a pull request from the fork eve/shop, whose token only reads";
        assert!(lines.len() == 1 && lines[0].contains(said), "{summary}");
    }
    // A pull request of its own is attested, and lacks a permission instead.
    shop.commit("v2");
    let ran = run(&shop, REPOSITORY);
    ran.jobs_are(&ALL);
    assert!(shop.path("store/attested").exists(), "{}", ran.log);
    let summary = shop.stored("artifacts/windlass-evidence-production/deploy.md");
    assert!(summary.contains("`permissions: { contents: read, deployments: write }`"), "{summary}");
}
