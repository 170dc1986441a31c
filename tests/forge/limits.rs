//! Rate limits: waited for within a bound, and "could not judge" beyond it.

use std::time::Instant;

use windlass_forge::{Fault, Mark, Standing};

use crate::github;
use crate::server::{Server, json, says};

const JSON: &str = "content-type: application/json";

#[test]
fn a_limit_that_ends_soon_is_waited_for_whatever_the_method() {
    let server = Server::start(|asked, before| match (before, asked.method.as_str()) {
        (0, _) => says(429, &[JSON, "retry-after: 1"], "{}"),
        (_, "POST") => json(201, r#"{ "id": 3 }"#),
        _ => json(404, "{}"),
    });
    let mark =
        Mark { standing: Standing::Live, description: String::new(), environment: "e".into(), url: None };
    let began = Instant::now();
    github(&server.url(), async |forge| forge.mark("5", &mark).await).unwrap();
    assert!(began.elapsed().as_millis() >= 1000, "it did not wait");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_limit_that_lasts_ends_the_question_at_once_and_says_how_long() {
    let date = "date: Thu, 26 Nov 2026 12:00:00 GMT";
    let answers = [
        says(403, &[JSON, date, "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1795696200"], "{}"),
        says(429, &[JSON, "retry-after: 1801"], "{}"),
    ];
    for answer in answers {
        let server = Server::start(move |_, _| answer.clone());
        let fault = github(&server.url(), async |forge| forge.meet().await.unwrap_err());
        assert!(matches!(fault, Fault::Limited { .. }), "{fault:?}");
        assert!(fault.to_string().contains("asks to wait 1801 s"), "{fault}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn a_server_that_says_wait_for_ever_is_not_waited_for_for_ever() {
    let server = Server::start(|_, _| says(429, &[JSON, "retry-after: 0"], "{}"));
    let fault = github(&server.url(), async |forge| forge.meet().await.unwrap_err());
    assert!(matches!(fault, Fault::Limited { .. }), "{fault:?}");
}
