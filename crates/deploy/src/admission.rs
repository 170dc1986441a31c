//! Admission: whether the evidence lets this artifact into this environment, now.

use jiff::Timestamp;
use serde_json::Value;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::session::{Artifact, Located, Session};
use windlass_domain::approval::{People, Tally, Vote, tally};
use windlass_domain::digest::Digest;
use windlass_domain::freeze;
use windlass_domain::outcome::{Outcome, Reason};
use windlass_domain::policy::{Approval, Environment, EvidenceDemand, Gates, PROVED, Quantity, Span};
use windlass_domain::release::Release;
use windlass_evidence::statement::Predicate;
use windlass_evidence::store::Store;
use windlass_evidence::verify::{Demand, Refusal, TrustedKey, Verified};

use crate::{git, topics};

/// How old the verdict of a gate may be. Freezes and approvals are judged anew whatever its age.
const GATE_AGE: Span = Span::minutes(24 * 60);

/// What let the artifact in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// The lines of the evidence file that counted, with their digests.
    pub(crate) lines: Vec<(usize, Digest)>,
    /// Whether any of them was unsigned.
    pub(crate) unsigned: bool,
    /// The plan that the approvals name, where they name one.
    pub(crate) plans: Vec<Digest>,
}

/// Everything that an admission is judged by.
pub(crate) struct Asked<'a> {
    pub(crate) located: &'a Located,
    pub(crate) environment: &'a Environment,
    pub(crate) artifact: &'a Artifact,
    pub(crate) commit: Option<&'a str>,
    /// What the forge says of the people whom `approval.from` names.
    people: People,
    keys: Vec<TrustedKey>,
    store: Store,
    now: Timestamp,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(
        session: &Session,
        located: &'a Located,
        environment: &'a Environment,
        artifact: &'a Artifact,
        commit: Option<&'a str>,
        people: People,
    ) -> Result<Self> {
        let keys = session.trusted_keys(located)?;
        let store = session.evidence()?;
        Ok(Self { located, environment, artifact, commit, people, keys, store, now: session.context.started })
    }

    fn demand(&self, predicate: Predicate, max_age: Option<Span>) -> Demand<'_> {
        Demand {
            predicate,
            artifact: self.artifact.digest,
            environment: Some(&self.environment.name),
            policy: Some(self.located.policy.digest),
            max_age,
            unsigned: self.environment.evidence == EvidenceDemand::Unsigned,
            keys: &self.keys,
            now: self.now,
        }
    }

    /// Judges.
    ///
    /// # Errors
    /// Held (4) for a freeze or a missing approval; the gate's own outcome where it is not a pass; refused (6) when
    /// the evidence is about another artifact; unknown (3) when no verdict counts.
    pub(crate) fn admit(&self) -> Result<Admission> {
        self.no_freeze()?;
        let mut admission = Admission::default();
        if demands_gate(self.environment) {
            let verdict = self.gate()?;
            admission.unsigned |= verdict.signers.is_empty();
            admission.lines.push(verdict.line);
        }
        if let Some(approval) = &self.environment.approval {
            self.approve(approval, &mut admission)?;
        }
        Ok(admission)
    }

    fn no_freeze(&self) -> Result<()> {
        let frozen = freeze::active(&self.environment.freeze, self.now).map_err(|error| {
            Failure::unknown(&topics::FREEZE, "cannot judge the freezes of windlass.yml").because(error)
        })?;
        let Some(frozen) = frozen else { return Ok(()) };
        let why = frozen.reason.unwrap_or_else(|| "no reason is given".to_owned());
        Err(Failure::held(
            &topics::FREEZE,
            format!("{} is frozen until {}: {why}", self.environment.name, frozen.ends),
        ))
    }

    fn gate(&self) -> Result<Verified> {
        let name = &self.environment.name;
        let verdict = self
            .demand(Predicate::Gate, Some(GATE_AGE))
            .newest(&self.store)
            .map_err(|refused| self.no_verdict(&refused))?;
        let body = &verdict.statement.predicate;
        if body.get("verificationResult").and_then(Value::as_str) == Some("PASSED") {
            return Ok(verdict);
        }
        let outcome = match body.get("windlassOutcome").and_then(Value::as_str) {
            Some("held") => Outcome::Held,
            Some("unknown") => Outcome::Unknown,
            Some(_) | None => Outcome::Failed,
        };
        let message =
            format!("the gate of {name} said {outcome} of {} at {}", self.artifact.digest, verdict.made);
        Err(Failure::new(outcome, &topics::GATE, message)
            .hint(format!("run `gate-check -e {name}` and see why")))
    }

    fn no_verdict(&self, refused: &[(usize, Refusal)]) -> Failure {
        let name = &self.environment.name;
        let digest = self.artifact.digest;
        let elsewhere = refused.iter().any(|(_, why)| *why == Refusal::OtherArtifact);
        let altered = refused.iter().any(|(_, why)| *why == Refusal::Tampered);
        let other = refused
            .iter()
            .any(|(_, why)| !matches!(why, Refusal::OtherArtifact | Refusal::OtherEnvironment(_)));
        let mut failure = if altered {
            Failure::refused(&topics::EVIDENCE, format!("the evidence for {digest} in {name} was altered"))
        } else if elsewhere && !other {
            Failure::refused(
                &topics::EVIDENCE,
                format!("the gate of {name} passed another artifact, not {digest}"),
            )
        } else {
            Failure::unknown(
                &topics::EVIDENCE,
                format!("no verdict of the gate of {name} counts for {digest}"),
            )
        };
        failure = failure.hint(format!("run `gate-check -e {name}` on exactly this artifact"));
        for (line, why) in refused {
            failure = failure.reason(
                Reason::new("evidence")
                    .observed(why.to_string())
                    .required(format!("a passed gate of {name} for {digest}"))
                    .place(format!("{}:{line}", self.store.path.display()))
                    .why(failure_sentence(why))
                    .next(format!("run `gate-check -e {name}` again")),
            );
        }
        failure
    }

    /// Where the environment demands it: that the way back from this artifact to the one that is live, by the ledger, was
    /// walked somewhere and held. A first release, and one that is live already, have no way back to walk.
    ///
    /// # Errors
    /// Failed (1) where it was walked and did not hold; refused (6) where the evidence is about other pairs alone; unknown
    /// (3) where there is none.
    pub(crate) fn proved(&self, live: Option<&Release>) -> Result<()> {
        let demanded = match &self.environment.gates {
            Gates::None => None,
            Gates::Conditions(conditions) => {
                conditions.iter().find(|one| one.metric == PROVED && !one.advisory)
            }
        };
        let (Some(condition), Some(live)) = (demanded, live) else { return Ok(()) };
        let (from, to) = (live.artifact, self.artifact.digest);
        if from == to {
            return Ok(());
        }
        let name = &self.environment.name;
        let mut demand = self.demand(Predicate::Proof, None);
        demand.environment = None;
        demand.policy = None;
        let (walked, refused) = demand.all(&self.store);
        let is_pair = |one: &&Verified| walks_from(&one.statement.predicate) == Some(from);
        let next = format!(
            "deploy {from}, then {to}, in an environment with `prove_rollback: true`, and run `gate-check -e {name}` again"
        );
        if let Some(newest) = walked.iter().find(is_pair) {
            let held = newest.statement.predicate.get("outcome").and_then(Value::as_str) == Some("passed");
            if condition.bound.holds(Quantity::Number(if held { 1.0 } else { 0.0 })) == Some(true) {
                return Ok(());
            }
            let message = format!(
                "the way back from {to} to {from}, which is live, was walked at {} and did not hold",
                newest.made
            );
            return Err(Failure::new(Outcome::Failed, &topics::PROOF, message).hint(next));
        }
        let message = format!(
            "no evidence that counts says that the way back from {to} to {from}, which is live, was walked"
        );
        let mut failure = if walked.is_empty() {
            Failure::unknown(&topics::PROOF, message)
        } else {
            Failure::refused(&topics::PROOF, format!("{message}; it is about other pairs"))
        };
        for (line, why) in refused.iter().filter(|(_, why)| *why != Refusal::OtherArtifact) {
            failure =
                failure.hint(format!("{}:{line} does not count: it is {why}", self.store.path.display()));
        }
        Err(failure.hint(next))
    }

    fn approve(&self, rule: &Approval, admission: &mut Admission) -> Result<()> {
        let (statements, _) = self.demand(Predicate::Approval, Some(rule.max_age)).all(&self.store);
        let owner = |name: &str| self.located.policy.keys.get(name).and_then(|key| key.owner.clone());
        let votes: Vec<Vote> = statements
            .iter()
            .flat_map(|statement| statement.signers.iter().map(move |signer| (signer, statement)))
            .map(|(signer, statement)| Vote {
                key: signer.clone(),
                owner: owner(signer),
                made: statement.made,
                agrees: agrees(&statement.statement.predicate),
            })
            .collect();
        let author = self.commit.and_then(|commit| git::author(&self.located.folder, commit));
        let by = match tally(rule, &votes, &self.people, author.as_deref(), self.now) {
            Tally::Enough(by) => by,
            Tally::Waiting { by, excluded } => return Err(self.waiting(rule, &by, &excluded)),
            Tally::Unasked { people, .. } => {
                let message = format!("nobody has asked the forge about {}", people.join(", "));
                return Err(Failure::unknown(&topics::APPROVAL, message));
            }
            Tally::Unclear { why } => {
                let message = format!("cannot judge the approvals: {why}");
                let failure = Failure::unknown(&topics::APPROVAL, message);
                return Err(self
                    .people
                    .remedies
                    .iter()
                    .fold(failure, |failure, remedy| failure.hint(remedy)));
            }
        };
        // The newest word of each approver counts, and with it the plan that it names.
        for key in by {
            let Some(statement) = statements.iter().find(|one| one.signers.contains(&key)) else { continue };
            admission.lines.push(statement.line);
            let plan = statement.statement.predicate.get("plan").and_then(Value::as_str);
            admission.plans.extend(plan.and_then(|plan| plan.parse::<Digest>().ok()));
        }
        Ok(())
    }

    fn waiting(
        &self,
        rule: &Approval,
        by: &[String],
        excluded: &[(String, windlass_domain::approval::Exclusion)],
    ) -> Failure {
        let name = &self.environment.name;
        let mut failure = Failure::held(
            &topics::APPROVAL,
            format!(
                "{name} waits for approval: {} of {} so far, from {}",
                by.len(),
                rule.count,
                rule.from.join(", ")
            ),
        )
        .hint(how(rule, name));
        for note in &self.people.notes {
            failure = failure.hint(note.clone());
        }
        for (key, why) in excluded {
            failure = failure.hint(format!("the approval by {key} does not count: {why}"));
        }
        failure
    }
}

/// How those who may can agree.
fn how(rule: &Approval, name: &str) -> String {
    let has = |kind: &str| rule.from.iter().any(|from| from.starts_with(kind));
    let by_key =
        format!("see the plan with `deploy -e {name} --plan`, then `windlass approve -e {name} --plan HASH`");
    let by_forge = "approve the run's environment, or the pull request that brought the commit, on the forge";
    match (has("key:"), has("user:") || has("team:")) {
        (_, false) => by_key,
        (false, true) => by_forge.to_owned(),
        (true, true) => format!("{by_key}; or {by_forge}"),
    }
}

/// The artifact to which the way back was walked.
fn walks_from(body: &Value) -> Option<Digest> {
    body.get("from")?.as_str()?.parse().ok()
}

fn agrees(body: &Value) -> bool {
    !matches!(body.get("decision").and_then(Value::as_str), Some("refused" | "rejected"))
}

fn failure_sentence(why: &Refusal) -> String {
    format!("this statement does not count: it is {why}")
}

/// Whether anything was demanded that only the gate's verdict proves.
fn demands_gate(environment: &Environment) -> bool {
    let conditions = match &environment.gates {
        Gates::None => false,
        Gates::Conditions(conditions) => !conditions.is_empty(),
    };
    conditions || !environment.needs.is_empty() || environment.soak.is_some()
}
