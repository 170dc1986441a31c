//! `windlass check`: every mistake in `windlass.yml` at once, and what is legal but will not work here.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Parser;
use schemars::JsonSchema;
use serde::Serialize;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::{Annotation, Level, Report};
use windlass_ci::session::{Located, Session};
use windlass_ci::{sink, tool, topics};
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::{Approval, Environment, EvidenceDemand, EvidenceKind, Strategy, TargetKind};
use windlass_domain::rollout::step_yaml;
use windlass_evidence::sign::PublicKey;

/// Show every mistake in windlass.yml at once
#[derive(Debug, Parser)]
#[command(name = "check", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// What `check` adds to the document of every tool.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The environments, in the order of the file.
    pub environments: Vec<Checked>,
    /// What is legal and will not work here, or deserves a second look.
    pub warnings: Vec<String>,
}

/// One environment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// Its name.
    pub name: String,
    /// Its kind of target.
    pub target: TargetKind,
    /// Its strategy: `rolling`, `blue-green`, `canary`, `custom`.
    pub strategy: String,
    /// The steps of a `custom` strategy, as the policy has them.
    pub steps: Vec<String>,
    /// Whether it demands signed evidence.
    pub signed: bool,
}

pub(crate) fn run(context: Context) -> ExitCode {
    tool::run("check", context, |session: &Session, _: &Arguments| judge(session))
}

fn judge(session: &Session) -> Result<Report<Own>> {
    let located = session.policy()?;
    check_keys(&located)?;
    let mut report: Report<Own> = Report::new(Outcome::Passed);
    report.own.environments = located.policy.environments.iter().map(checked).collect();
    report.own.warnings = warnings(&located);
    let count = located.policy.environments.len();
    let verdict =
        format!("{} holds: {count} {}", located.path.display(), plural(count, "environment", "environments"));
    report.markdown = format!("## passed\n\n{}\n\n", sink::markdown(&verdict));
    writeln!(report.text, "{}", sink::line(&verdict)).expect("writing to a string cannot fail");
    for one in &report.own.environments {
        let evidence = if one.signed { "signed evidence" } else { "unsigned evidence" };
        let target = kind(one.target);
        let steps = if one.steps.is_empty() { String::new() } else { format!(" [{}]", one.steps.join(", ")) };
        writeln!(report.text, "  {}: {target}, {}{steps}, {evidence}", sink::line(&one.name), one.strategy)
            .expect("writing to a string cannot fail");
    }
    for warning in &report.own.warnings {
        writeln!(report.text, "warning: {}", sink::line(warning)).expect("writing to a string cannot fail");
        writeln!(report.markdown, "- warning: {}", sink::markdown(warning))
            .expect("writing to a string cannot fail");
        report.annotations.push(Annotation {
            level: Level::Warning,
            title: "windlass check".into(),
            message: warning.clone(),
            path: None,
            line: None,
        });
    }
    Ok(report)
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn checked(environment: &Environment) -> Checked {
    let steps = match &environment.strategy {
        Strategy::Custom { steps } => steps.iter().map(step_yaml).collect(),
        Strategy::Rolling { .. } | Strategy::BlueGreen { .. } | Strategy::Canary { .. } => Vec::new(),
    };
    let strategy = match environment.strategy {
        Strategy::Rolling { .. } => "rolling",
        Strategy::BlueGreen { .. } => "blue-green",
        Strategy::Canary { .. } => "canary",
        Strategy::Custom { .. } => "custom",
    };
    Checked {
        name: environment.name.clone(),
        target: environment.target.kind(),
        strategy: strategy.to_owned(),
        steps,
        signed: environment.evidence == EvidenceDemand::Signed,
    }
}

const fn kind(target: TargetKind) -> &'static str {
    match target {
        TargetKind::Host => "host",
        TargetKind::Kubernetes => "kubernetes",
        TargetKind::Exec => "exec",
    }
}

/// Every key that cannot be used, in one failure.
fn check_keys(located: &Located) -> Result<()> {
    let mut failure = Failure::invalid(&topics::KEY, "");
    for (name, key) in &located.policy.keys {
        let why = if key.public.contains("-----BEGIN") {
            PublicKey::from_pem(&key.public).err().map(|error| error.to_string())
        } else {
            let path = located.resolve(&key.public);
            match std::fs::read_to_string(&path) {
                Ok(pem) => {
                    PublicKey::from_pem(&pem).err().map(|error| format!("{}: {error}", path.display()))
                }
                Err(error) => Some(format!("cannot read {}: {error}", path.display())),
            }
        };
        if let Some(why) = why {
            failure = failure.hint(format!("key {name:?}: {why}"));
            failure = failure.reason(Reason::new(topics::KEY.key).place(format!("keys.{name}")).why(why));
        }
    }
    let count = failure.reasons.len();
    if count == 0 {
        return Ok(());
    }
    failure.message = format!("{count} {} of windlass.yml cannot be used", plural(count, "key", "keys"));
    Err(failure)
}

fn warnings(located: &Located) -> Vec<String> {
    let policy = &located.policy;
    let mut warnings = Vec::new();
    for environment in &policy.environments {
        let name = &environment.name;
        match environment.target.kind() {
            TargetKind::Host | TargetKind::Exec => {}
            TargetKind::Kubernetes => warnings.push(format!(
                "environment {name:?} has a target of kind {}, and this build has no driver for it: deploy would refuse",
                kind(environment.target.kind())
            )),
        }
        let is_signed = environment.evidence == EvidenceDemand::Signed;
        if is_signed && policy.keys.is_empty() && !environment.needs.is_empty() {
            warnings.push(format!(
                "environment {name:?} counts only signed evidence, and there is no key under `keys`: nothing can enter; \
                 make one with `windlass keygen`"
            ));
        }
        if !is_signed {
            warnings.push(format!(
                "environment {name:?} accepts unsigned evidence: anybody who can write the file can forge it"
            ));
        }
        if let Some(approval) = &environment.approval {
            warnings.extend(too_few(name, approval, located));
        }
    }
    let text = policy.release.artifact.as_deref().filter(|text| !text.contains("sha256:"));
    if let Some(path) = text.map(|text| located.resolve(text)).filter(|path| !path.exists()) {
        warnings.push(format!("no artifact at {} yet: build it before gate-check", path.display()));
    }
    warnings
}

/// An approval that asks for more people than keys here can give, where only keys may.
fn too_few(name: &str, approval: &Approval, located: &Located) -> Option<String> {
    let keys: Option<Vec<&str>> = approval.from.iter().map(|who| who.strip_prefix("key:")).collect();
    let signing = keys?
        .iter()
        .filter(|key| {
            located.policy.keys.get(**key).is_some_and(|key| key.signs.contains(&EvidenceKind::Approval))
        })
        .count();
    (signing < approval.count as usize).then(|| {
        format!(
            "environment {name:?} asks for {} approvals, and {signing} of its keys may sign one",
            approval.count
        )
    })
}
