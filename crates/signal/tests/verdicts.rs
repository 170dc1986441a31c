//! The judge over scripted observations: each rule of the verdict, and that a recording gives the same again.

use proptest::prelude::*;
use windlass_domain::policy::{
    ErrorCheck, Expect, LatencyCheck, NoData, OnInconclusive, Percent, Probe, ProbeKind, Ratio, Span, Verify,
    WarmUp,
};
use windlass_domain::release::Sequence;
use windlass_domain::verdict::{Arm, NoDataReason, Standing, Verdict};
use windlass_signal::judge::{Ending, Judgement, Settings, State};
use windlass_signal::probe::Answer;
use windlass_signal::record::{Observation, Recording, Scrape, Try, replay};
use windlass_signal::source::reading::{Count, Reading, RevisionReading};

fn settings(at_most: Option<f64>, worse_by: Option<f64>) -> Settings {
    let errors = (at_most.is_some() || worse_by.is_some()).then(|| ErrorCheck {
        at_most: at_most.and_then(Percent::new),
        worse_by: worse_by.and_then(Ratio::new),
    });
    Settings {
        verify: Verify {
            probes: Vec::new(),
            errors,
            latency: None,
            restarts: 0,
            within: Span::seconds(60),
            warm_up: WarmUp { time: Span::millis(0), requests: 0 },
            on_inconclusive: OnInconclusive::Hold,
            no_data: NoData::Inconclusive,
        },
        new: Sequence(7),
        old: Some(Sequence(6)),
        bake: Span::seconds(2),
        base_url: None,
        measured: true,
        history: Vec::new(),
        tick: Span::millis(500),
    }
}

fn probe(failures: u32) -> Probe {
    Probe {
        kind: ProbeKind::Http("/healthz".into()),
        expect: Expect::default(),
        timeout: Span::seconds(1),
        every: Span::seconds(1),
        failures,
    }
}

fn revision(requests: u64, bad: u64, weight: f64) -> RevisionReading {
    RevisionReading {
        requests: Count::Value(requests),
        bad: Count::Value(bad),
        buckets: Vec::new(),
        timed: Count::Missing(NoDataReason::Absent),
        weight: Some(weight),
        restarts: Count::Value(0),
        instances: 2,
        not_ready: Vec::new(),
    }
}

/// What is read at each tick.
type Script = Box<dyn Fn(u64) -> Scrape>;

/// A reading each 500 ms: what the counters show at tick `n`.
fn watch(settings: &Settings, reading: impl Fn(u64) -> Scrape) -> Judgement {
    watch_with(settings, reading, |_| Vec::new())
}

fn watch_with(
    settings: &Settings,
    reading: impl Fn(u64) -> Scrape,
    tries: impl Fn(u64) -> Vec<Try>,
) -> Judgement {
    let mut state = State::new(settings);
    let mut recording =
        Recording { settings: settings.clone(), observations: Vec::new(), ending: Ending::Judged };
    for tick in 0..1_000 {
        let observation = Observation { at_ms: tick * 500, scrape: reading(tick), tries: tries(tick) };
        let verdict = state.observe(&observation);
        recording.observations.push(observation);
        if verdict.is_some() {
            return state.judgement(Ending::Judged, recording);
        }
    }
    panic!("no verdict, and no deadline, after 500 s");
}

fn two(new: RevisionReading, old: RevisionReading) -> Scrape {
    Scrape::Read(Box::new(Reading { new, old: Some(old) }))
}

fn said(judgement: &Judgement) -> String {
    format!("{:?} {:?}", judgement.verdict, judgement.reasons)
}

#[test]
fn five_percent_errors_in_a_small_canary_fail_within_seconds() {
    let settings = settings(Some(1.0), Some(2.0));
    let judgement =
        watch(&settings, |tick| two(revision(10 * tick, tick / 2, 0.05), revision(190 * tick, 0, 0.95)));
    assert_eq!(judgement.verdict, Verdict::Failed, "{}", said(&judgement));
    assert!(judgement.elapsed_ms <= 12_000, "{} ms", judgement.elapsed_ms);
    assert!(judgement.bad_new <= 12, "{} bad requests served", judgement.bad_new);
}

#[test]
fn clean_release_passes_after_its_bake_and_not_before() {
    let mut settings = settings(Some(2.0), Some(2.0));
    settings.bake = Span::seconds(10);
    let judgement = watch(&settings, |tick| two(revision(50 * tick, 0, 0.5), revision(50 * tick, 0, 0.5)));
    assert_eq!(judgement.verdict, Verdict::Passed, "{}", said(&judgement));
    assert_eq!(judgement.elapsed_ms, 10_000);
}

#[test]
fn clean_release_with_a_ratio_alone_passes_though_a_ratio_of_nothing_proves_nothing() {
    let judgement = watch(&settings(None, Some(2.0)), |tick| {
        two(revision(50 * tick, 0, 0.5), revision(50 * tick, 0, 0.5))
    });
    assert_eq!(judgement.verdict, Verdict::Passed, "{}", said(&judgement));
    assert!((750..=1_000).contains(&judgement.requests_new), "{}", judgement.requests_new);
}

#[test]
fn silence_is_never_a_pass() {
    let absent = |reason| RevisionReading {
        requests: Count::Missing(reason),
        bad: Count::Missing(reason),
        ..revision(0, 0, 0.5)
    };
    let cases: Vec<(&str, Script, NoDataReason)> = vec![
        ("idle", Box::new(|_| two(revision(9, 0, 0.5), revision(9, 0, 0.5))), NoDataReason::NoRequests),
        (
            "absent",
            Box::new(move |_| two(absent(NoDataReason::Absent), revision(9, 0, 0.5))),
            NoDataReason::Absent,
        ),
        (
            "not a number",
            Box::new(move |_| two(absent(NoDataReason::NotANumber), revision(9, 0, 0.5))),
            NoDataReason::NotANumber,
        ),
        ("never read", Box::new(|_| Scrape::Failed("refused".into())), NoDataReason::SourceError),
        (
            "read no more",
            Box::new(|tick| {
                if tick < 3 {
                    two(revision(tick, 0, 0.5), revision(tick, 0, 0.5))
                } else {
                    Scrape::Failed("gone".into())
                }
            }),
            NoDataReason::SourceError,
        ),
        (
            "stale",
            Box::new(|tick| {
                if tick < 3 { two(revision(tick, 0, 0.5), revision(tick, 0, 0.5)) } else { Scrape::None }
            }),
            NoDataReason::Stale,
        ),
        (
            "resets again and again",
            Box::new(|tick| two(revision(2_000 - tick, 0, 0.5), revision(9, 0, 0.5))),
            NoDataReason::Reset,
        ),
    ];
    for (name, reading, reason) in cases {
        let judgement = watch(&settings(Some(50.0), None), reading);
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{name}: {}", said(&judgement));
        assert_eq!(judgement.metrics[0].no_data, Some(reason), "{name}");
    }
}

#[test]
fn missing_data_fails_or_is_left_out_where_the_policy_says_so() {
    let idle = |_| two(revision(9, 0, 0.5), revision(9, 0, 0.5));
    let mut settings = settings(Some(1.0), None);
    settings.verify.no_data = NoData::Fail;
    assert_eq!(watch(&settings, idle).verdict, Verdict::Failed);
    settings.verify.no_data = NoData::Ignore;
    let judgement = watch(&settings, idle);
    assert_eq!(judgement.verdict, Verdict::Passed, "{}", said(&judgement));
    assert_eq!(judgement.metrics[0].standing, Standing::NotApplicable);
}

#[test]
fn unreadable_source_is_told_from_a_verdict() {
    let judgement = watch(&settings(Some(1.0), None), |_| Scrape::Failed("connection refused".into()));
    assert_eq!(judgement.unreachable.as_deref(), Some("connection refused"));
    let judgement = watch(&settings(Some(1.0), None), |_| two(revision(9, 0, 0.5), revision(9, 0, 0.5)));
    assert_eq!(judgement.unreachable, None);
}

#[test]
fn new_revision_silent_beside_a_serving_old_one_fails_hard() {
    let judgement =
        watch(&settings(Some(1.0), None), |tick| two(revision(0, 0, 0.5), revision(20 * tick, 0, 0.5)));
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert_eq!(judgement.hard[0].what, "silence");
    let judgement =
        watch(&settings(Some(1.0), None), |tick| two(revision(0, 0, 0.0), revision(20 * tick, 0, 1.0)));
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "without a weight nothing is expected of it");
}

#[test]
fn restarts_and_readiness_are_hard_gates() {
    let restarted = |tick: u64| {
        let mut new = revision(50 * tick, 0, 0.5);
        new.restarts = Count::Value(5 + u64::from(tick >= 2));
        two(new, revision(50 * tick, 0, 0.5))
    };
    let mut settings = settings(Some(2.0), None);
    let judgement = watch(&settings, restarted);
    assert_eq!((judgement.verdict, judgement.hard[0].what.as_str()), (Verdict::Failed, "restarts"));
    settings.verify.restarts = 1;
    assert_eq!(watch(&settings, restarted).verdict, Verdict::Passed);

    let unready = |tick: u64| {
        let mut new = revision(50 * tick, 0, 0.5);
        new.not_ready = vec!["1".into()];
        two(new, revision(50 * tick, 0, 0.5))
    };
    let judgement = watch(&settings, unready);
    assert_eq!((judgement.verdict, judgement.hard[0].what.as_str()), (Verdict::Failed, "ready"));
}

#[test]
fn baseline_above_the_objective_makes_it_inconclusive_unless_the_new_is_worse_still() {
    let both = |new_bad: u64| {
        move |tick: u64| two(revision(50 * tick, new_bad * tick, 0.5), revision(50 * tick, 2 * tick, 0.5))
    };
    let judgement = watch(&settings(Some(1.0), Some(2.0)), both(2));
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{}", said(&judgement));
    assert_eq!(judgement.metrics[0].standing, Standing::BaselineUnhealthy);
    let judgement = watch(&settings(Some(1.0), Some(2.0)), both(12));
    assert_eq!(judgement.verdict, Verdict::Failed, "{}", said(&judgement));
}

#[test]
fn warm_up_is_left_out_by_time_and_by_requests() {
    let cold = |tick: u64| two(revision(50 * tick, 10 * tick.min(6), 0.5), revision(50 * tick, 0, 0.5));
    let mut settings = settings(Some(2.0), Some(2.0));
    assert_eq!(watch(&settings, cold).verdict, Verdict::Failed);
    settings.verify.warm_up = WarmUp { time: Span::seconds(3), requests: 0 };
    assert_eq!(watch(&settings, cold).verdict, Verdict::Passed);
    settings.verify.warm_up = WarmUp { time: Span::millis(0), requests: 300 };
    assert_eq!(watch(&settings, cold).verdict, Verdict::Passed);
}

#[test]
fn first_release_has_nothing_to_be_worse_than() {
    let mut settings = settings(Some(2.0), Some(2.0));
    settings.old = None;
    let judgement = watch(&settings, |tick| {
        Scrape::Read(Box::new(Reading { new: revision(50 * tick, 0, 1.0), old: None }))
    });
    assert_eq!(judgement.verdict, Verdict::Passed, "{}", said(&judgement));
    assert_eq!(judgement.metrics[1].standing, Standing::NotApplicable);
}

#[test]
fn without_a_split_the_old_revision_before_is_the_measure_and_that_is_said() {
    let run = |bad_every: u64| {
        watch(&settings(None, Some(2.0)), move |tick| {
            two(revision(50 * tick, 50 * tick / bad_every, 1.0), revision(10_000, 50, 0.0))
        })
    };
    let judgement = run(10);
    assert_eq!(judgement.verdict, Verdict::Failed, "{}", said(&judgement));
    assert!(judgement.metrics[0].notes[0].contains("not randomised"));
    assert_eq!(run(1_000).verdict, Verdict::Passed);
}

#[test]
fn slower_tail_fails_and_an_equal_one_does_not() {
    let with = |mut reading: RevisionReading, slow: u64| {
        let total = reading.requests.get().unwrap();
        reading.buckets = vec![(0.01, total / 2), (0.05, total - total / 20 * slow), (1.0, total)];
        reading.timed = Count::Value(total);
        reading
    };
    let mut settings = settings(None, None);
    settings.verify.latency = Ratio::new(1.3).map(|worse_by| LatencyCheck { worse_by });
    let run = |slow: u64| {
        watch(&settings, |tick| {
            two(with(revision(200 * tick, 0, 0.5), slow), with(revision(1_000 + 200 * tick, 0, 0.5), 1))
        })
    };
    assert_eq!(run(4).verdict, Verdict::Failed, "{}", said(&run(4)));
    assert_ne!(run(1).verdict, Verdict::Failed, "{}", said(&run(1)));
}

#[test]
fn extending_gives_the_time_once_more_and_only_once() {
    let mut settings = settings(Some(1.0), None);
    settings.verify.on_inconclusive = OnInconclusive::Extend;
    let judgement = watch(&settings, |_| two(revision(9, 0, 0.5), revision(9, 0, 0.5)));
    assert_eq!((judgement.verdict, judgement.elapsed_ms), (Verdict::Inconclusive, 120_000));
}

#[test]
fn probes_alone_decide_where_nothing_is_counted() {
    let mut settings = settings(None, None);
    settings.measured = false;
    settings.verify.probes = vec![probe(3), probe(3)];
    let answers = |first: Answer, second: Answer| {
        move |_: u64| {
            let one = |probe, answer: &Answer| Try { probe, took_ms: 1, answer: answer.clone() };
            vec![one(0, &first), one(1, &second)]
        }
    };
    let bad = Answer::Bad("status 500".into());
    let not_asked = Answer::NotAsked("no such host".into());
    let none = |_| Scrape::None;
    let cases = [
        (Answer::Good, Answer::Good, Verdict::Passed),
        (Answer::Good, bad.clone(), Verdict::Failed),
        (Answer::Good, not_asked.clone(), Verdict::Inconclusive),
    ];
    for (first, second, verdict) in cases {
        let judgement = watch_with(&settings, none, answers(first, second));
        assert_eq!(judgement.verdict, verdict, "{}", said(&judgement));
        assert_eq!(judgement.unreachable.is_some(), verdict == Verdict::Inconclusive);
    }
    // No try that ended is no success.
    let judgement = watch(&settings, none);
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{}", said(&judgement));
    // Nothing to judge by at all.
    settings.verify.probes.clear();
    assert_eq!(watch(&settings, none).verdict, Verdict::Inconclusive);
}

#[test]
fn readiness_once_seen_is_not_readiness_now() {
    let mut settings = settings(None, None);
    settings.bake = Span::seconds(10);
    settings.verify.probes = vec![probe(3)];
    let good = |_| vec![Try { probe: 0, took_ms: 1, answer: Answer::Good }];
    let lost = |tick| {
        if tick < 3 { two(revision(0, 0, 0.5), revision(0, 0, 0.5)) } else { Scrape::Failed("gone".into()) }
    };
    let judgement = watch_with(&settings, lost, good);
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{}", said(&judgement));
    assert_eq!(judgement.unreachable.as_deref(), Some("gone"));
    let judgement = watch_with(&settings, |_| two(revision(0, 0, 0.5), revision(0, 0, 0.5)), good);
    assert_eq!(judgement.verdict, Verdict::Passed, "{}", said(&judgement));
}

#[test]
fn history_calibrates_and_without_it_the_report_says_so() {
    let fine = |tick| two(revision(50 * tick, tick / 4, 0.5), revision(50 * tick, tick / 4, 0.5));
    let mut settings = settings(None, Some(2.0));
    let judgement = watch(&settings, fine);
    assert!(judgement.metrics[0].notes[0].starts_with("uncalibrated"), "{}", said(&judgement));
    assert_eq!(judgement.metrics[0].phi.to_bits(), 1.0_f64.to_bits());
    settings.history =
        (0..96).map(|window| Arm { requests: 1_000, bad: if window % 4 == 0 { 40 } else { 5 } }).collect();
    let judgement = watch(&settings, fine);
    assert!(judgement.metrics[0].notes.is_empty(), "{}", said(&judgement));
    assert!(judgement.metrics[0].phi > 5.0, "{}", judgement.metrics[0].phi);
}

#[test]
fn failing_probe_stops_a_release_whose_counters_are_fine() {
    let mut settings = settings(Some(2.0), None);
    settings.verify.probes = vec![probe(3)];
    let fine = |tick| two(revision(50 * tick, 0, 0.5), revision(50 * tick, 0, 0.5));
    let judgement = watch_with(&settings, fine, |_| {
        vec![Try { probe: 0, took_ms: 1, answer: Answer::Bad("the body broke off".into()) }]
    });
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert_eq!(judgement.reasons.len(), 1, "the counts say nothing against it: {}", said(&judgement));
    assert!(
        judgement.hard[0].observed.contains("3 failed tries in a row: the body broke off"),
        "{}",
        said(&judgement)
    );
}

#[test]
fn cut_off_or_altered_recording_is_none() {
    let judgement =
        watch(&settings(Some(2.0), None), |tick| two(revision(50 * tick, 0, 0.5), revision(9, 0, 0.5)));
    let text = judgement.recording.to_json_lines();
    assert_eq!(Recording::parse(&text).unwrap(), judgement.recording);
    let lines: Vec<&str> = text.lines().collect();
    for cut in 0..lines.len() {
        assert!(Recording::parse(&lines[..cut].join("\n")).is_err(), "cut after {cut} lines");
        let mut fewer = lines.clone();
        fewer.remove(cut);
        assert!(Recording::parse(&fewer.join("\n")).is_err(), "without line {}", cut + 1);
    }
    assert!(Recording::parse(&text[..text.len() - 5]).is_err());
    assert!(Recording::parse(&format!("{text}{text}")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn replay_is_the_same_to_the_bit(
        at_most in 0.0_f64..5.0, worse_by in 0.3_f64..9.0, bad in proptest::collection::vec(0_u64..3, 200),
        new in 1_u64..40, old in 1_u64..40
    ) {
        let settings = settings(Some(at_most), Some(worse_by));
        let judgement = watch(&settings, |tick| {
            let sum: u64 = bad.iter().take(usize::try_from(tick).unwrap()).sum();
            two(revision(new * tick, sum.min(new * tick), 0.5), revision(old * tick, 0, 0.5))
        });
        let read = Recording::parse(&judgement.recording.to_json_lines()).unwrap();
        let again = replay(read);
        prop_assert_eq!(&again, &judgement);
        for (a, b) in again.metrics.iter().zip(&judgement.metrics) {
            prop_assert_eq!(a.evidence_fail.to_bits(), b.evidence_fail.to_bits());
            prop_assert_eq!(a.evidence_pass.to_bits(), b.evidence_pass.to_bits());
        }
    }
}
