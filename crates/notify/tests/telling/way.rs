//! Time-outs, second tries, and what is said of a receiver that does not take a message.

use std::net::TcpListener;
use std::time::Duration;

use windlass_notify::Bounds;

use crate::receiver::{Receiver, Reply};
use crate::said;

/// Bounds with which no test waits long, and under which no loaded machine fails where an answer comes.
const QUICK: Bounds = Bounds {
    connect: Duration::from_secs(30),
    whole: Duration::from_secs(60),
    pause: Duration::from_millis(1),
};

const SLACK: &str = "  - slack: URL";
const PATH: &str = "/services/T0/B0/hunter2";

async fn tell(receiver: &Receiver, bounds: Bounds) -> Result<(), String> {
    said::teller(SLACK, &[("URL", &receiver.url(PATH))], bounds).tell(&said::live()).await
}

#[tokio::test]
async fn a_message_that_is_taken_is_sent_once() {
    let receiver = Receiver::new(vec![Reply::Answer("200 OK\r\n", "ok")]);
    assert_eq!(tell(&receiver, QUICK).await, Ok(()));
    let got = receiver.got();
    assert_eq!((got.len(), got[0].path.as_str()), (1, PATH));
    assert_eq!(got[0].headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_asked_once_more() {
    for head in ["429 Too Many Requests\r\nRetry-After: 0.001\r\n", "503 Service Unavailable\r\n"] {
        let receiver = Receiver::new(vec![Reply::Answer(head, ""), Reply::Answer("204 No Content\r\n", "")]);
        assert_eq!(tell(&receiver, QUICK).await, Ok(()), "{head}");
        assert_eq!(receiver.got().len(), 2, "{head}");
    }
}

#[tokio::test]
async fn a_second_refusal_is_the_last() {
    let receiver = Receiver::new(vec![Reply::Answer("500 Internal Server Error\r\n", "down")]);
    assert_eq!(
        tell(&receiver, QUICK).await,
        Err("it answered 500 Internal Server Error: down, twice".to_owned())
    );
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn what_a_second_try_would_not_change_is_tried_once() {
    for head in ["404 Not Found\r\n", "400 Bad Request\r\n", "302 Found\r\nLocation: /elsewhere\r\n"] {
        let receiver = Receiver::new(vec![Reply::Answer(head, "no_service\r\n::error::x")]);
        let why = tell(&receiver, QUICK).await.unwrap_err();
        assert!(why.starts_with(&format!("it answered {}", &head[..3])), "{why}");
        assert!(why.ends_with("no_service\\r\\n::error::x"), "one line: {why}");
        assert_eq!(receiver.got().len(), 1, "{head}");
    }
}

#[tokio::test]
async fn a_wait_that_is_longer_than_the_bound_is_not_waited() {
    let receiver = Receiver::new(vec![Reply::Answer("429 Too Many Requests\r\nRetry-After: 3600\r\n", "")]);
    let why = tell(&receiver, QUICK).await.unwrap_err();
    assert!(why.contains("in 3600 s, which is too long"), "{why}");
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_silent_is_left_after_the_bound() {
    let receiver = Receiver::new(vec![Reply::Silence]);
    let bounds = Bounds { whole: Duration::from_secs(1), ..QUICK };
    assert_eq!(tell(&receiver, bounds).await, Err("no answer within 1 s".to_owned()));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_twice() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}{PATH}");
    let why = said::teller(SLACK, &[("URL", &url)], QUICK).tell(&said::live()).await.unwrap_err();
    assert!(why.contains("cannot reach it") && why.ends_with(", twice"), "{why}");
    assert!(!why.contains("hunter2") && !why.contains("T0"), "{why}");
}

#[tokio::test]
async fn an_answer_that_repeats_the_url_does_not_give_it_away() {
    let receiver =
        Receiver::new(vec![Reply::Answer("404 Not Found\r\n", "no route for /services/T0/B0/hunter2 here")]);
    let why = tell(&receiver, QUICK).await.unwrap_err();
    assert!(!why.contains("hunter2"), "{why}");
    assert!(why.contains("no route for *** here"), "{why}");
}

#[tokio::test]
async fn a_variable_that_is_missing_or_no_url_is_named_and_not_shown() {
    let told = |vars: &'static [(&str, &str)]| async {
        said::teller(SLACK, vars, QUICK).tell(&said::live()).await.unwrap_err()
    };
    assert_eq!(told(&[]).await, "the variable URL is not set: give it to this job");
    assert_eq!(told(&[("URL", " ")]).await, "the variable URL is not set: give it to this job");
    for value in ["hunter2", "ftp://x/hunter2", "https://"] {
        let vars: &'static [(&str, &str)] = Box::leak(Box::new([("URL", value)]));
        assert_eq!(told(vars).await, "its variable does not hold a URL of http or https");
    }
}

#[tokio::test]
async fn a_template_that_fails_says_where() {
    let cases = [
        ("{{ wat }}", "in line 1"),
        ("{{ app", "in line 1"),
        ("a\\n{% if %}", "in line 2"),
        ("{% for x in range(100000) %}{% for y in range(1000) %}{% endfor %}{% endfor %}", "fuel"),
    ];
    for (template, says) in cases {
        let yaml = format!("  - slack: URL\n    template: \"{template}\"");
        let why = said::letter(&yaml, &said::live()).unwrap_err();
        assert!(why.starts_with("its template fails") && why.contains(says), "{template}: {why}");
    }
    let why = said::letter("  - slack: URL\n    template: { file: gone.txt }", &said::live()).unwrap_err();
    assert!(why.starts_with("cannot read its template at /nowhere/gone.txt"), "{why}");
}
