//! A repository whose pipeline `windlass init` wrote, with a small service, and a machine that runs the pipeline's jobs.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::read::{READERS, Reader};
use crate::steps::{self, Ended, Given, Job, Runner};

pub(crate) const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];

/// Where Debian and others put programs.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A release of it answers with its label, is unhealthy while a file of its label is there, and one called `crash…` ends
/// as it starts.
const SERVICE: &str = r#"import http.server, os, pathlib, sys

LABEL = "@label@"
SICK = pathlib.Path("@marks@/sick-" + LABEL)


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = LABEL.encode()
        self.send_response(500 if self.path == "/healthz" and SICK.exists() else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


if LABEL.startswith("crash"):
    sys.exit("no database")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Service).serve_forever()
"#;

/// Its tests, in place of pytest.
const TEST: &str = "#!/bin/sh\nset -eu\nrm -rf reports\nmkdir reports\npython3 -m py_compile app.py\n\
    echo '<testsuite name=\"shop\" tests=\"1\" failures=\"0\"><testcase classname=\"shop\" name=\"it reads\"/></testsuite>' > reports/junit.xml\n";

/// In front of the real one on PATH: where a test left a label, the release of that label is unhealthy from the moment
/// at which its health is asked for after the deploy.
const SHIM: &str = "#!/bin/sh\nif [ \"$1\" = health-verify ] && [ -f '@marks@/sicken' ]; then\n  \
    mv '@marks@/sicken' \"@marks@/sick-$(cat '@marks@/sicken')\"\nfi\nexec '@windlass@' \"$@\"\n";

pub(crate) struct Project {
    folder: TempDir,
    pub(crate) system: &'static str,
    reader: Reader,
    file: PathBuf,
    trees: usize,
    tree: PathBuf,
    ran: BTreeSet<String>,
}

impl Project {
    pub(crate) fn new(system: &str) -> Self {
        let (system, reader) = READERS.into_iter().find(|(name, _)| *name == system).unwrap();
        let folder = tempfile::Builder::new().prefix("wl-").tempdir().unwrap();
        let mut project = Self {
            folder,
            system,
            reader,
            file: PathBuf::new(),
            trees: 0,
            tree: PathBuf::new(),
            ran: BTreeSet::new(),
        };
        for name in ["bin", "marks", "home", "shelf", "repo"] {
            fs::create_dir(project.path(name)).unwrap();
        }
        project.program("bin/windlass", &project.filled(SHIM));
        project.git(&["init", "-q", "-b", "main"]);
        project.write("repo/pyproject.toml", "[project]\nname = \"shop\"\n");
        project.write("repo/app.py", "");
        let init = project.windlass(&["init", "--yes", "--ci", system]);
        assert!(init.status.success(), "{init:?}");
        let told = String::from_utf8(init.stdout).unwrap();
        let written = told.lines().filter_map(|line| line.strip_prefix("wrote ")).next_back().unwrap();
        project.file = project.path("repo").join(written);
        project.hurry();
        project.program("repo/windlass/test.sh", TEST);
        project.write(
            "repo/.gitignore",
            "/.windlass/\n/.cache/\n/dist/\n/reports/\n/release.tar\n__pycache__/\n",
        );
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn filled(&self, text: &str) -> String {
        text.replace("@marks@", &self.path("marks").display().to_string())
            .replace("@windlass@", env!("CARGO_BIN_EXE_windlass"))
    }

    /// The policy as `init` wrote it, on free ports and without its long waits, which a person would have.
    fn hurry(&self) {
        let path = self.path("repo/windlass.yml");
        let mut text = fs::read_to_string(&path).unwrap();
        let changes = [
            ("listen: 127.0.0.1:8080", "listen: 127.0.0.1:0"),
            ("listen: 127.0.0.1:8081", "listen: 127.0.0.1:0"),
            ("listen: 127.0.0.1:8082", "listen: 127.0.0.1:0"),
            ("bake: 1m", "bake: 100ms"),
            ("instances: 2", "instances: 1"),
            ("probes: [{ http: /healthz }]", "probes: [{ http: /healthz, every: 100ms }]"),
            // Nobody sends requests here, and without them an error rate says nothing.
            ("      errors: { at_most: 1% }\n", ""),
        ];
        for (from, to) in changes {
            assert!(text.contains(from), "windlass.yml has no {from:?}:\n{text}");
            text = text.replace(from, to);
        }
        fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(words)
            .current_dir(self.path("repo"))
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The variables of a step: the machine's, and some that a system sets and looks for in what a job leaves running.
    pub(crate) fn vars(&self) -> Vec<(String, String)> {
        let path = |name: &str| self.path(name).display().to_string();
        let mut vars = vec![
            ("PATH", format!("{}:{PATH}", path("bin"))),
            ("HOME", path("home")),
            ("XDG_STATE_HOME", path("state")),
            ("XDG_CACHE_HOME", path("cache")),
            ("USER", "ada".to_owned()),
            ("BUILD_ID", "of-the-build".to_owned()),
            ("JENKINS_NODE_COOKIE", "of-the-build".to_owned()),
            ("RUNNER_TRACKING_ID", "of-the-build".to_owned()),
            ("VSTS_PROCESS_LOOKUP_ID", "of-the-build".to_owned()),
            ("CI_COMMIT_SHA", self.commit()),
        ];
        match self.system {
            "github" => vars.extend([
                ("GITHUB_ACTIONS", "true".to_owned()),
                ("GITHUB_ACTOR", "ada".to_owned()),
                ("GITHUB_OUTPUT", path("home/output")),
                ("GITHUB_STEP_SUMMARY", path("home/summary")),
            ]),
            "gitlab" => {
                vars.extend([("GITLAB_CI", "true".to_owned()), ("GITLAB_USER_LOGIN", "ada".to_owned())]);
            }
            _ => {}
        }
        vars.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn commit(&self) -> String {
        let head = fs::read_to_string(self.path("repo/.git/refs/heads/main")).unwrap_or_default();
        head.trim().to_owned()
    }

    /// The tool itself, in the repository.
    pub(crate) fn windlass(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(words).current_dir(self.path("repo")).env_clear().envs(self.vars());
        command.env_remove("GITHUB_ACTIONS").env_remove("GITLAB_CI").output().unwrap()
    }

    /// A version of this label is pushed.
    pub(crate) fn push(&self, label: &str) {
        self.write("repo/app.py", &self.filled(SERVICE).replace("@label@", label));
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", label]);
    }

    /// From now on that release is unhealthy once it is deployed.
    pub(crate) fn sicken(&self, label: &str) {
        self.write("marks/sicken", label);
    }

    /// It is well again.
    pub(crate) fn heal(&self, label: &str) {
        fs::remove_file(self.path("marks").join(format!("sick-{label}"))).unwrap();
    }

    pub(crate) fn jobs(&self, given: &Given<'_>) -> Vec<Job> {
        (self.reader)(&fs::read_to_string(&self.file).unwrap(), given)
    }

    /// Runs a job in a work tree of its own.
    pub(crate) fn run(&mut self, name: &str, given: &Given<'_>) -> Ended {
        let jobs = self.jobs(given);
        let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        let job =
            jobs.iter().find(|job| job.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}"));
        if !job.goes_on {
            self.tree = self.check_out();
        }
        let (shelf, vars) = (self.path("shelf"), self.vars());
        Runner { shelf: &shelf, vars: &vars }.run(job, &self.tree, &mut self.ran)
    }

    /// A fresh clone, in a folder of its own.
    pub(crate) fn check_out(&mut self) -> PathBuf {
        self.trees += 1;
        let tree = self.path(&format!("work-{}", self.trees)).join("tree");
        let origin = self.path("repo").display().to_string();
        self.git(&["clone", "-q", &origin, &tree.display().to_string()]);
        tree
    }

    /// What was not run of the pipeline.
    pub(crate) fn left(&self, given: &[Given<'_>]) -> Vec<String> {
        let all = given.iter().flat_map(|given| steps::labels(&self.jobs(given)));
        all.filter(|label| !self.ran.contains(label)).collect()
    }

    /// What an environment serves.
    pub(crate) fn answer(&self, environment: &str) -> String {
        let status = self.windlass(&["status", "-e", environment, "--format", "json"]);
        let document: Value = serde_json::from_slice(&status.stdout).unwrap();
        let address = document.pointer("/environments/0/address").and_then(Value::as_str);
        address.map_or_else(|| format!("nobody listens: {document}"), get)
    }

    /// The environment of each agent's process.
    pub(crate) fn agents(&self) -> Vec<String> {
        let of = |name: &&str| {
            let log = self.path("state/windlass/shop").join(name).join("agent.log");
            let log = fs::read_to_string(log).ok()?;
            let line = log.lines().rev().find(|line| line.contains("the agent is there"))?.to_owned();
            let line: Value = serde_json::from_str(&line).unwrap();
            fs::read(format!("/proc/{}/environ", line["pid"])).ok()
        };
        let agents = ENVIRONMENTS.iter().filter_map(of);
        agents.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', "\n")).collect()
    }
}

/// One `GET /`: the body.
fn get(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or(text)
}

impl Drop for Project {
    fn drop(&mut self) {
        for name in ENVIRONMENTS {
            // Where no agent runs there is nothing to end.
            drop(self.windlass(&["stop", "-e", name, "--instances"]));
        }
    }
}
