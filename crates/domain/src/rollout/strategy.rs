//! Strategies are data: each compiles to a list of steps, and one engine runs them all.

use super::body::{Body, hundredths};
use super::plan::hooks_at;
use super::step::{Step, Weights};
use crate::policy::{Hook, HookPhase, Migrate, Span, Strategy, When};
use crate::release::Sequence;

/// What a strategy is compiled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The revision that takes over.
    pub new: Sequence,
    /// The revision that is live and how many instances it has, if any.
    pub old: Option<(Sequence, u16)>,
    /// How many instances the new one shall have, on each host.
    pub instances: u16,
    /// The hosts, where the target has several.
    pub hosts: Vec<String>,
    /// Those of them that have not got the old one's files and are to have them first, so that they can go back too.
    pub lacking: Vec<String>,
    /// Whether the policy says how a running release is judged.
    pub verify: bool,
    /// How the new one brings the data to its schema.
    pub migrate: Option<Migrate>,
    /// What is run before and after the phases.
    pub hooks: Vec<Hook>,
    /// Whether the way back is walked once before the commit.
    pub prove: bool,
    /// The revisions whose files stay afterwards.
    pub keep: Vec<Sequence>,
    /// The revisions whose instances stay afterwards, beside those of the new one.
    pub warm: Vec<Sequence>,
}

impl Takeover {
    /// A takeover with nothing around it, after which only the new and what it replaces stay.
    #[must_use]
    pub fn bare(new: Sequence, old: Option<(Sequence, u16)>, instances: u16) -> Self {
        let keep = old.map(|(old, _)| old).into_iter().chain([new]).collect();
        Self {
            new,
            old,
            instances,
            hosts: Vec::new(),
            lacking: Vec::new(),
            verify: false,
            migrate: None,
            hooks: Vec::new(),
            prove: false,
            keep,
            warm: Vec::new(),
        }
    }
}

impl Takeover {
    /// Whether the way back is walked: not where the migrated data would stand in it.
    fn proves(&self) -> bool {
        let is_for_good = self.migrate.as_ref().is_some_and(|migrate| !migrate.reversible);
        self.prove && !is_for_good
    }
}

/// The steps by which a release takes over. Every list begins with staging and ends with commit and retire; nothing
/// old is stopped before the commit, except to prove that it can come back.
#[must_use]
pub fn compile(strategy: &Strategy, takeover: &Takeover) -> Vec<Step> {
    let mut body =
        Body { takeover, steps: Vec::new(), running: 0, hosts: 0, share: 0, bake: Span::millis(0) };
    match (strategy, takeover.old) {
        (Strategy::Rolling { batch, bake }, Some(_)) => body.rolling(*batch, *bake),
        (Strategy::Canary { steps, bake }, Some(_)) => {
            body.start_all();
            steps.iter().for_each(|share| body.shift(hundredths(*share), true, true, *bake));
        }
        (Strategy::Custom { steps }, Some(_)) => steps.iter().for_each(|step| body.custom(step)),
        (Strategy::Custom { steps }, None) => {
            let bake = steps.iter().map(|step| step.bake).max().unwrap_or(Span::millis(0));
            body.start_all();
            body.shift(Weights::WHOLE, true, true, bake);
        }
        (Strategy::BlueGreen { bake }, _)
        | (Strategy::Rolling { bake, .. } | Strategy::Canary { bake, .. }, None) => {
            body.start_all();
            body.shift(Weights::WHOLE, true, true, *bake);
        }
    }
    body.start_all();
    if body.share < Weights::WHOLE {
        body.shift(Weights::WHOLE, true, true, Span::millis(0));
    }
    body.settle_at_last();
    let bake = body.bake;
    let body = body.steps;

    let at = |when, phase| hooks_at(&takeover.hooks, when, phase);
    // What is before the first shift is the staging; everything else happens while requests move.
    let first_shift = body.iter().position(|step| matches!(step, Step::Shift { .. })).unwrap_or(body.len());
    let (staging, shifting) = body.split_at(first_shift);
    let mut steps = join(takeover);
    steps.extend(at(When::Before, HookPhase::Stage));
    if let Some(migrate) = &takeover.migrate {
        // Instances may need the data as they will find it, so that only files are there before.
        steps.push(Step::stage(takeover.new, 0));
        steps.extend(at(When::Before, HookPhase::Migrate));
        let Migrate { up, timeout, reversible } = migrate.clone();
        steps.push(Step::Migrate { revision: takeover.new, run: up, timeout, reversible });
        steps.extend(at(When::After, HookPhase::Migrate));
    }
    steps.extend_from_slice(staging);
    steps.extend(at(When::After, HookPhase::Stage));
    steps.extend(at(When::Before, HookPhase::Shift));
    steps.extend_from_slice(shifting);
    if let (true, Some((old, instances))) = (takeover.proves(), takeover.old) {
        steps.extend(walk_back(takeover, old, instances, bake));
    }
    steps.extend(at(When::After, HookPhase::Shift));
    steps.extend(finish(takeover));
    steps
}

/// Hosts that are new get the old first, ready to serve: what a failure goes back to is there on all of them before
/// anything else is touched.
fn join(takeover: &Takeover) -> Vec<Step> {
    match (takeover.old, &takeover.lacking[..]) {
        (Some((revision, instances)), [_, ..]) => vec![
            Step::Stage { revision, instances, on: takeover.lacking.clone() },
            Step::AwaitReady { revision, instances, on: takeover.lacking.clone() },
        ],
        (Some(_) | None, _) => Vec::new(),
    }
}

/// The steps of a rollback: straight back, but never before the old is ready.
#[must_use]
pub fn compile_rollback(takeover: &Takeover) -> Vec<Step> {
    let Takeover { new, instances, hooks, .. } = takeover;
    let mut steps = hooks_at(hooks, When::Before, HookPhase::Stage);
    steps.push(Step::stage(*new, *instances));
    steps.push(Step::await_ready(*new, *instances));
    steps.extend(hooks_at(hooks, When::After, HookPhase::Stage));
    steps.extend(hooks_at(hooks, When::Before, HookPhase::Shift));
    steps.push(Step::shift(Weights::all(*new)));
    steps.push(Step::Settle);
    steps.extend(hooks_at(hooks, When::After, HookPhase::Shift));
    steps.extend(finish(takeover));
    steps
}

/// The way back, walked: the old is stopped, brought back from its files as a rollback would, serves and is judged on
/// what the new has written; then the new takes over again.
fn walk_back(takeover: &Takeover, old: Sequence, instances: u16, bake: Span) -> Vec<Step> {
    let mut steps = vec![
        Step::Withdraw { revision: old },
        Step::stage(old, instances),
        Step::await_ready(old, instances),
        Step::shift(Weights::all(old)),
        Step::Settle,
    ];
    let judged = takeover.verify || bake > Span::millis(0);
    if judged {
        steps.push(Step::Verify { revision: Some(old), weight: Weights::WHOLE, bake });
    }
    steps.extend([Step::shift(Weights::all(takeover.new)), Step::Settle]);
    if judged {
        steps.push(Step::Verify { revision: None, weight: Weights::WHOLE, bake });
    }
    steps
}

fn finish(takeover: &Takeover) -> Vec<Step> {
    let at = |when, phase| hooks_at(&takeover.hooks, when, phase);
    let mut steps = at(When::Before, HookPhase::Commit);
    steps.push(Step::Commit { revision: takeover.new });
    steps.extend(at(When::After, HookPhase::Commit));
    steps.extend(at(When::Before, HookPhase::Retire));
    steps.push(Step::Retire { live: takeover.new, warm: takeover.warm.clone(), keep: takeover.keep.clone() });
    steps.extend(at(When::After, HookPhase::Retire));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{CustomStep, Percent};

    fn lines(strategy: &Strategy, old: Option<u64>, instances: u16) -> String {
        let old = old.map(|old| (Sequence(old), instances));
        let takeover = Takeover { verify: true, ..Takeover::bare(Sequence(2), old, instances) };
        told(strategy, &takeover)
    }

    fn told(strategy: &Strategy, takeover: &Takeover) -> String {
        compile(strategy, takeover).iter().map(|step| format!("{step}\n")).collect()
    }

    #[test]
    fn canary_rises_and_is_verified_at_each_share() {
        let steps = [5.0, 50.0].map(|share| Percent::new(share).unwrap()).to_vec();
        let canary = Strategy::Canary { steps, bake: Span::minutes(10) };
        insta::assert_snapshot!(lines(&canary, Some(1), 2), @r"
        stage r2 ×2
        await-ready r2 ×2
        shift r2 5%, r1 95%
        settle
        verify at 5% for 10m
        shift r2 50%, r1 50%
        settle
        verify at 50% for 10m
        shift r2 100%
        settle
        verify at 100% for 0s
        commit r2
        retire all but r2
        ");
    }

    #[test]
    fn rolling_follows_its_instances() {
        let rolling = Strategy::Rolling { batch: 2, bake: Span::millis(0) };
        insta::assert_snapshot!(lines(&rolling, Some(1), 3), @r"
        stage r2 ×2
        await-ready r2 ×2
        shift r2 66.66%, r1 33.34%
        settle
        verify at 66.66% for 0s
        stage r2 ×3
        await-ready r2 ×3
        shift r2 100%
        settle
        verify at 100% for 0s
        commit r2
        retire all but r2
        ");
    }

    #[test]
    fn a_first_release_has_nothing_to_share_with() {
        let canary = Strategy::Canary { steps: vec![Percent::new(5.0).unwrap()], bake: Span::seconds(1) };
        insta::assert_snapshot!(lines(&canary, None, 1), @r"
        stage r2 ×1
        await-ready r2 ×1
        shift r2 100%
        settle
        verify at 100% for 1s
        commit r2
        retire all but r2
        ");
    }

    fn full() -> Takeover {
        let hook = |when, phase| Hook {
            when,
            phase,
            run: vec!["bin/told".into()],
            env: std::collections::BTreeMap::new(),
            timeout: Span::minutes(1),
        };
        Takeover {
            verify: true,
            migrate: Some(Migrate {
                up: vec!["bin/migrate".into()],
                reversible: true,
                timeout: Span::minutes(5),
            }),
            hooks: vec![
                hook(When::After, HookPhase::Retire),
                hook(When::Before, HookPhase::Stage),
                hook(When::After, HookPhase::Stage),
                hook(When::Before, HookPhase::Migrate),
                hook(When::After, HookPhase::Migrate),
                hook(When::Before, HookPhase::Shift),
                hook(When::After, HookPhase::Shift),
                hook(When::Before, HookPhase::Commit),
                hook(When::After, HookPhase::Commit),
                hook(When::Before, HookPhase::Retire),
                hook(When::Before, HookPhase::Revert),
            ],
            prove: true,
            warm: vec![Sequence(1)],
            ..Takeover::bare(Sequence(2), Some((Sequence(1), 2)), 3)
        }
    }

    #[test]
    fn hooks_migration_and_the_proof_of_the_way_back_have_their_places() {
        let blue_green = Strategy::BlueGreen { bake: Span::seconds(5) };
        insta::assert_snapshot!(told(&blue_green, &full()), @r"
        hook before stage
        stage the files of r2
        hook before migrate
        migrate to the schema of r2
        hook after migrate
        stage r2 ×3
        await-ready r2 ×3
        hook after stage
        hook before shift
        shift r2 100%
        settle
        verify at 100% for 5s
        withdraw r1
        stage r1 ×2
        await-ready r1 ×2
        shift r1 100%
        settle
        verify r1 at 100% for 5s
        shift r2 100%
        settle
        verify at 100% for 5s
        hook after shift
        hook before commit
        commit r2
        hook after commit
        hook before retire
        retire all but r2, r1
        hook after retire
        ");
    }

    #[test]
    fn rolling_over_hosts_takes_them_in_batches_and_stops_nothing_old() {
        let hosts = ["a", "b", "c"].map(str::to_owned).to_vec();
        let takeover = Takeover { hosts, hooks: Vec::new(), migrate: None, prove: false, ..full() };
        insta::assert_snapshot!(told(&Strategy::Rolling { batch: 2, bake: Span::seconds(0) }, &takeover), @r"
        stage r2 ×3 on a, b
        await-ready r2 ×3 on a, b
        shift r2 100% on a, b
        settle
        verify at 66.66% for 0s
        stage r2 ×3 on c
        await-ready r2 ×3 on c
        shift r2 100% on c
        settle
        verify at 100% for 0s
        commit r2
        retire all but r2, r1
        ");
    }

    #[test]
    fn a_host_that_lacks_the_old_gets_it_before_anything_else() {
        let hosts = ["a", "b"].map(str::to_owned).to_vec();
        let lacking = vec!["b".to_owned()];
        let takeover = Takeover { hosts, lacking, prove: false, ..full() };
        let steps = compile(&Strategy::BlueGreen { bake: Span::seconds(0) }, &takeover);
        let first: String = steps.iter().take(4).map(|step| format!("{step}\n")).collect();
        insta::assert_snapshot!(first, @r"
        stage r1 ×2 on b
        await-ready r1 ×2 on b
        hook before stage
        stage the files of r2
        ");
        let nothing_old = Takeover { old: None, ..takeover };
        let steps = compile(&Strategy::BlueGreen { bake: Span::seconds(0) }, &nothing_old);
        assert_eq!(steps[0].to_string(), "hook before stage");
    }

    #[test]
    fn a_list_of_ones_own_is_followed_and_ends_with_everything() {
        let step = CustomStep {
            weight: None,
            batch: None,
            settle: true,
            verify: true,
            bake: Span::millis(0),
            pause: Span::millis(0),
        };
        let steps = vec![
            CustomStep { batch: Some(1), weight: Percent::new(1.0), bake: Span::minutes(2), ..step.clone() },
            CustomStep { pause: Span::minutes(30), ..step.clone() },
            CustomStep { weight: Percent::new(40.0), settle: false, verify: false, ..step.clone() },
        ];
        let takeover = Takeover { hooks: Vec::new(), migrate: None, prove: false, ..full() };
        insta::assert_snapshot!(told(&Strategy::Custom { steps }, &takeover), @r"
        stage r2 ×1
        await-ready r2 ×1
        shift r2 1%, r1 99%
        settle
        verify at 1% for 2m
        pause 30m
        stage r2 ×3
        await-ready r2 ×3
        shift r2 40%, r1 60%
        shift r2 100%
        settle
        verify at 100% for 0s
        commit r2
        retire all but r2, r1
        ");
    }
}
