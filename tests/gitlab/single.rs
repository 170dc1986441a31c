//! Components included one by one: who must agree, what is signed, what is refused, and how the tool is found.

use serde_json::Value;

use crate::consumer::{Consumer, tools_are_here};

const POLICY: &str = r#"version: 1
app: shop
release:
  artifact: dist/
keys:
  pipeline: { public: KEYS/pipeline/windlass.pub }
  ana: { public: KEYS/ana/windlass.pub, signs: [approval], owner: boss@example.org }
environments:
  live:
    approval: { count: 1, from: ["key:ana"] }
    target:
      kind: host
      root: ROOT/live
      listen: 127.0.0.1:0
      run: [bin/shop, --port, "{port}"]
      instances: 1
      ready: { http: /healthz, within: 20s }
      drain: 1s
      stop: 2s
    strategy: blue-green
    verify: { probes: [{ http: /healthz, every: 100ms }], within: 20s }
"#;

const PIPELINE: &str = r#"stages: [build, test, deploy]
include:
  - component: COMPONENT/security-scan@VERSION
    inputs: { only: secrets, signing-key-variable: SHOP_KEY }
  - component: COMPONENT/deploy@VERSION
    inputs: { environment: live, job-suffix: -plan, plan: true, gate: false, signing-key-variable: SHOP_KEY }
  - component: COMPONENT/deploy@VERSION
    inputs: { environment: live, when: manual, tier: production, signing-key-variable: SHOP_KEY }
  - component: COMPONENT/health-verify@VERSION
    inputs: { environment: live, when: manual, signing-key-variable: SHOP_KEY }
  - component: COMPONENT/rollback@VERSION
    inputs: { environment: live, signing-key-variable: SHOP_KEY, no-hold: true }

build:
  stage: build
  script: ["mkdir -p dist/bin", "install -m 755 src/shop dist/bin/shop"]
  artifacts: { paths: [dist/] }
"#;

fn shop() -> Consumer {
    let shop = Consumer::new(POLICY, PIPELINE);
    for name in ["pipeline", "ana"] {
        let out = shop.path("keys").join(name);
        shop.windlass(&["keygen", "--name", name, "--out", out.to_str().unwrap()]).is(0);
    }
    let keys = shop.path("keys");
    let text = std::fs::read_to_string(shop.path("shop/windlass.yml")).unwrap();
    shop.write("shop/windlass.yml", &text.replace("KEYS", keys.to_str().unwrap()));
    shop.version("v1", "");
    shop
}

#[test]
fn a_release_waits_for_the_approval_that_somebody_signs_and_is_signed_itself() {
    if !tools_are_here() {
        return;
    }
    let shop = shop();
    let key = format!("SHOP_KEY={}", shop.path("keys/pipeline/windlass.key").display());
    // A key that is named and is not there: not unsigned, but wrong.
    let ended = shop.run(&["build", "security-scan", "--needs"]).is(1);
    ended.failed("security-scan", 2).says("this job has no variable SHOP_KEY to sign with");

    // The plan is there, and says that it waits.
    let ended = shop.run(&["--variable", &key, "build", "security-scan", "deploy-plan"]).is(1);
    ended.failed("deploy-plan", 4).ran(&["build", "security-scan", "deploy-plan"]);
    assert_eq!(shop.answer("live"), "nobody listens");
    let plan = shop.document("deploy-plan", ".windlass/deploy.json");
    let plan = plan.pointer("/plan").and_then(Value::as_str).unwrap().to_owned();

    let press = ["--manual", "deploy", "--variable", &key, "deploy"];
    let ended = shop.run(&press).is(1).failed("deploy", 4).says("approval");
    ended.ran(&["deploy"]);
    assert!(!shop.path("state").exists(), "nothing was begun");

    // What a person signs at home, and gives to whoever presses the button.
    let dist = shop.path("shop/.gitlab-ci-local/artifacts/build/dist");
    let (evidence, ana) = (shop.path("home/approval"), shop.path("keys/ana/windlass.key"));
    let words = ["approve", "-e", "live", "--plan", &plan, "--artifact", dist.to_str().unwrap()];
    let more = ["--evidence", evidence.to_str().unwrap(), "--signing-key", ana.to_str().unwrap()];
    shop.windlass(&[&words[..], &more[..]].concat()).is(0);
    let approval = format!("WINDLASS_APPROVAL={}", std::fs::read_to_string(evidence).unwrap().trim());
    shop.run(&[&["--variable", &approval], &press[..]].concat()).is(0).ran(&["deploy"]);
    assert!(shop.answer("live").contains("v1"));
    let told = std::fs::read_to_string(
        shop.path("shop/.gitlab-ci-local/artifacts/deploy/.windlass/evidence.intoto.jsonl"),
    )
    .unwrap();
    assert!(told.lines().count() >= 3, "scan, gate and deploy: {told}");
    assert!(told.lines().all(|line| line.contains("\"signatures\":[{")), "{told}");

    let ended = shop.run(&["--manual", "health-verify", "--variable", &key, "health-verify"]).is(0);
    ended.ran(&["health-verify"]);
    // There is nothing to go back to: told as such, and the release serves on.
    let ended = shop.run(&["--manual", "rollback", "--variable", &key, "rollback"]);
    assert_ne!(ended.code, 0, "{}", ended.told);
    assert!(shop.answer("live").contains("v1"));
}

#[test]
fn an_input_that_is_wrong_is_refused_before_anything_runs() {
    if !tools_are_here() {
        return;
    }
    let cases = [
        ("deploy", "", "`environment` input: required value has not been provided"),
        ("deploy", "environment: 'a b'", "does not match required regex"),
        ("deploy", "environment: live, plan: maybe", "provided value is not a boolean"),
        ("deploy", "environment: live, tier: prod", "not in the list of allowed options"),
        ("deploy", "environment: live, when: sometimes", "not in the list of allowed options"),
        ("deploy", "environment: live, signing-key-variable: $KEY", "does not match required regex"),
        ("rollback", "environment: live, after: deploy", "not in the list of allowed options"),
        ("security-scan", "fail-on: bad", "not in the list of allowed options"),
        ("health-verify", "environment: live, tags: windlass", "provided value is not a array"),
        ("pipeline", "build: [make]", "`test` input: required value has not been provided"),
    ];
    for (component, inputs, told) in cases {
        let pipeline =
            format!("include:\n  - component: COMPONENT/{component}@VERSION\n    inputs: {{ {inputs} }}\n");
        let shop = Consumer::new("version: 1\n", &pipeline);
        shop.version("v1", "");
        let ended = shop.run(&[]);
        assert_ne!(ended.code, 0, "{component} {inputs}: {}", ended.told);
        ended.says(told).ran(&[]);
    }
}

#[test]
fn a_tool_that_is_nowhere_or_in_another_version_is_not_replaced_by_one_that_is() {
    if !tools_are_here() {
        return;
    }
    let pipeline =
        "include:\n  - component: COMPONENT/security-scan@VERSION\n    inputs: { only: secrets }\n";
    let shop = Consumer::new("version: 1\n", pipeline);
    shop.version("v1", "");
    // The manifest of this tree names no release, so that nothing is downloaded either.
    shop.tool_says("security-scan", "security-scan 0.0.1");
    shop.run(&[]).is(1).failed("security-scan", 3).says("has no release for");
}
