//! The reusable pipeline from commit to production.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::act::{self, Ran};
use crate::consumer::Consumer;
use crate::register::{By, executed};

/// All jobs of the caller's workflow, when all is well.
pub(crate) const ALL: [(&str, &str); 8] = [
    ("build and test", "success"),
    ("provenance", "success"),
    ("scan", "success"),
    ("dev", "success"),
    ("staging", "success"),
    ("production", "success"),
    ("verdict", "success"),
    ("after", "success"),
];

/// The jobs before an environment, that one failed, and what never began. The emulator stops where a called workflow fails,
/// so that not even `verdict` is seen; `the_order_of_the_jobs_is_by_their_needs` looks at what GitHub goes by.
pub(crate) fn failed_in(environment: &str) -> Vec<(&'static str, &'static str)> {
    let mut jobs: Vec<(&str, &str)> = Vec::new();
    for (job, result) in ALL {
        if job == environment {
            jobs.push((job, "failure"));
            break;
        }
        jobs.push((job, result));
    }
    jobs
}

#[test]
fn a_release_goes_the_whole_way_and_what_does_not_hold_is_stopped_or_put_back() {
    if !act::is_here() {
        return;
    }
    let shop = Consumer::new();
    let first = goes_from_commit_to_production(&shop);
    staging_that_fails_blocks_production(&shop);
    let back = what_fails_its_health_check_is_put_back(&shop);
    executed(By::Way, &[first, back]);
    a_forged_artifact_goes_nowhere(&shop);
    rolls_back_by_hand(&shop);
}

fn goes_from_commit_to_production(shop: &Consumer) -> Ran {
    let ran = shop.push();
    ran.jobs_are(&ALL);
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    shop.serves(&[("dev", "v1 is well"), ("staging", "v1 is well"), ("production", "v1 is well")]);
    // Each environment is recorded: begun, under way, live.
    let records = shop.api.lines().into_iter().filter(|line| line.starts_with("POST "));
    assert_eq!(records.count(), 9, "{:?}", shop.api.lines());
    // Outputs reach the caller's later job.
    let after = shop.stored("after");
    let words: Vec<&str> = after.split_whitespace().collect();
    assert_eq!(words[..2], ["passed", "r1"], "{after}");
    assert!(words[2].starts_with("sha256:"), "{after}");
    assert_eq!(words[3], "windlass-evidence-production");
    // What was attested is the archive that was deployed.
    let archive = fs::read(shop.path("store/artifacts/windlass-release/release.tar")).unwrap();
    let digest = windlass_domain::digest::Digest::of(&archive).to_string();
    assert_eq!(shop.stored("attested"), format!("{digest} release.tar\n"));
    assert!(shop.stored("cache/keys").starts_with("windlass-Linux-"));
    // The evidence of every job went on to the next: the last one holds all of it.
    let evidence = shop.stored("artifacts/windlass-evidence-production/evidence.intoto.jsonl");
    let mut kinds = kinds(&evidence);
    kinds.dedup();
    let names: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let wanted =
        ["scan/v1", "test-result/v0.1", "verification_summary/v1", "deploy/v1", "verification_summary/v1"];
    assert_eq!(names[..5], wanted, "{names:?}");
    assert_eq!(names.last().copied(), Some("health/v1"), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "deploy/v1").count(), 3, "{names:?}");
    ran
}

/// The last two parts of each statement's predicate type, in order.
fn kinds(evidence: &str) -> Vec<String> {
    let of = |line: &str| {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let payload = envelope.get("payload").and_then(Value::as_str).unwrap();
        let statement: Value = serde_json::from_slice(&base64(payload)).unwrap();
        let kind = statement.get("predicateType").and_then(Value::as_str).unwrap().to_owned();
        let parts: Vec<&str> = kind.rsplitn(3, '/').take(2).collect();
        format!("{}/{}", parts[1], parts[0])
    };
    evidence.lines().map(of).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = ALPHABET.iter().position(|known| *known == letter).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap());
        }
    }
    bytes
}

fn staging_that_fails_blocks_production(shop: &Consumer) {
    shop.edit("shop.py", "WEAK_IN = \"\"", "WEAK_IN = \"staging\"");
    shop.commit("v2");
    let ran = shop.push();
    ran.jobs_are(&failed_in("staging")).says("staging was put back as it was");
    ran.step_is("staging: Deploy", Some("failure"))
        .step_is("staging: Put it back, as it is not healthy", None);
    assert_ne!(ran.code, Some(0));
    shop.serves(&[("dev", "v2"), ("staging", "v1"), ("production", "v1")]);
    // The evidence of the failure is kept, too.
    let evidence = shop.stored("artifacts/windlass-evidence-staging/evidence.intoto.jsonl");
    assert_eq!(kinds(&evidence).last().map(String::as_str), Some("deploy/v1"));
    shop.edit("shop.py", "WEAK_IN = \"staging\"", "WEAK_IN = \"\"");
}

fn what_fails_its_health_check_is_put_back(shop: &Consumer) -> Ran {
    shop.write("after-commit.sh", "touch \"$STUB_STORE/sick-v3\"\n");
    shop.commit("v3");
    let ran = shop.push();
    ran.jobs_are(&failed_in("production"));
    ran.step_is("production: Deploy", Some("success"));
    ran.step_is("production: Look whether it stays healthy", Some("failure"));
    ran.step_is("production: Put it back, as it is not healthy", Some("success"));
    ran.step_is("production: Put it back, as the run was cancelled", None);
    shop.serves(&[("staging", "v3"), ("production", "v1 is well")]);
    let evidence = shop.stored("artifacts/windlass-evidence-production/evidence.intoto.jsonl");
    assert!(kinds(&evidence).contains(&"rollback/v1".to_owned()), "{:?}", kinds(&evidence));
    shop.write("after-commit.sh", "");
    // Nothing is held: the next release goes there.
    shop.commit("v4");
    shop.push().jobs_are(&ALL);
    shop.serves(&[("production", "v4 is well")]);
    ran
}

fn a_forged_artifact_goes_nowhere(shop: &Consumer) {
    shop.commit("v5");
    // Somebody changes what lies between the jobs.
    let between = shop.path("store/between");
    let forge = "#!/bin/sh\nif [ \"$1\" = windlass-release ]; then echo x >>\"$2/release.tar\"; fi\n";
    fs::write(&between, forge).unwrap();
    fs::set_permissions(&between, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = shop.push();
    ran.jobs_are(&[
        ("build and test", "success"),
        ("provenance", "success"),
        ("scan", "failure"),
        ("verdict", "failure"),
    ]);
    ran.says("the release is not the one that was built").step_is("scan: Scan", None);
    // Somebody exchanges evidence for that of another release.
    let old = shop.path("store/old-evidence");
    fs::write(
        &old,
        "{\"payloadType\":\"application/vnd.in-toto+json\",\"payload\":\"e30=\",\"signatures\":[]}\n",
    )
    .unwrap();
    let forge = format!(
        "#!/bin/sh\ncase $1 in windlass-evidence-staging) cp '{}' \"$2/evidence.intoto.jsonl\" ;; esac\n",
        old.display()
    );
    fs::write(&between, forge).unwrap();
    let ran = shop.push();
    ran.jobs_are(&failed_in("production")).step_is("production: Judge", Some("failure"));
    ran.step_is("production: Deploy", None);
    shop.serves(&[("staging", "v5"), ("production", "v4")]);
    fs::remove_file(between).unwrap();
}

/// `rollback.yml`, copied into the repository as its header says.
fn rolls_back_by_hand(shop: &Consumer) {
    fs::copy(
        shop.path("export/.github/workflows/rollback.yml"),
        shop.path("repo/.github/workflows/rollback.yml"),
    )
    .unwrap();
    shop.commit("v6");
    shop.push().jobs_are(&ALL);
    let words = |plan: &str| {
        let inputs = [("environment", "production"), ("to", ""), ("reason", "wrong prices"), ("plan", plan)];
        inputs.map(|(name, value)| format!("{name}={value}"))
    };
    let dispatch = |plan: &str| {
        let inputs = words(plan);
        let more: Vec<&str> = inputs.iter().flat_map(|input| ["--input", input]).collect();
        shop.run("workflow_dispatch", "rollback.yml", &more)
    };
    dispatch("true").jobs_are(&[("production", "success")]);
    shop.serves(&[("production", "v6")]);
    let ran = dispatch("false");
    ran.jobs_are(&[("production", "success")]);
    executed(By::Hand, &[ran]);
    shop.serves(&[("production", "v4"), ("staging", "v6")]);
    // The next push finds it on hold.
    shop.commit("v7");
    let ran = shop.push();
    ran.jobs_are(&failed_in("production")).says("wrong prices");
    shop.serves(&[("production", "v4")]);
}

#[test]
fn production_waits_for_an_approval_and_goes_on_with_one_that_was_signed() {
    if !act::is_here() {
        return;
    }
    let mut shop = Consumer::new();
    shop.edit(
        "windlass.yml",
        "    needs: [staging]\n",
        "    needs: [staging]\n    approval: { from: [\"key:ana\"] }\n",
    );
    shop.commit("v1");
    let ran = shop.push();
    ran.jobs_are(&failed_in("production")).step_is("production: Deploy", None);
    ran.says("nobody has approved yet");
    // The plan is told, as it is what is to be approved.
    let plan: Value =
        serde_json::from_str(&shop.stored("artifacts/windlass-evidence-production/deploy.json")).unwrap();
    let plan = plan.get("plan").and_then(Value::as_str).unwrap();
    let artifact: Value =
        serde_json::from_str(&shop.stored("artifacts/windlass-evidence-production/gate-check.json")).unwrap();
    let artifact = artifact.get("artifact").and_then(Value::as_str).unwrap();
    let key = shop.path("keys/ana/windlass.key").display().to_string();
    let words = [
        "approve",
        "-e",
        "production",
        "--plan",
        plan,
        "--artifact",
        artifact,
        "--signing-key",
        &key,
        "--evidence",
    ];
    let approved = shop.windlass(&[&words[..], &["../approval"]].concat());
    assert!(approved.status.success(), "{approved:?}");
    let approval = fs::read_to_string(shop.path("approval")).unwrap();
    shop.set("--var", "WINDLASS_APPROVALS", approval.trim_end());
    shop.push().jobs_are(&ALL);
    shop.serves(&[("production", "v1")]);
}
