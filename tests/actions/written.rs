//! `actions/*/action.yml` and `actions/README.md` are written from the tools' own flags, so that an input is the flag of
//! its name. `WINDLASS_BLESS=1 cargo test -p windlass --test actions` writes them again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Command;

use crate::flags::{Flag, Takes, flags, quoted};
use crate::hold::hold;

/// An action: its folder, what it says of itself, and the tool whose flags are its inputs.
struct Action {
    name: &'static str,
    about: &'static str,
    icon: &'static str,
    flags: Option<Command>,
    /// Outputs beside those of every tool.
    outputs: &'static [(&'static str, &'static str)],
    /// What the job's token must be allowed to do for more than the checkout: the permission, its level, and for what.
    permissions: &'static [(&'static str, &'static str, &'static str)],
    /// The inputs of the minimal example, and of the full one.
    minimal: &'static [(&'static str, &'static str)],
    full: &'static [(&'static str, &'static str)],
}

/// Inputs that are not flags: how the tool is found and where it runs.
const FINDING: [(&str, &str, &str); 7] = [
    ("working-directory", ".", "The folder to work in, for a repository that holds several projects."),
    ("bin", "", "A folder that holds the tools, used as it is; nothing is downloaded."),
    (
        "mirror",
        "",
        "Where a copy of the release's archives lies: https://host/folder. Their sha256 is checked all the same.",
    ),
    (
        "mirror-token",
        "",
        "The token that a private mirror wants to see, from a secret; it is shown to nobody else. None without.",
    ),
    (
        "attestation",
        "auto",
        "Whether the archive's build provenance must verify: auto, require or off. It needs gh and a token.",
    ),
    (
        "build",
        "false",
        "Whether to build the tools from this action's own tree with cargo, where they can be had in no other way.",
    ),
    ("token", "", "The token that gh verifies the attestation with, such as the job's own."),
];

const OUTPUTS: [(&str, &str); 5] = [
    ("outcome", "passed, failed, invalid, unknown, held, stuck or refused; the exit code says the same."),
    ("reason", "The first reason, in one line."),
    ("report-path", "The JSON document."),
    ("evidence-path", "The file of signed statements, for the jobs that follow."),
    ("artifact", "The digest of what it was about, where it was about an artifact."),
];

const RECORDS: (&str, &str, &str) = (
    "deployments",
    "write",
    "[deployment records](../docs/forge.md#deployment-records), which `forge: { records: false }` in `windlass.yml` leaves out",
);
const RUNS: (&str, &str, &str) = (
    "actions",
    "read",
    "[approvals](../docs/forge.md#approvals) of the run's environment, where `approval.from` names a `user:` or `team:`",
);
const REVIEWS: (&str, &str, &str) =
    ("pull-requests", "read", "reviews of the change, where `approval.from` names a `user:` or `team:`");

fn actions() -> Vec<Action> {
    vec![
        Action {
            name: "gate-check",
            about: "Judge whether a release may enter an environment, from reports and evidence.",
            icon: "shield",
            flags: Some(windlass_gate_check::command()),
            outputs: &[("junit-path", "The conditions as JUnit XML, one case each.")],
            permissions: &[],
            minimal: &[("environment", "staging")],
            full: &[
                ("environment", "staging"),
                ("reports", "target/reports/**"),
                ("base", "${{ github.event.pull_request.base.sha }}"),
                ("signing-key", "${{ secrets.WINDLASS_SIGNING_KEY }}"),
            ],
        },
        Action {
            name: "security-scan",
            about: "Look for vulnerable dependencies and secrets.",
            icon: "search",
            flags: Some(windlass_security_scan::command()),
            outputs: &[
                ("sarif-path", "The findings as SARIF."),
                ("sbom-path", "The packages of the lock files as CycloneDX, where there is a lock file."),
            ],
            permissions: &[],
            minimal: &[("only", "secrets")],
            full: &[
                ("only", "dependencies,secrets"),
                ("database", "advisory-db"),
                ("fail-on", "high"),
                ("sarif", "security.sarif"),
                ("sbom", "security.cdx.json"),
                ("signing-key", "${{ secrets.WINDLASS_SIGNING_KEY }}"),
            ],
        },
        Action {
            name: "deploy",
            about: "Take a release the whole way into an environment, or put the environment back.",
            icon: "upload-cloud",
            flags: Some(windlass_deploy::command()),
            outputs: &[
                ("plan", "The sha256 of the plan, where only that was asked for."),
                (
                    "anchor",
                    "The revision that was live before, as r7, which a rollback can name; nothing where none was.",
                ),
                ("revision", "The revision on the target."),
                ("url", "Where the environment is served, as its target says."),
                ("recordings-path", "The folder of what was measured while the release was judged."),
            ],
            permissions: &[RECORDS, RUNS, REVIEWS],
            minimal: &[("environment", "dev")],
            full: &[
                ("environment", "production"),
                ("artifact", "dist/"),
                ("approved", "${{ needs.plan.outputs.plan }}"),
                ("signing-key", "${{ secrets.WINDLASS_SIGNING_KEY }}"),
            ],
        },
        Action {
            name: "health-verify",
            about: "Judge whether a running service is healthy.",
            icon: "activity",
            flags: Some(windlass_health_verify::command()),
            outputs: &[
                ("recording-path", "What was measured, from which the verdict can be had again."),
                ("chart-path", "The page that shows it."),
            ],
            permissions: &[],
            minimal: &[("url", "https://shop.example.org/healthz")],
            full: &[
                ("environment", "production"),
                ("within", "5m"),
                ("signing-key", "${{ secrets.WINDLASS_SIGNING_KEY }}"),
            ],
        },
        Action {
            name: "rollback",
            about: "Return an environment to the release before, and hold it there.",
            icon: "rewind",
            flags: Some(windlass_rollback::command()),
            outputs: &[("revision", "The revision that is live.")],
            permissions: &[RECORDS],
            minimal: &[("environment", "production")],
            full: &[
                ("environment", "production"),
                ("to", "r7"),
                ("reason", "${{ inputs.reason }}"),
                ("signing-key", "${{ secrets.WINDLASS_SIGNING_KEY }}"),
            ],
        },
        Action {
            name: "setup",
            about: "Put the tools on PATH, for steps of your own.",
            icon: "download",
            flags: None,
            outputs: &[],
            permissions: &[],
            minimal: &[],
            full: &[("mirror", "https://mirror.example.org/windlass")],
        },
    ]
}

/// An input: its name, default and meaning.
struct Input {
    name: String,
    default: String,
    means: String,
}

impl Action {
    fn inputs(&self) -> Vec<Input> {
        let mut inputs: Vec<Input> = self.flags.iter().flat_map(flags).map(of_flag).collect();
        if self.flags.is_some() {
            inputs.push(Input {
                name: "signing-key".into(),
                default: String::new(),
                means: "The PKCS#8 PEM that signs the statement, from a secret; never an argument. Unsigned without.".into(),
            });
        }
        inputs.extend(FINDING.iter().map(|(name, default, means)| Input {
            name: (*name).into(),
            default: (*default).into(),
            means: (*means).into(),
        }));
        inputs
    }

    fn outputs(&self) -> Vec<(&'static str, &'static str)> {
        if self.flags.is_none() {
            return Vec::new();
        }
        OUTPUTS.iter().chain(self.outputs).copied().collect()
    }

    fn yaml(&self) -> String {
        let mut text = String::from(
            "# Written from the tool's own flags; see tests/actions/written.rs. An input is the flag of its name.\n",
        );
        writeln!(text, "name: Windlass {}", self.name).unwrap();
        writeln!(text, "description: {}", quoted(self.about)).unwrap();
        writeln!(text, "author: Windlass\nbranding:\n  icon: {}\n  color: blue\ninputs:", self.icon).unwrap();
        for input in self.inputs() {
            writeln!(text, "  {}:", input.name).unwrap();
            writeln!(text, "    description: {}", quoted(&input.means)).unwrap();
            writeln!(text, "    required: false\n    default: {}", quoted(&input.default)).unwrap();
        }
        if !self.outputs().is_empty() {
            text.push_str("outputs:\n");
        }
        for (name, means) in self.outputs() {
            writeln!(text, "  {name}:\n    description: {}", quoted(means)).unwrap();
            writeln!(text, "    value: ${{{{ steps.run.outputs.{name} }}}}").unwrap();
        }
        text.push_str("runs:\n  using: composite\n  steps:\n    - id: run\n      shell: bash\n");
        text.push_str("      working-directory: ${{ inputs.working-directory }}\n      env:\n");
        for input in self.inputs().iter().filter(|input| input.name != "working-directory") {
            let variable = match input.name.as_str() {
                "token" => "GH_TOKEN".to_owned(),
                name => windlass_ci::args::variable(name),
            };
            writeln!(text, "        {variable}: ${{{{ inputs.{} }}}}", input.name).unwrap();
        }
        let run = match self.flags {
            Some(_) => format!("exec \"$GITHUB_ACTION_PATH/../_lib/run.sh\" {}", self.name),
            None => "\"$GITHUB_ACTION_PATH/../_lib/run.sh\" --path >>\"$GITHUB_PATH\"".to_owned(),
        };
        // The folder is what run.sh found or checked; that it gets onto PATH is what the action is for.
        let ignore = if self.flags.is_none() { " # zizmor: ignore[github-env]" } else { "" };
        writeln!(text, "      run: {}{ignore}", quoted(&run)).unwrap();
        text
    }

    fn page(&self) -> String {
        let mut text = format!("\n## {}\n\n{}\n\n", self.name, self.about);
        text.push_str(&self.example(self.minimal, &[]));
        if self.full.len() > self.minimal.len() {
            text.push_str("\nWith more said:\n\n");
            text.push_str(&self.example(self.full, self.permissions));
        }
        text.push_str("\n| permission of the job | for |\n|---|---|\n");
        if self.flags.is_some() {
            text.push_str("| `contents: read` | the checkout |\n");
        }
        for (what, level, why) in self.permissions {
            writeln!(text, "| `{what}: {level}` | {why}; the step has `GITHUB_TOKEN` under `env:` |")
                .unwrap();
        }
        text.push_str("| `attestations: read` | the input `attestation`, where these actions' own repository is private; with the input `token` |\n");
        text.push_str("\n| input | default | means |\n|---|---|---|\n");
        for input in self.inputs() {
            let default =
                if input.default.is_empty() { String::new() } else { format!("`{}`", input.default) };
            writeln!(text, "| `{}` | {default} | {} |", input.name, input.means.replace('|', "\\|")).unwrap();
        }
        if !self.outputs().is_empty() {
            text.push_str("\n| output | means |\n|---|---|\n");
        }
        for (name, means) in self.outputs() {
            writeln!(text, "| `{name}` | {means} |").unwrap();
        }
        text
    }

    fn example(&self, with: &[(&str, &str)], permissions: &[(&str, &str, &str)]) -> String {
        let mut text = String::from("```yaml\n");
        if self.flags.is_some() {
            text.push_str("permissions:\n  contents: read\n");
        }
        for (what, level, _) in permissions {
            writeln!(text, "  {what}: {level}").unwrap();
        }
        text.push_str("steps:\n");
        if self.flags.is_some() {
            text.push_str("  - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0\n");
            text.push_str("    with:\n      fetch-depth: 0\n      persist-credentials: false\n");
        }
        writeln!(text, "  - uses: windlass-dev/windlass/actions/{}@<sha of a release>", self.name).unwrap();
        if !with.is_empty() {
            text.push_str("    with:\n");
        }
        for (name, value) in with {
            writeln!(text, "      {name}: {value}").unwrap();
        }
        if !permissions.is_empty() {
            text.push_str("    env:\n      GITHUB_TOKEN: ${{ github.token }}\n");
        }
        text.push_str("```\n");
        text
    }
}

fn of_flag(flag: Flag) -> Input {
    let mut means = flag.means;
    match flag.takes {
        Takes::Nothing => means.push_str(" true or false."),
        Takes::Lines => means.push_str(" Several: one a line."),
        Takes::Text | Takes::Word(_) => {}
    }
    Input { name: flag.name, default: String::new(), means }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../actions")
}

const README: &str = "# Actions\n\n\
<!-- Written from the tools' own flags; see tests/actions/written.rs. -->\n\n\
Each of the five tools as a step, and `setup`, which puts all of them on PATH. Refer to them by the sha of a released \
commit: the tools of exactly that release are found or downloaded, and their sha256 is checked against the manifest \
that came with the action. How the tool is found, in order: the input `bin`, a tool of exactly this version on PATH, \
the runner's tool cache (hashed again), `mirror`, the release itself, and with `build: true` cargo.\n\n\
Every input is the flag of the same name, and the variable `WINDLASS_…`; an empty one is one that is not given. The exit \
code is the tool's own: 0 passed, 1 failed, 2 invalid, 3 unknown, 4 held, 5 stuck, 6 refused. Nothing is written to \
`GITHUB_ENV`. No Docker, Node or jq is needed: bash, tar, and curl or wget. Linux runs in every test; macOS has run nowhere yet; \
on Windows there are the actions that judge: [Windows](../docs/windows.md).\n\n\
Where a server answers 401, 403 or 404, the log and the job's summary name what is missing and the line that gives it. A job that \
names `permissions:` has no others than those.\n\n\
The whole way from a commit to production is a reusable workflow made of these actions, and the way back a workflow to copy: \
[GitHub](../docs/github.md).\n";

fn files() -> Vec<(PathBuf, String)> {
    let actions = actions();
    let mut files: Vec<_> =
        actions.iter().map(|action| (root().join(action.name).join("action.yml"), action.yaml())).collect();
    let pages: String = actions.iter().map(Action::page).collect();
    files.push((root().join("README.md"), format!("{README}{pages}")));
    files
}

#[test]
fn actions_are_what_the_tools_flags_make_them() {
    hold(&files(), "actions");
}

#[test]
fn examples_use_inputs_that_are_there() {
    for action in actions() {
        let names: Vec<String> = action.inputs().into_iter().map(|input| input.name).collect();
        for (name, _) in action.minimal.iter().chain(action.full) {
            assert!(names.iter().any(|known| known == name), "{} has no input {name}", action.name);
        }
        let mut once = names.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), names.len(), "{}: an input stands twice", action.name);
    }
}
