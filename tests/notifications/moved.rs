//! A release moves, and those who listen are told; those who cannot be told show, and change nothing.

use std::net::TcpListener;

use serde_json::Value;

use crate::receiver::{Receiver, Reply};
use crate::{project, run};

const KEY: &str = "hunter2-key";

fn taken() -> Vec<Reply> {
    vec![Reply::Answer("200 OK\r\n", "ok")]
}

/// The moments that a webhook was told, in order.
fn moments(receiver: &Receiver) -> Vec<String> {
    let moment =
        |body: &str| serde_json::from_str::<Value>(body).unwrap()["moment"].as_str().unwrap().to_owned();
    receiver.got().iter().map(|got| moment(&got.body)).collect()
}

#[test]
fn a_release_that_goes_live_and_comes_back_is_told_to_those_who_listen() {
    let (hook, slack) = (Receiver::new(taken()), Receiver::new(taken()));
    let project = project(
        "  - webhook: { url: HOOK, secret: KEY }\n    on: [started, live, rolled-back, waiting]\n  - slack: SLACK\n    on: \
         rolled-back\n    template: \"*{{ app }}* {{ what }}\"\n",
    );
    let (hook_url, slack_url) = (hook.url("/hook"), slack.url("/services/hunter2"));
    let vars = [("HOOK", hook_url.as_str()), ("SLACK", slack_url.as_str()), ("KEY", KEY)];
    run(&project, &["deploy"], &vars).is(0);
    project.build("v2", "");
    run(&project, &["deploy"], &vars).is(0);
    run(&project, &["rollback", "--reason", "a <!channel> reason"], &vars).is(0);
    run(&project, &["deploy"], &vars).is(4);
    assert_eq!(moments(&hook), ["started", "live", "started", "live", "started", "rolled-back", "waiting"]);
    let got = slack.got();
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0].path, "/services/hunter2");
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(body["text"], "shop was rolled back in live");
    assert!(
        body["blocks"][1]["text"]["text"].as_str().unwrap().starts_with("*shop* r1 is live in live again")
    );
    let signed = &hook.got()[0];
    assert!(signed.headers["x-windlass-signature"].starts_with("sha256="), "{signed:?}");
}

#[test]
fn a_receiver_that_is_down_silent_or_out_of_order_shows_and_changes_nothing() {
    let broken = Receiver::new(vec![Reply::Answer("500 Internal Server Error\r\n", "::error::no")]);
    let silent = Receiver::new(vec![Reply::Silence]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = project(
        "  - slack: DOWN\n  - teams: SILENT\n  - discord: BROKEN\n  - slack: UNSET\n  - webhook: { url: DOWN, secret: KEY }\n    \
         template: { file: gone.json }\n",
    );
    let vars = [
        ("DOWN", format!("http://{closed}/hunter2")),
        ("SILENT", silent.url("/hunter2")),
        ("BROKEN", broken.url("/hunter2")),
        ("KEY", KEY.to_owned()),
    ];
    let vars: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let expected = [
        ("discord (BROKEN)", "it answered 500 Internal Server Error: ::error::no, twice"),
        ("slack (DOWN)", "cannot reach it"),
        ("slack (UNSET)", "the variable UNSET is not set"),
        ("teams (SILENT)", "no answer within 10 s"),
        ("webhook (DOWN)", "cannot read its template"),
    ];
    let check = |words: &[&str], moment: &str| {
        let ended = run(&project, words, &vars).is(0);
        let text = std::fs::read_to_string(project.path(&format!(".windlass/{}.md", words[0]))).unwrap();
        assert!(!ended.all().contains("hunter2") && !text.contains("hunter2"), "{}", ended.all());
        let reasons = ended.document["reasons"].as_array().unwrap().clone();
        let told: Vec<_> = reasons.iter().filter(|reason| reason["what"] == "announcement").collect();
        assert_eq!(told.len(), expected.len(), "{reasons:#?}");
        for (reason, (name, why)) in told.iter().zip(expected) {
            let line = reason["why"].as_str().unwrap();
            assert!(
                line.starts_with(&format!("{name} was not told `{moment}`: ")) && line.contains(why),
                "{line}"
            );
            assert!(text.contains(&name.replace('(', "\\(").replace(')', "\\)")), "{text}");
        }
        assert_eq!(ended.document["outcome"], "passed");
    };
    check(&["deploy"], "live");
    project.build("v2", "");
    check(&["deploy"], "live");
    check(&["rollback"], "rolled-back");
    assert_eq!(project.live(), Some(1));
    assert_eq!(broken.got().len(), 6, "each was tried twice");
}

#[test]
fn without_a_network_nobody_is_told_and_that_is_said() {
    let hook = Receiver::new(taken());
    let project = project("  - webhook: { url: HOOK, secret: KEY }\n");
    let url = hook.url("/hook");
    let vars = [("HOOK", url.as_str()), ("KEY", KEY)];
    // The verdict needs the network, too.
    run(&project, &["deploy", "--offline"], &vars).is(3).says("1 receiver is not told of this: --offline");
    run(&project, &["rollback", "--plan"], &vars);
    assert_eq!(hook.got().len(), 0);
}

#[test]
fn a_secret_in_the_policy_is_refused_before_anything_and_not_shown() {
    let project = project("  - slack: https://hooks.slack.com/services/T0/B0/hunter2\n");
    let ended = run(&project, &["deploy"], &[]).is(2).says("policy.notify").says("whoever has it can post");
    assert!(!ended.all().contains("hunter2"), "{}", ended.all());
    assert!(project.history().is_none_or(|history| history.rollouts.is_empty()));
}
