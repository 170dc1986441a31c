//! The named strategies, spelled out: each as the list of one's own that compiles to the same steps.

use std::fmt::Write as _;

use crate::policy::{CustomStep, Percent, Span, Strategy};

/// The list that compiles to the same steps as `strategy`, for a release with so many instances, or for so many hosts
/// where the target has several. Batches are as many as it takes to have all.
#[must_use]
pub fn spelled_out(strategy: &Strategy, instances: u16, hosts: usize) -> Vec<CustomStep> {
    match strategy {
        Strategy::Rolling { batch, bake } => {
            let all = if hosts > 1 { hosts } else { usize::from(instances) };
            let one = CustomStep { batch: Some(*batch), ..judged(*bake) };
            vec![one; all.div_ceil(usize::from((*batch).max(1))).max(1)]
        }
        Strategy::BlueGreen { bake } => vec![CustomStep { weight: Percent::new(100.0), ..judged(*bake) }],
        Strategy::Canary { steps, bake } => {
            steps.iter().map(|share| CustomStep { weight: Some(*share), ..judged(*bake) }).collect()
        }
        Strategy::Custom { steps } => steps.clone(),
    }
}

const fn judged(bake: Span) -> CustomStep {
    CustomStep { weight: None, batch: None, settle: true, verify: true, bake, pause: Span::millis(0) }
}

/// One step as `windlass.yml` has it, without its defaults: `{ weight: 5%, bake: 10m }`.
#[must_use]
pub fn step_yaml(step: &CustomStep) -> String {
    let mut keys = Vec::new();
    keys.extend(step.batch.map(|batch| format!("batch: {batch}")));
    keys.extend(step.weight.map(|weight| format!("weight: {weight}")));
    keys.extend((!step.settle).then(|| "settle: false".to_owned()));
    keys.extend((!step.verify).then(|| "verify: false".to_owned()));
    keys.extend((step.bake > Span::millis(0)).then(|| format!("bake: {}", step.bake)));
    keys.extend((step.pause > Span::millis(0)).then(|| format!("pause: {}", step.pause)));
    format!("{{ {} }}", keys.join(", "))
}

/// The list as `windlass.yml` has it, its first line without indent.
#[must_use]
pub fn yaml(steps: &[CustomStep]) -> String {
    let mut text = String::from("strategy:\n  kind: custom\n  steps:\n");
    for step in steps {
        writeln!(text, "    - {}", step_yaml(step)).expect("writing to a string cannot fail");
    }
    text
}
