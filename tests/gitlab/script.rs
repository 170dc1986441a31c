//! `templates/_lib/gitlab.sh`: what it does before the tool, each case with a `run.sh` that only says what it was given.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

struct Job(TempDir);

impl Job {
    fn new() -> Self {
        let job = Self(tempfile::Builder::new().prefix("wl job").tempdir().unwrap());
        let lib = job.path("lib");
        fs::create_dir(&lib).unwrap();
        fs::write(lib.join("gitlab.sh"), include_str!("../../templates/_lib/gitlab.sh")).unwrap();
        fs::write(lib.join("run.sh"), "echo \"ran $*; key: ${WINDLASS_SIGNING_KEY:-none}\"\n").unwrap();
        job
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The exit code, and what was said.
    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
        let mut command = Command::new("bash");
        command.arg(self.path("lib/gitlab.sh")).args(words).env_clear().envs(variables.iter().copied());
        #[expect(clippy::disallowed_methods, reason = "a test has no context; programs are where they are")]
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let output = command.current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }
}

#[test]
fn a_key_is_found_by_the_name_of_its_variable_and_never_left_out() {
    let job = Job::new();
    let named = ("WINDLASS_SIGNING_KEY_VARIABLE", "SHOP_KEY");
    assert_eq!(job.run(&["deploy"], &[named, ("SHOP_KEY", "pem")]), (0, "ran deploy; key: pem\n".into()));
    assert_eq!(job.run(&["deploy"], &[("WINDLASS_SIGNING_KEY", "pem")]).1, "ran deploy; key: pem\n");
    assert_eq!(job.run(&["deploy"], &[]).1, "ran deploy; key: none\n");
    let (code, told) = job.run(&["deploy"], &[named]);
    assert!(code == 2 && told.contains("no variable SHOP_KEY") && !told.contains("ran "), "{code}: {told}");
    for wrong in ["$SHOP_KEY", "A B", "1A", "a;id", "x$(id)", "-----BEGIN PRIVATE KEY-----"] {
        let (code, told) = job.run(&["deploy"], &[("WINDLASS_SIGNING_KEY_VARIABLE", wrong)]);
        assert!(code == 2 && !told.contains("ran ") && !told.contains(wrong), "{wrong}: {code}: {told}");
    }
}

#[test]
fn it_goes_back_only_where_health_judged_no() {
    let job = Job::new();
    let after = ("WINDLASS_AFTER", "health-verify");
    let run = |outcome: &str| job.run(&["rollback"], &[after, ("HEALTH_VERIFY_OUTCOME", outcome)]);
    assert_eq!(run("failed"), (0, "ran rollback; key: none\n".into()));
    assert_eq!(run("passed"), (0, "windlass: nothing is rolled back: the health check passed\n".into()));
    let (code, told) = run("");
    assert!(code == 4 && told.contains("has said anything") && !told.contains("ran "), "{code}: {told}");
    for undecided in ["unknown", "held", "invalid", "failed passed", "FAILED"] {
        let (code, told) = run(undecided);
        assert!(code == 4 && told.contains("could not judge") && !told.contains("ran "), "{code}: {told}");
    }
    // By hand, nobody is asked.
    assert_eq!(job.run(&["rollback"], &[("HEALTH_VERIFY_OUTCOME", "held")]).1, "ran rollback; key: none\n");
}

#[test]
fn an_approval_is_added_once_from_a_variable_or_its_file() {
    let job = Job::new();
    let line = r#"{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}"#;
    fs::write(job.path("approval"), format!("{line}\n")).unwrap();
    fs::create_dir(job.path(".windlass")).unwrap();
    let evidence = job.path(".windlass/evidence.intoto.jsonl");
    fs::write(&evidence, "{\"first\":1}\n").unwrap();
    job.run(&["gate-check"], &[("WINDLASS_APPROVAL", line)]);
    job.run(&["deploy"], &[("WINDLASS_APPROVAL", "approval")]);
    assert_eq!(fs::read_to_string(&evidence).unwrap(), format!("{{\"first\":1}}\n{line}\n"));
    let elsewhere = job.path("new/evidence");
    job.run(&["gate-check"], &[("WINDLASS_APPROVAL", line), ("WINDLASS_EVIDENCE", "new/evidence")]);
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), format!("{line}\n"));
}

#[test]
fn what_an_earlier_job_put_out_is_not_this_jobs_answer() {
    let job = Job::new();
    fs::create_dir_all(job.path("out put")).unwrap();
    for name in ["deploy.env", "gate-check.env"] {
        fs::write(job.path("out put").join(name), "DEPLOY_OUTCOME=passed\n").unwrap();
    }
    job.run(&["deploy"], &[("WINDLASS_REPORT_DIR", "out put")]);
    assert!(!job.path("out put/deploy.env").exists() && job.path("out put/gate-check.env").exists());
}
