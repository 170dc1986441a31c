//! Answers that are none, and answers that say no.

use std::time::Duration;

use windlass_forge::{Fault, Mark, Patience, Standing};

use crate::server::{Says, Server, json, says};
use crate::{PATIENCE, TOKEN, block, forge_with, github, github_vars, gitlab};

const REPOSITORY: &str = r#"{ "default_branch": "main", "id": 1 }"#;

fn meet(answer: Says) -> Fault {
    let server = Server::start(move |_, _| answer.clone());
    github(&server.url(), async |forge| forge.meet().await.unwrap_err())
}

#[test]
fn an_answer_that_is_no_json_of_that_shape_is_unreadable_and_says_what_it_is() {
    let huge = format!("{{ \"default_branch\": \"{}\" }}", "x".repeat(5 * 1024 * 1024));
    let cut = &REPOSITORY[..REPOSITORY.len() - 4];
    let cases = [
        (
            says(200, &["content-type: text/html"], "<html>Sign in</html>"),
            "the answer is text/html, not JSON",
        ),
        (says(200, &[], REPOSITORY), "of no type"),
        (json(200, cut), "EOF"),
        (json(200, ""), "EOF"),
        (json(200, "null"), "invalid type: null"),
        (json(200, r#"{ "default_branch": 7 }"#), "invalid type"),
        (json(200, &huge), "larger than 4 MiB"),
        (says(302, &["location: https://evil.example/api"], ""), "redirects to https://evil.example"),
        (says(302, &["location: http://127.0.0.1:1/api"], ""), "redirects to http://127.0.0.1:1"),
        (says(302, &[], ""), "status 302 without an address"),
        (says(302, &["location: /again"], ""), "redirects more than 3 times"),
    ];
    for (answer, expected) in cases {
        let head = String::from_utf8_lossy(&answer.bytes[..80.min(answer.bytes.len())]).into_owned();
        let fault = meet(answer);
        assert!(matches!(fault, Fault::Unreadable { .. }), "{head}: {fault:?}");
        assert!(fault.to_string().contains(expected), "{head}: {fault}");
        assert!(fault.hint().contains("/api/v3"), "{}", fault.hint());
    }
}

#[test]
fn an_answer_that_breaks_off_or_never_comes_is_unreachable() {
    let promised =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{ \"default"
            .to_vec();
    let fault = meet(Says { bytes: promised.clone(), hangs: false });
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault:?}");
    for bytes in [Vec::new(), promised] {
        let server = Server::start(move |_, _| Says { bytes: bytes.clone(), hangs: true });
        let patience = Patience { answer: Duration::from_millis(200), ..PATIENCE };
        let fault =
            block(async { forge_with(&github_vars(&server.url()), patience).meet().await.unwrap_err() });
        assert!(fault.to_string().contains("no whole answer within 200ms"), "{fault}");
    }
    let gone = github("http://127.0.0.1:9", async |forge| forge.meet().await.unwrap_err());
    assert!(matches!(gone, Fault::Unreachable { .. }), "{gone:?}");
}

#[test]
fn a_redirect_on_the_same_server_is_followed_and_a_token_never_leaves_it() {
    let elsewhere = Server::start(|_, _| json(200, REPOSITORY));
    let there = elsewhere.url();
    let server = Server::start(move |asked, _| match asked.path.as_str() {
        "/repos/shop/shop" => says(301, &["location: /repositories/1"], ""),
        "/repositories/1" => says(307, &[&format!("location: {there}/repositories/1")], ""),
        _ => json(404, "{}"),
    });
    let fault = github(&server.url(), async |forge| forge.meet().await.unwrap_err());
    assert!(matches!(fault, Fault::Unreadable { .. }), "{fault:?}");
    assert_eq!(elsewhere.lines(), [""; 0], "another host was asked");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
}

#[test]
fn a_no_names_the_permission_that_is_missing_and_the_line_that_grants_it() {
    let said = r#"{ "message": "Resource not accessible by integration" }"#;
    let server =
        Server::start(move |asked, _| if asked.method == "GET" { json(200, "[]") } else { json(403, said) });
    let mark = Mark {
        standing: Standing::Live,
        description: "live".into(),
        environment: "production".into(),
        url: None,
    };
    let fault = github(&server.url(), async |forge| forge.mark("5", &mark).await.unwrap_err());
    let text = fault.to_string();
    assert!(text.contains("403: Resource not accessible by integration"), "{text}");
    assert!(text.contains("deployments: write"), "{text}");
    assert!(
        fault.hint().contains("`permissions: { contents: read, deployments: write }`"),
        "{}",
        fault.hint()
    );

    let server = Server::start(|_, _| json(404, r#"{ "message": "404 Project Not Found" }"#));
    let fault = gitlab(&server.url(), async |forge| forge.meet().await.unwrap_err());
    assert!(fault.to_string().contains("404 Project Not Found"), "{fault}");
    assert!(
        fault.to_string().contains("it is not there, or the token in GITLAB_TOKEN may not see it"),
        "{fault}"
    );
    assert!(fault.hint().contains("`read_api`"), "{}", fault.hint());
}

#[test]
fn a_token_that_a_forge_sends_back_is_not_shown() {
    for (status, kind) in [(401, "application/json"), (422, "application/json"), (200, TOKEN)] {
        let body = format!("{{ \"message\": \"bad {TOKEN}\\n::error::x\", \"errors\": [\"{TOKEN}\"] }}");
        let server = Server::start(move |_, _| says(status, &[&format!("content-type: {kind}")], &body));
        for fault in [
            github(&server.url(), async |forge| forge.meet().await.unwrap_err()),
            gitlab(&server.url(), async |forge| forge.meet().await.unwrap_err()),
        ] {
            let text = format!("{fault} {fault:?} {}", fault.hint());
            assert!(!text.contains(TOKEN) && !fault.to_string().contains('\n'), "{text}");
        }
    }
}

#[test]
fn what_changes_nothing_is_asked_again_after_a_passing_error_and_what_changes_something_is_not() {
    let server = Server::start(|_, before| if before < 2 { json(502, "{}") } else { json(404, "{}") });
    let found = github(&server.url(), async |forge| forge.environment("production").await);
    assert_eq!(found, Ok(None));
    assert_eq!(server.asked().len(), 3);

    let server = Server::start(|_, _| json(502, r#"{ "message": "Bad Gateway" }"#));
    let mark =
        Mark { standing: Standing::Live, description: String::new(), environment: "e".into(), url: None };
    let fault = github(&server.url(), async |forge| forge.mark("5", &mark).await.unwrap_err());
    assert!(fault.to_string().contains("status 502: Bad Gateway"), "{fault}");
    assert_eq!(server.lines(), ["POST /repos/shop/shop/deployments/5/statuses"]);
}
