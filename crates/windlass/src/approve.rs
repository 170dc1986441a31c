//! `windlass approve`: a signed approval of one plan, of one artifact, in one environment.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Args as _, Command, CommandFactory, FromArgMatches, Parser};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use windlass_ci::args::{Common, ToolArgs};
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::report::Report;
use windlass_ci::session::Session;
use windlass_ci::{sink, tool, topics};
use windlass_domain::digest::Digest;
use windlass_domain::outcome::Outcome;
use windlass_domain::policy::EvidenceKind;
use windlass_evidence::statement::{Predicate, Statement};

/// The flags. `--plan HASH` names what is approved, where the other tools have `--plan` to only look; so this
/// command alone is not derived.
#[derive(Debug)]
pub(crate) struct Arguments {
    common: Common,
    plan: Digest,
    reason: String,
}

impl CommandFactory for Arguments {
    fn command() -> Command {
        let command = Command::new("approve")
            .version(env!("CARGO_PKG_VERSION"))
            .about("Sign an approval of exactly this plan, for exactly this artifact and environment")
            .long_about(
                "Sign an approval of exactly this plan, for exactly this artifact and environment\n\n\
                 `deploy --plan` prints the plan's digest. The approval goes into the evidence file, \
                 signed by --signing-key; it counts where windlass.yml names that key under `approval`.",
            );
        Common::augment_args(command)
            .mut_arg("plan", |flag| flag.long("plan-only").hide(true))
            .arg(
                Arg::new("approved")
                    .long("plan")
                    .value_name("HASH")
                    .required(true)
                    .value_parser(|text: &str| plan(text))
                    .help("Approve the plan with this digest: sha256:HEX, as `deploy --plan` prints it"),
            )
            .arg(Arg::new("why").long("reason").value_name("TEXT").help("Say why, for the ledger"))
    }

    fn command_for_update() -> Command {
        Self::command()
    }
}

fn plan(text: &str) -> std::result::Result<Digest, String> {
    let prefixed = if text.starts_with("sha256:") { text.to_owned() } else { format!("sha256:{text}") };
    prefixed.parse().map_err(|error: windlass_domain::digest::NotADigest| error.to_string())
}

impl FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        Ok(Self {
            common: Common::from_arg_matches(matches)?,
            plan: *matches.get_one("approved").expect("clap refuses a missing required flag"),
            reason: matches.get_one::<String>("why").cloned().unwrap_or_default(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Parser for Arguments {}

impl ToolArgs for Arguments {
    fn common(&self) -> &Common {
        &self.common
    }
}

/// What `approve` adds to the document of every tool.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Own {
    /// The plan that is approved.
    pub plan: Option<Digest>,
    /// The id of the key that signed, the sha256 of its DER public key.
    pub approver: String,
    /// The key's name in `windlass.yml`.
    pub key: String,
}

pub(crate) fn run(context: Context) -> ExitCode {
    tool::run("approve", context, judge)
}

fn judge(session: &Session, arguments: &Arguments) -> Result<Report<Own>> {
    let located = session.policy()?;
    let environment = session.environment(&located.policy)?;
    let artifact = session.artifact(Some(&located))?;
    let signer = session.signer()?.ok_or_else(|| {
        Failure::invalid(&topics::KEY, "an approval must be signed, and no key is given")
            .hint("name it with --signing-key, or make one with `windlass keygen`")
    })?;
    let keys = session.trusted_keys(&located)?;
    let key = keys.iter().find(|key| key.key == signer.public()).ok_or_else(|| {
        Failure::invalid(&topics::KEY, "windlass.yml does not list this key, so its approval would not count")
            .hint("add its public half under `keys`, with `signs: [approval]`")
    })?;
    if !key.signs.contains(&EvidenceKind::Approval) {
        return Err(Failure::invalid(
            &topics::KEY,
            format!("key {:?} of windlass.yml may not sign approvals", key.name),
        )
        .hint("add approval to its `signs`, or use the key of a person"));
    }
    let is_asked = environment
        .approval
        .as_ref()
        .is_some_and(|approval| approval.from.iter().any(|who| who.strip_prefix("key:") == Some(&key.name)));
    if !is_asked {
        return Err(Failure::invalid(
            &topics::KEY,
            format!("environment {:?} asks for no approval by key {:?}", environment.name, key.name),
        )
        .hint(format!("its `approval` has no `from: [key:{}]`", key.name)));
    }
    let approver = signer.public().id();
    let body = json!({
        "at": session.context.started.to_string(),
        "environment": environment.name,
        "policy": located.policy.digest,
        "plan": arguments.plan,
        "approver": approver,
        "reason": arguments.reason,
    });
    let commit = session.host.commit();
    let statement = Statement::about(artifact.digest, commit.as_deref(), Predicate::Approval, body);
    let verb = if session.common.plan { "would sign" } else { "signed" };
    if !session.common.plan {
        session.attest(&statement)?;
    }
    let mut report = Report::new(Outcome::Passed);
    report.environment = Some(environment.name.clone());
    report.artifact = Some(artifact.digest);
    report.text = format!(
        "{verb} the approval of plan {} of {} in {} by {:?}\n",
        arguments.plan,
        artifact.digest,
        sink::line(&environment.name),
        key.name,
    );
    report.markdown = format!("## passed\n\n{}\n", sink::markdown(report.text.trim_end()));
    report.own = Own { plan: Some(arguments.plan), approver, key: key.name.clone() };
    Ok(report)
}
