//! The component `pipeline`: its inputs, and its jobs from `templates/_lib`, once for each environment.

use crate::component::{Input, Kind, head, of_the_tool};

const JOBS: &str = include_str!("../../templates/_lib/pipeline.yml");
const ENVIRONMENT: &str = include_str!("../../templates/_lib/environment.yml");

/// Name, tier, the job before it, and when it runs.
const ENVIRONMENTS: [(&str, &str, &str, &str); 3] = [
    ("dev", "development", "scan", ""),
    ("staging", "staging", "dev-health", ""),
    ("production", "production", "staging-health", "\n      when: manual"),
];

pub(crate) fn inputs() -> Vec<Input> {
    let text = |name: &str, default: &str, means: &str| Input {
        name: name.into(),
        means: means.into(),
        kind: Kind::Text(default.into()),
    };
    let commands =
        |name: &str, means: &str| Input { name: name.into(), means: means.into(), kind: Kind::Commands };
    let word = |name: &str, words: &[&str], default: &str, means: &str| Input {
        name: name.into(),
        means: means.into(),
        kind: Kind::Word(words.iter().map(|word| (*word).to_owned()).collect(), default.into()),
    };
    let tags = |name: &str, means: &str| Input { name: name.into(), means: means.into(), kind: Kind::Tags };
    let url = "Where this environment is seen. Without it: where the target says that it serves.";
    let mut inputs = vec![
        commands("build", "The commands that make the artifact."),
        commands("test", "The commands that test it and write reports."),
        text("artifact", "dist/", "What the build makes: release.artifact of windlass.yml."),
        text(
            "reports",
            "reports/",
            "Where the tests write reports; gate-check reads them in each environment.",
        ),
        text("junit", "reports/**/junit*.xml", "The reports of tests that GitLab shows."),
        text("coverage", "reports/cobertura.xml", "The report of coverage that GitLab shows."),
        word("coverage-format", &["cobertura", "jacoco"], "cobertura", "What form that report has."),
        text("scan", "secrets", "What is scanned: dependencies, secrets or both, separated by commas."),
        word(
            "fail-on",
            &["low", "medium", "high", "critical"],
            "high",
            "From which severity on a finding fails.",
        ),
        text("database", "", "The folder of RustSec advisories, for dependencies."),
        text("config", "", "The policy, where it is not the nearest windlass.yml."),
        text(
            "deploy-if",
            "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
            "Which pipelines deploy: a rule's condition.",
        ),
        text("dev-url", "$DEPLOY_URL", url),
        text("staging-url", "$DEPLOY_URL", url),
        text("production-url", "$DEPLOY_URL", url),
        Input {
            name: "job-suffix".into(),
            means: "Ends every job's name, where the names are taken.".into(),
            kind: Kind::Matching("^[A-Za-z0-9_.:-]*$", String::new()),
        },
        text("build-image", "buildpack-deps:trixie", "The image of build and test."),
        tags("build-tags", "The runner's tags for build and test."),
        text(
            "image",
            "buildpack-deps:trixie-scm",
            "The image of all other jobs: bash, git, tar, and curl or wget must be in it. A shell executor has none.",
        ),
        tags(
            "tags",
            "The runner's tags for all other jobs. A host target lives on the runner that deploys to it.",
        ),
        text("timeout", "1h", "How long build, test, scan and stop may take."),
        text("deploy-timeout", "2h", "How long a deploy, a health check and a rollback may take."),
        text("expire-in", "30 days", "How long the artifact, the reports and the evidence are kept."),
    ];
    inputs.extend(of_the_tool());
    inputs
}

pub(crate) fn yaml(carried: &str) -> String {
    let environments: String = ENVIRONMENTS
        .iter()
        .map(|(name, tier, before, when)| {
            let jobs = ENVIRONMENT.replace("@name@", name).replace("@tier@", tier);
            jobs.replace("@before@", before).replace("@when@", when)
        })
        .collect();
    let jobs = JOBS.replace("@carried@\n", carried).replace("@environments@\n", &environments);
    format!("{}{jobs}", head(&inputs()))
}
