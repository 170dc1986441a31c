//! The signature of a webhook, verified by what docs/notifications.md tells a receiver to do.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use windlass_notify::Bounds;

use crate::receiver::{Got, Receiver, Reply};
use crate::{said, tool};

const PAGE: &str = include_str!("../../../../docs/notifications.md");
const KEY: &str = "a key with blanks, $and \"signs\"";

/// The example of the page that begins with this fence.
fn example(fence: &str) -> &'static str {
    let (_, rest) =
        PAGE.split_once(&format!("```{fence}\n")).unwrap_or_else(|| panic!("no {fence} on the page"));
    rest.split_once("```").unwrap().0
}

/// A request, told at `at`.
async fn request(at: &str) -> Got {
    let receiver = Receiver::new(vec![Reply::Answer("200 OK\r\n", "")]);
    let url = receiver.url("/hook");
    let vars = [("URL", url.as_str()), ("KEY", KEY)];
    let bounds =
        Bounds { connect: Duration::from_secs(30), whole: Duration::from_secs(60), ..Bounds::default() };
    let mut said = said::live();
    (said.at, said.why) = (at.parse().unwrap(), Some("é \"quoted\"\nand lines".into()));
    said::teller("  - webhook: { url: URL, secret: KEY }", &vars, bounds).tell(&said).await.unwrap();
    receiver.got().remove(0)
}

/// Whether a program takes the request: it gets timestamp and signature as arguments, the body as input, the key as a
/// variable, and says yes by 0.
fn takes(program: &std::path::Path, arguments: &[&str], got: &Got) -> bool {
    let header = |name: &str| got.headers[name].clone();
    let mut child = Command::new(program)
        .args(arguments)
        .args([header("x-windlass-timestamp"), header("x-windlass-signature")])
        .env("HOOK_SECRET", KEY)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // One that refuses an old request does not read its body.
    let _ = child.stdin.take().unwrap().write_all(got.body.as_bytes());
    child.wait().unwrap().success()
}

/// What is changed in a request so that it must be refused.
fn forged(got: &Got) -> Vec<Got> {
    let mut body = got.clone();
    body.body = body.body.replacen("live", "held", 1);
    let mut signature = got.clone();
    signature.headers.insert("x-windlass-signature".into(), format!("sha256={}", "0".repeat(64)));
    let mut time = got.clone();
    let later = got.headers["x-windlass-timestamp"].parse::<i64>().unwrap() + 1;
    time.headers.insert("x-windlass-timestamp".into(), later.to_string());
    vec![body, signature, time]
}

#[expect(clippy::disallowed_methods, reason = "the example compares with the clock of the machine")]
fn now() -> String {
    jiff::Timestamp::now().to_string()
}

async fn verifies(program: &std::path::Path, arguments: &[&str]) {
    let got = request(&now()).await;
    assert!(takes(program, arguments, &got), "{got:?}");
    for forged in forged(&got) {
        assert!(!takes(program, arguments, &forged), "{forged:?}");
    }
    let old = request("2020-01-01T00:00:00Z").await;
    assert!(!takes(program, arguments, &old), "an old request is refused: {old:?}");
}

#[tokio::test]
async fn the_shell_of_the_page_takes_what_we_sign_and_nothing_else() {
    let Some(shell) = tool("sh", "a POSIX shell") else { return };
    if tool("openssl", "apt-get install openssl").is_none() {
        return;
    }
    verifies(&shell, &["-c", example("sh"), "verify"]).await;
}

#[tokio::test]
async fn the_python_of_the_page_takes_what_we_sign_and_nothing_else() {
    let Some(python) = tool("python3", "apt-get install python3") else { return };
    verifies(&python, &["-c", example("python")]).await;
}

#[tokio::test]
async fn both_tries_have_one_name() {
    let replies = vec![Reply::Answer("503 Service Unavailable\r\n", ""), Reply::Answer("200 OK\r\n", "")];
    let receiver = Receiver::new(replies);
    let url = receiver.url("/hook");
    let bounds = Bounds {
        connect: Duration::from_secs(30),
        whole: Duration::from_secs(60),
        pause: Duration::from_millis(1),
    };
    let vars = [("URL", url.as_str()), ("KEY", KEY)];
    said::teller("  - webhook: { url: URL, secret: KEY }", &vars, bounds).tell(&said::live()).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].headers["x-windlass-delivery"], got[1].headers["x-windlass-delivery"]);
    assert_eq!(got[0].headers["x-windlass-moment"], "live");
}
