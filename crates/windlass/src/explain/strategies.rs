//! A strategy's steps: as a list of one's own, to copy into `windlass.yml`, and as they are compiled.

use std::fmt::Write as _;

use windlass_domain::policy::{CustomStep, Percent, Span, Strategy};
use windlass_domain::release::Sequence;
use windlass_domain::rollout::{Takeover, compile, spelled_out, yaml};

/// The instances of the example: enough to see batches.
const INSTANCES: u16 = 3;

/// The strategy of that name, with the values that its line in the documentation has.
fn example(name: &str) -> Option<Strategy> {
    let share = |share: f64| Percent::new(share);
    Some(match name {
        "rolling" => Strategy::Rolling { batch: 1, bake: Span::seconds(30) },
        "blue-green" => Strategy::BlueGreen { bake: Span::minutes(5) },
        "canary" => Strategy::Canary {
            steps: [5.0, 25.0, 50.0].into_iter().filter_map(share).collect(),
            bake: Span::minutes(10),
        },
        "custom" => {
            let still = CustomStep {
                weight: None,
                batch: None,
                settle: true,
                verify: true,
                bake: Span::millis(0),
                pause: Span::millis(0),
            };
            Strategy::Custom {
                steps: vec![
                    CustomStep {
                        batch: Some(1),
                        weight: share(1.0),
                        bake: Span::minutes(5),
                        ..still.clone()
                    },
                    CustomStep { pause: Span::minutes(30), ..still.clone() },
                    CustomStep { weight: share(50.0), bake: Span::minutes(10), ..still },
                ],
            }
        }
        _ => return None,
    })
}

/// Both, indented as the rest of an explanation.
pub(super) fn steps(name: &str) -> Option<String> {
    let strategy = example(name)?;
    let own = spelled_out(&strategy, INSTANCES, 0);
    let takeover =
        Takeover { verify: true, ..Takeover::bare(Sequence(2), Some((Sequence(1), INSTANCES)), INSTANCES) };
    let mut text = String::from("as a list of your own, for windlass.yml\n");
    for line in yaml(&own).lines() {
        writeln!(text, "  {line}").expect("writing to a string cannot fail");
    }
    writeln!(text, "as it is compiled, where r2 follows r1 with {INSTANCES} instances and `verify` judges")
        .expect("writing to a string cannot fail");
    for step in compile(&strategy, &takeover) {
        writeln!(text, "  {step}").expect("writing to a string cannot fail");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use windlass_domain::policy::Policy;

    use super::*;
    use crate::explain::{explain, words};

    /// The part of an explanation between two of its headings.
    fn part<'a>(text: &'a str, from: &str, to: &str) -> String {
        let part = text.split(from).nth(1).and_then(|rest| rest.split_once('\n')).expect(from).1;
        let part: &'a str = part.split(to).next().expect(to);
        part.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
    }

    #[test]
    fn a_printed_strategy_pasted_into_the_policy_compiles_to_the_printed_steps() {
        let names: Vec<&str> = words::STRATEGIES.iter().map(|topic| topic.key).collect();
        assert!(names.len() >= 4, "{names:?}");
        for name in names {
            let text = anstream::adapter::strip_str(&explain(Some(name)).expect(name)).to_string();
            let pasted: String = part(&text, "as a list of your own", "as it is compiled")
                .lines()
                .map(|line| format!("    {line}\n"))
                .collect();
            let policy = format!(
                "version: 1\napp: shop\nenvironments:\n  live:\n    gates: none\n    evidence: unsigned\n    target:\n      \
                 kind: host\n      listen: 127.0.0.1:0\n      run: [./app]\n      instances: {INSTANCES}\n{pasted}"
            );
            let policy =
                Policy::parse(&policy).unwrap_or_else(|mistakes| panic!("{mistakes:?} in\n{policy}"));
            let read = &policy.environments[0].strategy;
            assert!(matches!(read, Strategy::Custom { .. }), "{read:?}");
            for (old, instances) in [(Some(Sequence(1)), INSTANCES), (None, INSTANCES)] {
                let old = old.map(|old| (old, INSTANCES));
                let takeover = Takeover { verify: true, ..Takeover::bare(Sequence(2), old, instances) };
                let named = example(name).expect(name);
                assert_eq!(compile(read, &takeover), compile(&named, &takeover), "{name} after {old:?}");
                if old.is_some() {
                    let printed = part(&text, "as it is compiled", "next\n");
                    let told: String =
                        compile(read, &takeover).iter().map(|step| format!("{step}\n")).collect();
                    assert_eq!(printed, told, "{name}");
                }
            }
        }
    }

    #[test]
    fn the_kind_may_stand_before_the_word() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(super::super::named(&words(&["strategy", "canary"])).expect("known"), Some("canary"));
        let wrong = super::super::named(&words(&["metric", "canary"])).expect_err("a canary is no metric");
        assert!(wrong.hints[0].contains("strategy, step"), "{wrong:?}");
    }
}
