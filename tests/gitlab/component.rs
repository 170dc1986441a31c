//! A component: its inputs, and the one job that runs its tool.

use std::fmt::Write as _;

use clap::Command;

use crate::flags::{Takes, flags, quoted};

/// A component over one tool.
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: Command,
    stage: &'static str,
    /// What the job is to its environment, as GitLab calls it; a deploy of its own without.
    place: Place,
    /// When it runs where nobody says.
    when: &'static str,
    /// Reports beside the tool's outputs: GitLab's name, and the file in the report folder.
    reports: &'static [(&'static str, &'static str)],
}

/// What a job has to do with a GitLab environment.
enum Place {
    /// Nothing.
    None,
    /// It changes it, and a second job stops it.
    Deploys,
    /// It needs it, with this `action`.
    Uses(&'static str),
}

/// An input of a component.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) means: String,
    pub(crate) kind: Kind,
}

/// The type of an input with its default.
pub(crate) enum Kind {
    /// A text that must be given, and must match.
    Required(&'static str),
    Text(String),
    Matching(&'static str, String),
    Word(Vec<String>, String),
    Switch(bool),
    /// The tags of a runner; GitLab's schema refuses an empty list.
    Tags,
    /// Several texts that must be given.
    Commands,
}

/// Names that may stand in a variable's name, a job's name and a path alike.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";

pub(crate) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "gate-check",
            about: "Judge whether a release may enter an environment, from reports and evidence.",
            flags: windlass_gate_check::command(),
            stage: "test",
            place: Place::Uses("verify"),
            when: "on_success",
            reports: &[("junit", "gate-check.junit.xml")],
        },
        Component {
            name: "security-scan",
            about: "Look for vulnerable dependencies and secrets.",
            flags: windlass_security_scan::command(),
            stage: "test",
            place: Place::None,
            when: "on_success",
            reports: &[
                ("secret_detection", "gl-secret-detection-report.json"),
                ("dependency_scanning", "gl-dependency-scanning-report.json"),
                ("cyclonedx", "security-scan.cdx.json"),
            ],
        },
        Component {
            name: "deploy",
            about: "Take a release the whole way into an environment, or put the environment back.",
            flags: windlass_deploy::command(),
            stage: "deploy",
            place: Place::Deploys,
            when: "on_success",
            // Of the gate that it runs first; where it runs none, GitLab says that there is no such file and goes on.
            reports: &[("junit", "gate-check.junit.xml")],
        },
        Component {
            name: "health-verify",
            about: "Judge whether a running service is healthy.",
            flags: windlass_health_verify::command(),
            stage: "deploy",
            place: Place::Uses("verify"),
            when: "on_success",
            reports: &[],
        },
        Component {
            name: "rollback",
            about: "Return an environment to the release before, and hold it there.",
            flags: windlass_rollback::command(),
            stage: "deploy",
            place: Place::Uses("access"),
            when: "manual",
            reports: &[],
        },
    ]
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Component {
    pub(crate) fn inputs(&self) -> Vec<Input> {
        let mut inputs = self.of_the_job();
        for flag in flags(&self.flags) {
            let kind = match (flag.name.as_str(), flag.takes) {
                ("environment", _) if self.is_somewhere() => continue,
                ("report-dir", _) => Kind::Text(".windlass".into()),
                ("evidence", _) => Kind::Text(".windlass/evidence.intoto.jsonl".into()),
                (_, Takes::Nothing) => Kind::Switch(false),
                (_, Takes::Word(mut words)) => {
                    // Empty: the tool's own default.
                    words.insert(0, String::new());
                    Kind::Word(words, String::new())
                }
                (_, Takes::Text | Takes::Lines) => Kind::Text(String::new()),
            };
            inputs.push(Input { name: flag.name, means: flag.means, kind });
        }
        inputs.extend(of_the_tool());
        inputs
    }

    fn is_somewhere(&self) -> bool {
        !matches!(self.place, Place::None)
    }

    fn of_the_job(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        let mut add = |name: &str, means: &str, kind| {
            inputs.push(Input { name: name.into(), means: means.into(), kind });
        };
        if self.is_somewhere() {
            add(
                "environment",
                "The environment of windlass.yml, which is GitLab's of the same name.",
                Kind::Required(NAME),
            );
        }
        add("stage", "The stage of the job.", Kind::Text(self.stage.into()));
        add(
            "job-suffix",
            "Ends the job's name, where a component is included more than once.",
            Kind::Matching("^[A-Za-z0-9_.:-]*$", String::new()),
        );
        add(
            "image",
            "The image of the job: bash, git, tar, and curl or wget must be in it. A shell executor has none.",
            Kind::Text("buildpack-deps:trixie-scm".into()),
        );
        add("tags", "The runner's tags. A host target lives on the runner that deploys to it.", Kind::Tags);
        let always = ["on_success", "manual", "always"];
        let mut when = words(&always);
        if self.name == "rollback" {
            when.push("on_failure".into());
        }
        add("when", "When the job runs.", Kind::Word(when, self.when.into()));
        let (means, default) = match self.place {
            Place::None => ("The condition of its rule: always, where nothing else is said.", "$CI"),
            Place::Deploys | Place::Uses(_) => (
                "The condition of its rule: the default branch, where nothing else is said.",
                "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
            ),
        };
        add("if", means, Kind::Text(default.into()));
        add("timeout", "How long the job may take.", Kind::Text("1h".into()));
        add("expire-in", "How long its reports and the evidence are kept.", Kind::Text("30 days".into()));
        match self.place {
            Place::Deploys => {
                add(
                    "url",
                    "Where the environment is seen. Without it: where the target says that it serves.",
                    Kind::Text("$DEPLOY_URL".into()),
                );
                add(
                    "tier",
                    "What the environment is for.",
                    Kind::Word(
                        words(&["production", "staging", "testing", "development", "other"]),
                        "other".into(),
                    ),
                );
                add(
                    "gate",
                    "Run gate-check first, in the same job, so that nothing comes between.",
                    Kind::Switch(true),
                );
            }
            Place::Uses("access") => add(
                "after",
                "health-verify: go back only where the health check of this pipeline judged no, and not where it could \
                 not judge. For when: on_failure.",
                Kind::Word(words(&["", "health-verify"]), String::new()),
            ),
            Place::Uses(_) | Place::None => {}
        }
        inputs
    }

    /// The template, without the scripts that it carries.
    pub(crate) fn yaml(&self, carried: &str) -> String {
        let inputs = self.inputs();
        let mut text = head(&inputs);
        let name = self.name;
        writeln!(text, "# {}", self.about).unwrap();
        writeln!(text, "\"{name}$[[ inputs.job-suffix ]]\":").unwrap();
        self.frame(&mut text, "$[[ inputs.when ]]");
        match self.place {
            Place::Deploys => {
                text.push_str(
                    "  environment:\n    name: $[[ inputs.environment ]]\n    url: $[[ inputs.url ]]\n",
                );
                text.push_str("    deployment_tier: $[[ inputs.tier ]]\n");
                text.push_str("    on_stop: \"stop$[[ inputs.job-suffix ]]\"\n");
                // A job that died with its runner is run again: it goes on from the ledger on the target.
                text.push_str(
                    "  retry:\n    max: 1\n    when: [runner_system_failure, stuck_or_timeout_failure]\n",
                );
            }
            Place::Uses(action) => {
                write!(text, "  environment:\n    name: $[[ inputs.environment ]]\n    action: {action}\n")
                    .unwrap();
            }
            Place::None => {}
        }
        self.variables(&mut text, &inputs);
        write!(text, "  script:\n    - |\n{carried}").unwrap();
        let switches: Vec<String> = flags(&self.flags)
            .iter()
            .filter(|flag| flag.takes == Takes::Nothing)
            .map(|flag| format!("{}=$[[ inputs.{} ]]", windlass_ci::args::variable(&flag.name), flag.name))
            .collect();
        // In the script they are text; as variables GitLab would refuse them.
        writeln!(text, "    - export {}", switches.join(" ")).unwrap();
        if matches!(self.place, Place::Deploys) {
            text.push_str("    - if [ $[[ inputs.gate ]] = true ]; then bash \"$windlass_lib/gitlab.sh\" gate-check; fi\n");
        }
        writeln!(text, "    - bash \"$windlass_lib/gitlab.sh\" {name}").unwrap();
        self.artifacts(&mut text);
        if matches!(self.place, Place::Deploys) {
            self.stop(&mut text, carried);
        }
        text
    }

    fn frame(&self, text: &mut String, when: &str) {
        text.push_str(
            "  stage: $[[ inputs.stage ]]\n  image: $[[ inputs.image ]]\n  tags: $[[ inputs.tags ]]\n",
        );
        writeln!(text, "  rules:\n    - if: $[[ inputs.if ]]\n      when: {when}").unwrap();
        if self.is_somewhere() {
            text.push_str("  resource_group: deploy-$[[ inputs.environment ]]\n");
        }
        text.push_str("  timeout: $[[ inputs.timeout ]]\n  interruptible: false\n");
    }

    fn variables(&self, text: &mut String, inputs: &[Input]) {
        // The order of releases is the commits' ancestry.
        text.push_str("  variables:\n    GIT_DEPTH: \"0\"\n    WINDLASS_CI: gitlab\n");
        let flags: Vec<String> = flags(&self.flags)
            .into_iter()
            .filter(|flag| flag.takes != Takes::Nothing)
            .map(|flag| flag.name)
            .collect();
        for input in inputs {
            let is_own = ["signing-key-variable", "bin", "mirror", "after"].contains(&input.name.as_str());
            if is_own || flags.contains(&input.name) {
                let variable = windlass_ci::args::variable(&input.name);
                writeln!(text, "    {variable}: $[[ inputs.{} ]]", input.name).unwrap();
            }
        }
    }

    fn artifacts(&self, text: &mut String) {
        text.push_str("  artifacts:\n    name: \"$CI_JOB_NAME_SLUG\"\n    when: always\n");
        text.push_str("    expire_in: $[[ inputs.expire-in ]]\n    paths:\n");
        text.push_str("      - $[[ inputs.report-dir ]]/\n      - $[[ inputs.evidence ]]\n    reports:\n");
        writeln!(text, "      dotenv: $[[ inputs.report-dir ]]/{}.env", self.name).unwrap();
        for (report, file) in self.reports {
            writeln!(text, "      {report}: $[[ inputs.report-dir ]]/{file}").unwrap();
        }
    }

    fn stop(&self, text: &mut String, carried: &str) {
        text.push_str("\n# Ends what runs in the environment; the ledger stays. For a host target.\n");
        text.push_str("\"stop$[[ inputs.job-suffix ]]\":\n");
        self.frame(text, "manual\n      allow_failure: true");
        text.push_str("  environment:\n    name: $[[ inputs.environment ]]\n    action: stop\n");
        text.push_str("  needs:\n    - job: \"deploy$[[ inputs.job-suffix ]]\"\n      artifacts: false\n");
        text.push_str("  variables:\n    GIT_DEPTH: \"1\"\n");
        for name in ["config", "bin", "mirror"] {
            writeln!(text, "    {}: $[[ inputs.{name} ]]", windlass_ci::args::variable(name)).unwrap();
        }
        write!(text, "  script:\n    - |\n{carried}").unwrap();
        text.push_str(
            "    - bash \"$windlass_lib/gitlab.sh\" windlass stop -e \"$CI_ENVIRONMENT_NAME\" --instances\n",
        );
    }
}

/// How the tool is had, and what it signs with.
pub(crate) fn of_the_tool() -> Vec<Input> {
    let input = |name: &str, means: &str, kind| Input { name: name.into(), means: means.into(), kind };
    vec![
        input(
            "signing-key-variable",
            "The name of the CI/CD variable that holds the PKCS#8 PEM to sign with; of type file, since a PEM cannot be \
             masked. Unsigned where there is no WINDLASS_SIGNING_KEY.",
            Kind::Matching("^[A-Za-z_][A-Za-z0-9_]*$", "WINDLASS_SIGNING_KEY".into()),
        ),
        input(
            "bin",
            "A folder that holds the tools, used as it is; nothing is downloaded.",
            Kind::Text(String::new()),
        ),
        input(
            "mirror",
            "Where a copy of the release's archives lies: https://host/folder. Their sha256 is checked all the same.",
            Kind::Text(String::new()),
        ),
    ]
}

/// What stands before the jobs.
pub(crate) fn head(inputs: &[Input]) -> String {
    let mut text = String::from(
        "# Written from the tools' own flags and actions/_lib; see tests/gitlab/. An input is the flag of its name.\n\
         spec:\n  inputs:\n",
    );
    for input in inputs {
        writeln!(text, "    {}:\n      description: {}", input.name, quoted(&input.means)).unwrap();
        match &input.kind {
            Kind::Required(regex) => writeln!(text, "      regex: {}", quoted(regex)),
            Kind::Text(default) => writeln!(text, "      default: {}", quoted(default)),
            Kind::Matching(regex, default) => {
                writeln!(text, "      regex: {}\n      default: {}", quoted(regex), quoted(default))
            }
            Kind::Word(words, default) => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                writeln!(text, "      options: [{}]\n      default: {}", words.join(", "), quoted(default))
            }
            Kind::Switch(default) => writeln!(text, "      type: boolean\n      default: {default}"),
            Kind::Tags => writeln!(text, "      type: array\n      default: [windlass]"),
            Kind::Commands => writeln!(text, "      type: array"),
        }
        .unwrap();
    }
    text.push_str("---\n");
    text
}

impl Input {
    /// Its default for people, and what it may be.
    pub(crate) fn told(&self) -> (String, String) {
        match &self.kind {
            Kind::Required(_) => ("required".into(), "text".into()),
            Kind::Text(default) | Kind::Matching(_, default) => (code(default), "text".into()),
            Kind::Word(words, default) => {
                let words: Vec<String> =
                    words.iter().filter(|word| !word.is_empty()).map(|word| code(word)).collect();
                (code(default), words.join(", "))
            }
            Kind::Switch(default) => (code(&default.to_string()), "boolean".into()),
            Kind::Tags => (code("[windlass]"), "list".into()),
            Kind::Commands => ("required".into(), "list".into()),
        }
    }
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}
