//! A repository with a policy, an artifact, keys and evidence, and the binary run in it with nothing of the ambient
//! environment but `PATH`.

#![expect(clippy::unwrap_used, reason = "it is only for tests")]
#![allow(dead_code, unreachable_pub, reason = "each suite uses another part of the bench")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use windlass_domain::digest::Digest;
use windlass_domain::policy::Policy;
use windlass_evidence::artifact;
use windlass_evidence::envelope::Envelope;
use windlass_evidence::sign::Signer;
use windlass_evidence::statement::{Predicate, Statement};
use windlass_evidence::store::Store;

/// What a run came to.
pub struct Run {
    pub code: i32,
    pub document: Value,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The status of the only condition on `metric`.
    pub fn status(&self, metric: &str) -> String {
        let found =
            self.document["conditions"].as_array().into_iter().flatten().find(|one| one["metric"] == metric);
        found.and_then(|one| one["status"].as_str()).unwrap_or("absent").to_owned()
    }
}

pub struct Bench {
    folder: tempfile::TempDir,
    /// Listed, and may sign everything.
    pub trusted: Signer,
    /// Listed, and may sign health verdicts only.
    pub narrow: Signer,
    /// Not listed.
    pub stranger: Signer,
    pub now: Timestamp,
}

const KEYS: &str = "keys:
  ci: { public: ci.pub, signs: [tests, scan, gate, deploy, health, rollback, approval], owner: ci@example.org }
  narrow: { public: narrow.pub, signs: [health] }
";

impl Bench {
    /// A bench whose `production` demands `demands`, each line of it as it stands in the file.
    pub fn new(demands: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = || Signer::generate().unwrap();
        let now = Timestamp::try_from(SystemTime::now()).unwrap();
        let bench = Self { folder, trusted: signer(), narrow: signer(), stranger: signer(), now };
        bench.write("dist/app", b"the release");
        bench.write("ci.pub", bench.trusted.public().to_pem().as_bytes());
        bench.write("narrow.pub", bench.narrow.public().to_pem().as_bytes());
        bench.write("key.pem", bench.trusted.to_pem().expose().as_bytes());
        bench.write("src/a.rs", b"fn old() {}\n");
        bench.policy(demands);
        bench.git(&["init", "-q", "-b", "main"]);
        bench.commit();
        bench.write("src/a.rs", b"fn new() {}\nfn old() {}\n");
        bench.commit();
        bench
    }

    pub fn policy(&self, demands: &str) {
        let target =
            "    target: { kind: host, listen: \"127.0.0.1:0\", run: [app] }\n    strategy: rolling\n";
        let demands: String = demands.lines().map(|line| format!("    {line}\n")).collect();
        let text = format!(
            "version: 1\napp: shop\nrelease:\n  artifact: dist/\n{KEYS}environments:\n  dev:\n    gates: none\n{target}  \
             staging:\n    gates: none\n{target}  production:\n{demands}{target}"
        );
        if let Err(problems) = Policy::parse(&text) {
            panic!("the bench's policy has mistakes: {problems:?}\n{text}");
        }
        self.write("windlass.yml", text.as_bytes());
    }

    pub fn policy_digest(&self) -> Digest {
        Digest::of(&fs::read(self.path("windlass.yml")).unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let done = self.scrubbed("git").args(arguments).output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "src"]);
        self.git(&[
            "-c",
            "user.name=Ana",
            "-c",
            "user.email=ana@example.org",
            "commit",
            "-q",
            "-m",
            "change",
        ]);
    }

    fn scrubbed(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        if let Some(path) = option_env!("PATH") {
            command.env("PATH", path);
        }
        command
    }

    pub fn artifact(&self) -> Digest {
        artifact::digest(&self.path("dist")).unwrap()
    }

    pub fn evidence(&self) -> PathBuf {
        self.path(".windlass/evidence.intoto.jsonl")
    }

    pub fn ago(&self, minutes: i64) -> Timestamp {
        self.now - SignedDuration::from_mins(minutes)
    }

    /// Appends a statement about `artifact`.
    pub fn attest(&self, artifact: Digest, predicate: Predicate, body: Value, signer: Option<&Signer>) {
        let statement = Statement::about(artifact, None, predicate, body);
        Store::append(&self.evidence(), &Envelope::seal(&statement, signer)).unwrap();
    }

    /// The body of a deploy that passed in `environment`.
    pub fn deployed(&self, environment: &str, minutes_ago: i64) -> Value {
        json!({
            "at": self.ago(minutes_ago), "environment": environment, "policy": self.policy_digest(), "outcome": "passed",
        })
    }

    /// The statements of the evidence file.
    pub fn statements(&self) -> Vec<Statement> {
        let store = Store::read(&self.evidence()).unwrap();
        store.lines.into_iter().map(|line| line.content.unwrap().1).collect()
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.scrubbed(env!("CARGO_BIN_EXE_gate-check"));
        let done = command.args(arguments).output().unwrap();
        let stdout = String::from_utf8(done.stdout).unwrap();
        Run {
            code: done.status.code().expect("it ended by itself"),
            document: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// Judges `production`.
    pub fn gate(&self) -> Run {
        self.run(&["-e", "production", "--format", "json", "--base", "HEAD~1", "--signing-key", "key.pem"])
    }
}

/// The bytes of a fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}
