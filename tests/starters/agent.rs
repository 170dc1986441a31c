//! Buildkite's own agent over Buildkite's pipeline: it reads the file and fills it in as for an upload, checks the commit
//! out and runs each step's commands. Only where it would talk to Buildkite, for the artifacts, a script stands in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::PATH;
use crate::project::{ENVIRONMENTS, Project};

/// What the agent's `artifact download` is here: the file that the step of that key left.
const DOWNLOAD: &str = "#!/bin/sh\nset -eu\ncase \"$1 $2 $3 $4 $5\" in\n  'artifact download release.tar . --step') \
    cp \"@shelf@/$6/release.tar\" . ;;\n  *) echo \"the agent was asked for: $*\" >&2; exit 9 ;;\nesac\n";

/// The agent, found on the test's own PATH; `go install` makes it.
fn agent() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test has no context; it reads where programs are")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "as above")]
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("buildkite-agent")).find(|file| file.is_file());
    assert!(found.is_some() || !is_required, "missing: buildkite-agent");
    if found.is_none() {
        eprintln!(
            "skipped: install buildkite-agent (go install github.com/buildkite/agent/v3@v3.45.0, as that name)"
        );
    }
    found
}

struct Steps<'a> {
    agent: &'a Path,
    project: &'a Project,
    steps: Vec<Value>,
}

impl<'a> Steps<'a> {
    /// The steps as the agent would upload them.
    fn of(agent: &'a Path, project: &'a Project) -> Self {
        let output = Command::new(agent)
            .args(["pipeline", "upload", "--dry-run", "--no-color"])
            .arg(project.path("repo/.buildkite/pipeline.yml"))
            .env_clear()
            .envs([("PATH", PATH), ("HOME", "/nonexistent"), ("BUILDKITE_AGENT_ACCESS_TOKEN", "none")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let pipeline: Value = serde_json::from_slice(&output.stdout).unwrap();
        Self { agent, project, steps: pipeline["steps"].as_array().unwrap().clone() }
    }

    fn run(&self, key: &str, vars: &[(&str, &str)]) -> Output {
        let step = self.steps.iter().find(|step| step["key"] == key).unwrap();
        let command = match step.get("commands").unwrap_or(&step["command"]) {
            Value::Array(lines) => {
                lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
            }
            line => line.as_str().unwrap().to_owned(),
        };
        let path = |name: &str| self.project.path(name).display().to_string();
        let mut agent = Command::new("timeout");
        agent.args(["--kill-after=5", "300"]).arg(self.agent).args([
            "bootstrap",
            "--phases",
            "checkout,command",
        ]);
        agent.env_clear().envs(self.project.vars()).stdin(Stdio::null());
        agent.envs([
            ("BUILDKITE", "true"),
            ("BUILDKITE_JOB_ID", key),
            ("BUILDKITE_COMMAND", &command),
            ("BUILDKITE_REPO", &path("repo")),
            ("BUILDKITE_COMMIT", "HEAD"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_AGENT_NAME", "here"),
            ("BUILDKITE_ORGANIZATION_SLUG", "acme"),
            ("BUILDKITE_PIPELINE_SLUG", "shop"),
            ("BUILDKITE_PIPELINE_PROVIDER", "git"),
            ("BUILDKITE_BUILD_CREATOR", "Ada"),
            ("BUILDKITE_BUILD_PATH", &path("builds")),
            ("BUILDKITE_BIN_PATH", &path("agent")),
            ("BUILDKITE_HOOKS_PATH", &path("hooks")),
            ("BUILDKITE_SOCKETS_PATH", &path("sockets")),
            ("BUILDKITE_COMMAND_EVAL", "true"),
            ("BUILDKITE_GIT_SUBMODULES", "false"),
            ("BUILDKITE_SSH_KEYSCAN", "false"),
            ("BUILDKITE_SHELL", "/bin/bash -e -c"),
        ]);
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            agent.env(name, value.as_str().unwrap());
        }
        let output = agent.envs(vars.iter().copied()).output().unwrap();
        if let (true, Some(kept)) = (output.status.success(), step["artifact_paths"].as_str()) {
            let shelf = self.project.path("shelf").join(key);
            fs::create_dir_all(&shelf).unwrap();
            fs::copy(self.project.path("builds/here/acme/shop").join(kept), shelf.join(kept)).unwrap();
        }
        output
    }

    #[track_caller]
    fn passes(&self, key: &str, vars: &[(&str, &str)]) {
        let output = self.run(key, vars);
        assert!(output.status.success(), "{key}: {}", told(&output));
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn buildkites_own_agent_runs_every_step_to_production_and_back() {
    if !crate::are_here(&["git", "python3", "bash", "tar", "timeout"]) {
        return;
    }
    let Some(agent) = agent() else { return };
    let project = Project::new("buildkite");
    for name in ["agent", "builds", "hooks", "sockets"] {
        fs::create_dir(project.path(name)).unwrap();
    }
    let shelf = project.path("shelf").display().to_string();
    project.program("agent/buildkite-agent", &DOWNLOAD.replace("@shelf@", &shelf));
    project.push("v1");
    let steps = Steps::of(&agent, &project);
    for label in ["v1", "v2"] {
        if label == "v2" {
            project.push(label);
        }
        ["build", "dev", "staging", "production"].iter().for_each(|key| steps.passes(key, &[]));
        assert!(ENVIRONMENTS.iter().all(|name| project.answer(name) == label), "{label} is everywhere");
    }
    let production = ("WINDLASS_ENVIRONMENT", "production");
    steps.passes("by-hand", &[("ACTION", "rollback"), production]);
    assert_eq!(project.answer("production"), "v1");
    steps.passes("by-hand", &[("ACTION", "unhold"), production]);
    steps.passes("production", &[]);
    assert_eq!(project.answer("production"), "v2", "held no more");
    project.push("v3");
    steps.passes("build", &[]);
    project.sicken("v3");
    let sick = steps.run("dev", &[]);
    assert!(!sick.status.success(), "{}", told(&sick));
    assert_eq!(project.answer("dev"), "v2", "it was rolled back: {}", told(&sick));
    let wrong = steps.run("by-hand", &[("ACTION", "release"), production]);
    assert!(told(&wrong).contains("ACTION is rollback or unhold"), "{}", told(&wrong));
    assert!(!wrong.status.success());
}
