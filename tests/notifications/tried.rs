//! `windlass notify`: everybody is tried, and who failed is said.

use crate::receiver::{Receiver, Reply};
use crate::{project, run};

#[test]
fn a_test_goes_to_all_and_says_who_did_not_take_it() {
    let good = Receiver::new(vec![Reply::Answer("204 No Content\r\n", "")]);
    let bad = Receiver::new(vec![Reply::Answer("404 Not Found\r\n", "no_team")]);
    let project = project("  - discord: GOOD\n    on: stuck\n  - slack: BAD\n  - teams: UNSET\n");
    let (good_url, bad_url) = (good.url("/a"), bad.url("/b"));
    let vars = [("GOOD", good_url.as_str()), ("BAD", bad_url.as_str())];
    let ended = run(&project, &["notify"], &vars).is(3);
    let receivers = &ended.document["receivers"];
    assert_eq!((&receivers[0]["name"], &receivers[0]["told"]), (&"discord (GOOD)".into(), &true.into()));
    assert_eq!(receivers[1]["why"], "it answered 404 Not Found: no_team");
    assert_eq!(receivers[2]["why"], "the variable UNSET is not set: give it to this job");
    assert!(good.got()[0].body.contains("nothing was released"), "{:?}", good.got());

    let vars = [("GOOD", good_url.as_str()), ("BAD", good_url.as_str()), ("UNSET", good_url.as_str())];
    run(&project, &["notify"], &vars).is(0);
    assert_eq!(good.got().len(), 4);
}

#[test]
fn a_plan_and_a_test_without_a_network_tell_nobody() {
    let good = Receiver::new(vec![Reply::Answer("200 OK\r\n", "")]);
    let url = good.url("/a");
    let project = project("  - discord: GOOD\n");
    run(&project, &["notify", "--plan"], &[("GOOD", &url)]).is(0);
    run(&project, &["notify", "--offline"], &[("GOOD", &url)]).is(3).says("--offline forbids the network");
    assert_eq!(good.got().len(), 0);
    project.policy("notify:\n  - discord: GOOD\n", "");
    run(&project, &["notify"], &[]).is(2).says("names nobody to tell");
}
