//! The emulator `act` in host mode: how it is called, and what it says of jobs and steps. It leaves out silently what it
//! cannot run, so a test compares all jobs that ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The version that `.ci/run` installs.
const VERSION: &str = "0.2.89";

/// Whether the emulator and the services' language are here; with `WINDLASS_REQUIRE_TOOLS=1` it is a failure when not.
pub(crate) fn is_here() -> bool {
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let version = Command::new("act").arg("--version").output();
    let has_act = version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION));
    let has_python =
        Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    let is_here = has_act && has_python;
    assert!(
        is_here || !is_required,
        "missing: act {VERSION} (there: {has_act}), python3 (there: {has_python})"
    );
    if !is_here {
        eprintln!("skipped: install python3, and act by `go install github.com/nektos/act@v{VERSION}`");
    }
    is_here
}

/// How a run of a workflow ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// Every job that ran to its end, and its result.
    pub(crate) jobs: BTreeMap<String, String>,
    /// Every step that ran, as `job: step`, and its result; not the steps of composite actions.
    pub(crate) steps: BTreeMap<String, String>,
    /// Every step of a composite action that ran, as `job: step/its step`, by their ids.
    pub(crate) inner: BTreeSet<String>,
    /// Everything that was said, a line each, with the job before it.
    pub(crate) log: String,
}

impl Ran {
    fn of(code: Option<i32>, said: &str) -> Self {
        let mut ran = Self {
            code,
            jobs: BTreeMap::new(),
            steps: BTreeMap::new(),
            inner: BTreeSet::new(),
            log: String::new(),
        };
        for line in said.lines() {
            ran.read(line);
        }
        ran
    }

    fn read(&mut self, line: &str) {
        let Ok(said) = serde_json::from_str::<Value>(line) else {
            self.log.push_str(line);
            self.log.push('\n');
            return;
        };
        let word = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default().trim();
        // `release/windlass pipeline/scan` is the job scan; the caller's own jobs have two parts.
        let job = word("job").rsplit('/').next().unwrap_or_default();
        self.log.push_str(&format!("{job} | {} | {}\n", word("step"), word("msg")));
        if !word("jobResult").is_empty() {
            self.jobs.insert(job.to_owned(), word("jobResult").to_owned());
        }
        let ids: Vec<&str> = match said.get("stepID").and_then(Value::as_array) {
            Some(ids) => ids.iter().filter_map(Value::as_str).collect(),
            None => Vec::new(),
        };
        if word("stepResult").is_empty() || word("stage") != "Main" {
            return;
        }
        if ids.len() == 1 {
            self.steps.insert(format!("{job}: {}", word("step")), word("stepResult").to_owned());
        } else {
            self.inner.insert(format!("{job}: {}", ids.join("/")));
        }
    }

    /// Exactly these jobs ran, with these results.
    #[track_caller]
    pub(crate) fn jobs_are(&self, jobs: &[(&str, &str)]) -> &Self {
        let seen: Vec<(&str, &str)> =
            self.jobs.iter().map(|(job, result)| (job.as_str(), result.as_str())).collect();
        let mut wanted = jobs.to_vec();
        wanted.sort_unstable();
        assert_eq!(seen, wanted, "{}", self.log);
        self
    }

    #[track_caller]
    pub(crate) fn step_is(&self, step: &str, result: Option<&str>) -> &Self {
        assert_eq!(self.steps.get(step).map(String::as_str), result, "{step}\n{}", self.log);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.log.contains(text), "{text:?} is not in:\n{}", self.log);
        self
    }
}

/// The actions of others that workflows refer to, by what they are mapped to here.
const STAND_INS: [&str; 5] =
    ["upload-artifact", "download-artifact", "cache", "attest-build-provenance", "crates-io-auth-action"];

/// A clean export of what the tree ships for GitHub, and the words that have the emulator find it.
pub(crate) fn export(to: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    copy(&root.join("actions"), &to.join("actions"));
    copy(&root.join(".github/workflows"), &to.join(".github/workflows"));
    let stand_ins = root.join("tests/github/stubs").canonicalize().unwrap();
    let mut words = Vec::new();
    for entry in fs::read_dir(to.join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for reference in references(&text) {
            words.extend(mapped(&reference, to, &stand_ins));
        }
        // It knows no queue yet, and does not enforce concurrency at all.
        fs::write(&path, text.replace("      queue: max\n", "")).unwrap();
    }
    words.extend(mapped("windlass-dev/windlass@v1", to, &stand_ins));
    words.sort();
    words.dedup();
    words.into_iter().flat_map(|word| ["--local-repository".to_owned(), word]).collect()
}

/// What stands behind `uses:`, as `owner/name@ref`.
fn references(workflow: &str) -> Vec<String> {
    let uses =
        workflow.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    uses.map(|used| {
        let (path, version) = used.split_whitespace().next().unwrap().split_once('@').unwrap();
        let owner: Vec<&str> = path.splitn(3, '/').take(2).collect();
        format!("{}@{version}", owner.join("/"))
    })
    .collect()
}

fn mapped(reference: &str, export: &Path, stand_ins: &Path) -> Option<String> {
    let (repository, _) = reference.split_once('@').unwrap();
    let folder = match repository {
        "windlass-dev/windlass" => export.to_owned(),
        // The emulator does that itself.
        "actions/checkout" => return None,
        other => {
            let name = other.rsplit('/').next().unwrap_or(other);
            STAND_INS.contains(&name).then(|| stand_ins.join(name))?
        }
    };
    Some(format!("{reference}={}", folder.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A run under way. What it says goes to a file: nobody has to read it meanwhile.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn end(mut self) -> Ran {
        let code = self.child.wait().unwrap().code();
        Ran::of(code, &String::from_utf8_lossy(&fs::read(self.log).unwrap()))
    }
}

/// Where a run happens.
pub(crate) struct Runner {
    pub(crate) repository: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) mapping: Vec<String>,
    /// Variables and secrets: `--var`, `--secret` and their words.
    pub(crate) settings: Vec<String>,
}

impl Runner {
    /// Starts a workflow for an event. Nothing of this test's own environment reaches it but where programs are.
    pub(crate) fn start(&self, event: &str, workflow: &str, more: &[&str]) -> Running {
        let log = self.home.join("act.log");
        let file = fs::File::create(&log).unwrap();
        let mut act = Command::new("act");
        act.arg(event).args(["--workflows", &format!(".github/workflows/{workflow}"), "--json"]);
        for label in ["ubuntu-24.04", "self-hosted", "shop"] {
            act.args(["--platform", &format!("{label}=-self-hosted")]);
        }
        act.args(&self.mapping).arg("--action-cache-path").arg(self.home.join("actions"));
        act.args(["--env", &format!("STUB_STORE={}", self.store.display())]);
        act.args(&self.settings).args(more).current_dir(&self.repository).env_clear();
        act.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", &self.home).env("LANG", "C.UTF-8");
        act.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Running { child: act.spawn().unwrap(), log }
    }
}
