//! Pipelines of somebody who includes the components, run whole: from a commit to production and back.

use std::fs;

use crate::consumer::{Consumer, tools_are_here};

/// An environment on this host, whose health is that a file is not there.
fn environment(name: &str, needs: &str, gates: &str) -> String {
    format!(
        r#"  {name}:
    {needs}
    gates: {gates}
    evidence: unsigned
    target:
      kind: host
      root: ROOT/{name}
      listen: 127.0.0.1:0
      run: [bin/shop, --port, "{{port}}"]
      instances: 1
      ready: {{ http: /healthz, within: 20s }}
      drain: 1s
      stop: 2s
    strategy: blue-green
    verify:
      probes: [{{ command: [sh, -c, "test ! -e ROOT/{name}-is-broken"], every: 100ms }}]
      within: 20s
"#
    )
}

fn policy() -> String {
    let gates = r#"{ tests.failed: "== 0", tests.total: ">= 1", secrets: "== 0" }"#;
    format!(
        "version: 1\napp: shop\nrelease:\n  artifact: dist/\nenvironments:\n{}{}{}",
        environment("dev", "", gates),
        environment("staging", "needs: [dev]", gates),
        environment("production", "needs: [staging]", "none"),
    )
}

const PIPELINE: &str = r#"include:
  - component: COMPONENT/pipeline@VERSION
    inputs:
      bin: BIN
      build: ["mkdir -p dist/bin", "install -m 755 src/shop dist/bin/shop"]
      test: ["mkdir -p reports", "cp src/junit.xml reports/junit.xml"]

told:
  stage: production
  rules: [{ if: $CI }]
  needs: [dev]
  script:
    - echo "dev is $DEPLOY_OUTCOME at $DEPLOY_URL as $DEPLOY_REVISION"
"#;

const GOOD: &str = r#"<testsuites><testsuite name="shop" tests="1"><testcase name="sells" classname="shop"/></testsuite></testsuites>"#;
const BAD: &str = r#"<testsuites><testsuite name="shop" tests="1" failures="1"><testcase name="sells" classname="shop"><failure message="no"/></testcase></testsuite></testsuites>"#;

/// All that runs by itself.
const TO_STAGING: [&str; 7] = ["build", "test", "scan", "dev", "dev-health", "staging", "staging-health"];

fn shop(label: &str) -> Consumer {
    let consumer = Consumer::new(&policy(), PIPELINE);
    consumer.write("shop/src/junit.xml", GOOD);
    consumer.version(label, "");
    consumer
}

#[test]
fn a_commit_reaches_production_by_hand_and_comes_back_when_it_is_not_healthy() {
    if !tools_are_here() {
        return;
    }
    let shop = shop("v1");
    let whole = shop.run(&[]).is(1).says("production is when:manual, its needed by production-health");
    whole.ran(&[]);
    shop.run(&["--needs", "staging-health", "told"]).is(0).ran(&[&TO_STAGING[..], &["told"]].concat());
    assert!(shop.answer("staging").contains("v1"));
    assert_eq!(shop.answer("production"), "nobody listens", "production waits for a person");
    shop.run(&["--manual", "production", "production"]).is(0).ran(&["production"]);
    shop.run(&["--manual", "production", "production-health"]).is(0).ran(&["production-health"]);
    assert!(shop.answer("production").contains("v1"));

    shop.version("v2", "");
    let jobs = ["--needs", "--manual", "production", "production-health", "production-back", "told"];
    let all = shop.run(&jobs).is(0);
    let all = all.ran(&[&TO_STAGING[..], &["production", "production-health", "told"]].concat());
    // What dev's job put out reached a later one.
    let status = shop.document("dev", ".windlass/dev/deploy.json");
    let revision = status.pointer("/revision").unwrap();
    assert_eq!(revision, 2);
    all.says("dev is passed at http://127.0.0.1:").says("as r2");
    assert!(shop.answer("production").contains("v2"));

    // Health judges no: the job after it goes back, and the environment is on hold.
    fs::write(shop.path("state/production-is-broken"), "").unwrap();
    let ended = shop.run(&["--manual", "production", "production-health", "production-back"]).is(1);
    ended.ran(&["production-health", "production-back"]).failed("production-health", 1);
    assert!(shop.answer("production").contains("v1"));
    assert!(shop.answer("staging").contains("v2"));
    let said = shop.document("production-back", ".windlass/production/rollback.json");
    assert_eq!((&said["outcome"], &said["release"]["sequence"]), (&"passed".into(), &1.into()), "{said}");
    let ended = shop.run(&["--manual", "production", "production"]).is(1);
    ended.failed("production", 4).says("hold");

    // By hand, with a reason that whoever pressed the button typed in.
    let why = "WINDLASS_REASON=wrong prices";
    let ended = shop.run(&["--manual", "staging-rollback", "--variable", why, "staging-rollback"]).is(0);
    ended.ran(&["staging-rollback"]);
    assert!(shop.answer("staging").contains("v1"));
    shop.windlass(&["history", "-e", "staging"]).is(0).says("wrong prices");

    // What stops an environment ends what runs there.
    shop.run(&["--manual", "dev-stop", "dev-stop"]).is(0).ran(&["dev-stop"]);
    assert_eq!(shop.answer("dev"), "nobody listens");
}

#[test]
fn a_release_that_does_not_hold_goes_no_further_and_is_put_back_once() {
    if !tools_are_here() {
        return;
    }
    let shop = shop("v1");
    shop.run(&["--needs", "dev-health"]).is(0);
    shop.version("v2", "");
    shop.run(&["--needs", "dev-health"]).is(0);
    shop.version("v3", "--exit-after 1ms");
    let jobs = ["dev-health", "dev-back", "staging-health"];
    let ended = shop.run(&[&["--needs"], &jobs[..]].concat()).is(1);
    ended.ran(&["build", "test", "scan", "dev"]).failed("dev", 1);
    assert!(shop.answer("dev").contains("v2"), "it went back one release, and not two");
    assert_eq!(shop.answer("staging"), "nobody listens");
}

#[test]
fn a_gate_that_is_not_met_moves_nothing() {
    if !tools_are_here() {
        return;
    }
    let shop = shop("v1");
    shop.write("shop/src/junit.xml", BAD);
    shop.commit("A test that fails");
    let ended = shop.run(&["--needs", "staging-health"]).is(1);
    ended.ran(&["build", "test", "scan", "dev"]).failed("dev", 1).says("tests.failed");
    assert!(!shop.path("state").exists(), "nothing was begun");
    let said = shop.document("dev", ".windlass/dev/gate-check.json");
    assert_eq!(said["outcome"], "failed");
}
