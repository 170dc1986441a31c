//! Whole `windlass.yml` files: what good ones mean, and that a bad one's mistakes are told at once.

use windlass_domain::announcement::Moment;
use windlass_domain::digest::Digest;
use windlass_domain::policy::{
    Environment, Gates, MailTls, Policy, Problem, Receiver, Span, Strategy, Target,
};

fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|problems| panic!("{}", listed(&problems)))
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|one| format!("{}:{}: {}\n", one.line, one.column, one.message)).collect()
}

#[test]
fn the_designs_example_means_what_it_says() {
    let text = include_str!("policies/good/design.yml");
    let policy = parse(text);
    assert_eq!(policy.digest, Digest::of(text.as_bytes()));
    let names: Vec<&str> = policy.environments.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["dev", "staging", "production"]);
    let schema = policy.release.schema.expect("a schema");
    assert_eq!((schema.writes, schema.reads_from, schema.reads_to), (12, 11, 12));
    let Environment { target: Target::Host(host), gates: Gates::Conditions(gates), .. } =
        &policy.environments[0]
    else {
        panic!("dev is a host with conditions");
    };
    assert_eq!(
        (host.run.as_slice(), host.instances),
        (["bin/shop", "--port", "{port}"].map(str::to_owned).as_slice(), 2)
    );
    let conditions: Vec<String> =
        gates.iter().map(|one| format!("{}: {} {}", one.line, one.metric, one.bound)).collect();
    assert_eq!(conditions, ["16: tests.failed == 0", "17: tests.total >= 1"]);
    let production = policy.environment("production").expect("it is there");
    let Strategy::Canary { steps, bake } = &production.strategy else { panic!("a canary") };
    assert_eq!((steps.len(), *bake), (3, Span::minutes(10)));
    assert_eq!(production.freeze[0].to.to_string(), "2027-01-05T00:00:00", "the last day is frozen whole");
}

#[test]
fn short_and_long_forms_are_one_policy() {
    let (short, long) =
        (parse(include_str!("policies/good/short.yml")), parse(include_str!("policies/good/long.yml")));
    let digest = short.digest;
    let mut long = Policy { digest, ..long };
    // The line of a condition is the only thing that may differ.
    for environment in &mut long.environments {
        if let Gates::Conditions(conditions) = &mut environment.gates {
            conditions.iter_mut().for_each(|condition| condition.line = 7);
        }
    }
    assert_eq!(short, long);
}

#[test]
fn every_key_has_a_value_that_is_read() {
    let policy = parse(include_str!("policies/good/full.yml"));
    let Target::Host(host) = &policy.environments[0].target else { panic!("a host") };
    assert_eq!(host.run[3..], ["8080", "true"], "numbers and booleans are the text that was written");
    assert_eq!(host.env["WORKERS"], "4");
    assert_eq!(policy.environments[0].keep.releases, 0);
}

#[test]
fn receivers_hear_all_but_the_beginning_of_all_environments_unless_they_say_otherwise() {
    let policy = parse(include_str!("policies/good/notify.yml"));
    let heard = |index: usize, environment: &str| {
        let notify = &policy.notify[index];
        let heard = Moment::ALL.into_iter().filter(|moment| notify.hears(*moment, environment));
        heard.map(Moment::word).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(heard(0, "dev"), "waiting live rolled-back failed held stuck open");
    assert_eq!((heard(1, "production"), heard(1, "dev")), ("stuck open".into(), String::new()));
    assert_eq!((heard(2, "production"), heard(2, "dev")), (String::new(), "live".into()));
    assert!(heard(3, "dev").starts_with("started"));
    let mail = |index: usize| match &policy.notify[index].receiver {
        Receiver::Email(email) => (email.host.as_str(), email.port, email.tls),
        other => panic!("{other:?}"),
    };
    assert_eq!(mail(4), ("mail.example.org", 587, MailTls::StartTls));
    assert_eq!(mail(5), ("::1", 25, MailTls::None));
    assert_eq!(
        mail(6),
        ("mail.example.org", 465, MailTls::Tls),
        "the port says that it is encrypted at once"
    );
}

#[test]
fn a_text_keeps_the_look_it_was_written_with() {
    let text = "version: 1\napp: 007\nenvironments: { 1.10: { gates: none } }\n";
    let problems = Policy::parse(text).expect_err("1.10 is no name");
    assert!(problems[0].message.contains("`1.10`"), "{}", listed(&problems));
    let run =
        "[a, 1.10, 0x1F, 1e3, 012, 1_000, yes, null-ish, .inf, 99999999999999999999999999999999999999999]";
    let text = format!(
        "version: 1\napp: a\nenvironments: {{ dev: {{ gates: none, evidence: unsigned, target: {{ kind: exec, command: {run} }} }} }}\n"
    );
    let Target::Exec(exec) = parse(&text).environments.remove(0).target else { panic!("exec") };
    assert_eq!(format!("[{}]", exec.command.join(", ")), run);
}

#[test]
fn an_anchor_may_be_used_again_and_a_mistake_in_it_is_shown_where_it_is_used() {
    let text = "version: 1\napp: a\nenvironments:\n  dev: &dev { gates: none, evidence: unsigned, target: { kind: exec, command: a } }\n  test: *dev\n";
    assert_eq!(parse(text).environments.len(), 2);
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_in_its_order() {
    let problems = Policy::parse(include_str!("policies/bad/many.yml")).expect_err("mistakes");
    let lines: Vec<usize> = problems.iter().map(|one| one.line).collect();
    assert_eq!(
        lines,
        [
            1, 2, 5, 7, 10, 10, 14, 15, 16, 17, 18, 18, 21, 22, 23, 24, 24, 25, 27, 27, 28, 29, 29, 29, 31,
            32, 32, 33, 33, 34, 37, 37, 38, 39, 40
        ],
        "{}",
        listed(&problems)
    );
    assert!(
        problems
            .iter()
            .any(|one| one.message == "`needs` runs in a circle: `staging` → `production` → `staging`")
    );
}

#[test]
fn a_longer_circle_is_named_whole_and_once() {
    let environment = |name: &str, needs: &str| {
        format!("  {name}: {{ needs: {needs}, evidence: unsigned, target: {{ kind: exec, command: a }} }}\n")
    };
    let text = format!(
        "version: 1\napp: a\nenvironments:\n{}{}{}{}",
        environment("a", "[b]"),
        environment("b", "[c]"),
        environment("c", "[a, d]"),
        environment("d", "[]").replace("needs: []", "gates: none"),
    );
    let problems = Policy::parse(&text).expect_err("a circle");
    assert_eq!(listed(&problems), "6:16: `needs` runs in a circle: `a` → `b` → `c` → `a`\n");
}
