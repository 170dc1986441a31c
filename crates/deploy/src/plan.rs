//! The plan: what is compiled from policy, release and what the target's journal says; and whether it may be made.

use std::path::PathBuf;

use windlass_ci::fail::{Failure, Result};
use windlass_ci::session::{Artifact, Located};
use windlass_ci::topics as common;
use windlass_domain::digest::Digest;
use windlass_domain::journal::History;
use windlass_domain::policy::{Environment, Migrate};
use windlass_domain::release::{Release, Schema, SecretVersion, Sequence};
use windlass_domain::rollout::{Intent, Plan, Step, Takeover, WayBack, compile};
use windlass_evidence::artifact;
use windlass_target::driver::{Capabilities, DriverError, Package, Seen, standing};
use windlass_target::reach::{Reached, instances};

use crate::topics;

/// What is to be released, before it has a number.
pub(crate) struct Candidate<'a> {
    pub(crate) located: &'a Located,
    pub(crate) environment: &'a Environment,
    pub(crate) reached: &'a Reached,
    pub(crate) artifact: &'a Artifact,
    pub(crate) config: Option<Digest>,
    pub(crate) commit: Option<String>,
    /// The versions of its secrets, as the target tells them; see [`knowing`](Self::knowing).
    secrets: Vec<SecretVersion>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(
        located: &'a Located,
        environment: &'a Environment,
        reached: &'a Reached,
        artifact: &'a Artifact,
        commit: Option<String>,
    ) -> Result<Self> {
        let config =
            artifact::digest_all(&located.folder, &located.policy.release.config).map_err(|error| {
                Failure::invalid(&common::ARTIFACT, "cannot take the digest of the configuration")
                    .because(error)
            })?;
        Ok(Self { located, environment, reached, artifact, config, commit, secrets: Vec::new() })
    }

    /// The same, with the versions that its secrets have on the target now.
    pub(crate) async fn knowing(self) -> std::result::Result<Self, DriverError> {
        let secrets = self.reached.driver.secrets(&self.reached.terms.parameters).await?;
        Ok(Self { secrets, ..self })
    }

    /// The release under a number of the target's ledger.
    pub(crate) fn release(&self, sequence: Sequence) -> Release {
        Release {
            sequence,
            app: self.located.policy.app.clone(),
            artifact: self.artifact.digest,
            config: self.config,
            secrets: self.secrets.clone(),
            schema: self.located.policy.release.schema,
            parameters: self.reached.terms.parameters.clone(),
            commit: self.commit.clone(),
        }
    }

    /// Whether a release of the ledger is this one, whatever its number and commit.
    pub(crate) fn is(&self, release: &Release) -> bool {
        let mut mine = self.release(release.sequence);
        mine.commit.clone_from(&release.commit);
        mine == *release
    }

    /// Where its files lie.
    pub(crate) fn package(&self) -> Package {
        let config = &self.located.policy.release.config;
        let paths: Vec<(String, PathBuf)> =
            config.iter().map(|name| (name.clone(), self.located.resolve(name))).collect();
        Package {
            artifact: self.artifact.digest,
            artifact_path: self.artifact.path.clone(),
            config: self.config,
            config_paths: paths,
            parameters: self.reached.terms.parameters.clone(),
        }
    }

    /// Compiles the plan, if there is a way back or none is wanted.
    ///
    /// # Errors
    /// Refused (6) when there would be no way back, or the release cannot read the data in use.
    pub(crate) fn plan(&self, history: &History, seen: &Seen, no_way_back: bool) -> Result<Plan> {
        let release = self.release(history.next_sequence());
        let migrate = self.migration(history);
        let is_for_good = migrate.as_ref().is_some_and(|migrate| !migrate.reversible);
        let way_back = if is_for_good {
            self.way_back_until_then(history, seen, no_way_back)?
        } else {
            self.way_back(history, seen, no_way_back)?
        };
        if migrate.is_none() {
            reads_todays_data(history, release.schema)?;
        }
        let old = history.live_release().map(|live| (live.sequence, instances(live)));
        // Only what there is to go back to is worth bringing to a host that lacks it.
        let lacking = match way_back {
            WayBack::Anchor { revision, .. } => seen.lacking(revision),
            WayBack::Empty | WayBack::None => Vec::new(),
        };
        let takeover = Takeover {
            new: release.sequence,
            old,
            instances: self.reached.terms.instances,
            verify: self.environment.verify.is_some(),
            migrate,
            hosts: self.environment.target.hosts().to_vec(),
            lacking,
            hooks: self.environment.hooks.clone(),
            prove: self.environment.prove_rollback && way_back != WayBack::None,
            keep: history.keep(release.sequence, self.environment.keep.releases),
            warm: history.warm(release.sequence, self.environment.keep.warm),
        };
        let steps = compile(&self.environment.strategy, &takeover);
        no_fake_shares(&steps, self.reached.driver.capabilities())?;
        let plan = Plan {
            environment: self.environment.name.clone(),
            intent: Intent::Deploy,
            way_back,
            strategy: self.environment.strategy.clone(),
            steps,
            clocks: self.environment.clocks,
            hooks: self.environment.revert_hooks(),
            from: standing(history, seen),
            release,
        };
        windlass_moving::check_hooks(&plan, &topics::HOOK)?;
        Ok(plan)
    }

    /// How the release brings the data to its schema: not at all where the data has that schema already.
    fn migration(&self, history: &History) -> Option<Migrate> {
        let release = &self.located.policy.release;
        let writes = release.schema.map(|schema| schema.writes);
        let is_there = writes.is_some() && writes == history.schema_written();
        release.migrate.clone().filter(|_| !is_there)
    }

    /// The way back up to a migration that closes it: until then the data is as the live release knows it.
    fn way_back_until_then(&self, history: &History, seen: &Seen, no_way_back: bool) -> Result<WayBack> {
        match staged_anchor(history, seen) {
            Ok(None) => Ok(WayBack::Empty),
            Ok(Some(anchor)) => {
                Ok(WayBack::Anchor { revision: anchor.sequence, instances: instances(anchor) })
            }
            Err(_) if no_way_back => Ok(WayBack::None),
            Err(failure) => Err(failure),
        }
    }

    fn way_back(&self, history: &History, seen: &Seen, no_way_back: bool) -> Result<WayBack> {
        if no_way_back && history.live().is_some() {
            return Ok(WayBack::None);
        }
        let Some(anchor) = staged_anchor(history, seen)? else { return Ok(WayBack::Empty) };
        let revision = anchor.sequence;
        let refuse = |why: &str| no_way_back_to(revision, why);
        let new = self.located.policy.release.schema;
        match (anchor.schema, new) {
            (_, None) => {}
            (Some(old), Some(new)) if old.reads(new.writes) => {}
            (Some(old), Some(new)) => {
                return Err(refuse(&format!(
                    "it reads schemas {} to {}, and the new release writes {}",
                    old.reads_from, old.reads_to, new.writes
                )));
            }
            (None, Some(new)) => {
                return Err(refuse(&format!(
                    "it does not say which schemas it reads, and the new release writes {}",
                    new.writes
                )));
            }
        }
        Ok(WayBack::Anchor { revision, instances: instances(anchor) })
    }
}

/// The live release, where its files are there to go back to; `None` where nothing is live.
fn staged_anchor<'h>(history: &'h History, seen: &Seen) -> Result<Option<&'h Release>> {
    let Some(live) = history.live() else { return Ok(None) };
    let revision = live.revision;
    let Some(anchor) = history.releases.get(&revision) else {
        return Err(no_way_back_to(revision, "its release is not in the ledger"));
    };
    if !seen.keeps(revision) {
        let failure = no_way_back_to(revision, "its files are not on the target any more");
        let again = "or give them back first: deploy its artifact again under --no-way-back, then this one";
        return Err(failure.hint(again));
    }
    Ok(Some(anchor))
}

fn no_way_back_to(revision: Sequence, why: &str) -> Failure {
    Failure::refused(&topics::WAY_BACK, format!("there would be no way back to {revision}: {why}"))
        .hint("accept that with --no-way-back, which freezes on failure instead of going back")
}

/// What a plan says of a migration that closes the way back: where it does.
pub(crate) fn crossing(plan: &Plan) -> Option<String> {
    let place = plan.crossing()?;
    Some(format!("there is no way back after step {} (migrate)", place + 1))
}

/// A target that can only flip is never asked for a share of the requests.
fn no_fake_shares(steps: &[Step], capabilities: Capabilities) -> Result<()> {
    let splits = |step: &&Step| matches!(step, Step::Shift { weights, .. } if weights.0.len() > 1);
    match steps.iter().find(splits) {
        Some(step) if !capabilities.weights => {
            let kind = capabilities.kind;
            Err(Failure::invalid(
                &topics::WEIGHTS,
                format!("the plan has the step `{step}`, and this {kind} target sends everything to one revision"),
            )
            .hint("use `strategy: blue-green`, or say `weights: true` where the target's command can split requests"))
        }
        Some(_) | None => Ok(()),
    }
}

fn reads_todays_data(history: &History, schema: Option<Schema>) -> Result<()> {
    match (history.schema_written(), schema) {
        (Some(written), Some(schema)) if !schema.reads(written) => Err(Failure::refused(
            &topics::SCHEMA,
            format!(
                "the release reads schemas {} to {}, and the data was written under {written}",
                schema.reads_from, schema.reads_to
            ),
        )),
        (Some(written), None) => Err(Failure::refused(
            &topics::SCHEMA,
            format!(
                "the release does not say which schemas it reads, and the data was written under {written}"
            ),
        )),
        (_, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use windlass_domain::outcome::Outcome;
    use windlass_domain::policy::{Percent, Span, Strategy};

    use super::*;

    fn judged(strategy: &Strategy, instances: u16, weights: bool) -> Result<()> {
        let old = Some((Sequence(1), instances));
        let steps = compile(strategy, &Takeover::bare(Sequence(2), old, instances));
        no_fake_shares(&steps, Capabilities { kind: "exec", weights })
    }

    #[test]
    fn rule_15_a_share_is_refused_where_a_target_can_only_flip() {
        let bake = Span::millis(0);
        let canary = Strategy::Canary { steps: vec![Percent::new(5.0).expect("a share")], bake };
        let rolling = Strategy::Rolling { batch: 1, bake };
        let refused = judged(&canary, 1, false).expect_err("a canary needs shares");
        assert_eq!(refused.outcome, Outcome::Invalid);
        assert!(refused.message.contains("shift r2 5%, r1 95%"), "{}", refused.message);
        assert!(judged(&rolling, 2, false).is_err(), "half of the instances is half of the requests");
        // One instance is replaced whole: that is a flip, whatever the strategy is called.
        for strategy in [&rolling, &Strategy::BlueGreen { bake }] {
            judged(strategy, 1, false).expect("a flip");
        }
        judged(&canary, 1, true).expect("it can split");
    }
}
