//! Who is told: receivers, their secrets, moments and environments.

use super::within;

/// `cases` as the item of `notify`, on the third line.
fn notify(cases: &[&str]) -> String {
    const REST: &str =
        "environments: { dev: { gates: none, evidence: unsigned, target: { kind: exec, command: a } } }\n";
    within("notify: ", cases, REST)
}

#[test]
fn a_notification_has_one_receiver() {
    let cases = [
        "[{ slack: A }, { teams: B }]",
        "",
        "slack",
        "{}",
        "{ slak: SLACK_URL }",
        "{ slack: A, teams: B }",
        "{ slack: [A] }",
        "[{ webhook: HOOK_URL }, { webhook: { url: A } }, { webhook: { url: A, secret: B, key: C } }]",
    ];
    insta::assert_snapshot!(notify(&cases), @r#"
    no mistake
    3:1: `notify` needs a list, not nothing (remove the key, or give it a value)
    3:9: `notify` needs a map, not `slack` (keys of a notification: slack, teams, discord, webhook, email, on, environments, template)
    3:1: a notification has no receiver (write one of `slack`, `teams`, `discord`, `webhook` and `email`, such as `slack: SLACK_URL`)
    3:1: a notification has no receiver (write one of `slack`, `teams`, `discord`, `webhook` and `email`, such as `slack: SLACK_URL`)
    3:11: unknown key `slak` in a notification (did you mean `slack`? allowed: `slack`, `teams`, `discord`, `webhook`, `email`, `on`, `environments`, `template`)
    3:21: a notification has two receivers, `slack` and `teams` (make each an item of its own)
    3:11: `slack` needs the name of a variable (write for example `SLACK_URL`)
    3:21: a webhook needs a URL and the key that signs what is sent (write the names of two variables: `webhook: { url: HOOK_URL, secret: HOOK_SECRET }`)
    3:35: `webhook` has no `secret` (add for example `secret: HOOK_SECRET`)
    3:90: unknown key `key` in webhook (allowed: `url`, `secret`)
    "#);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let cases = [
        "{ slack: 'https://hooks.slack.com/services/T0/B0/hunter2' }",
        "{ slack: $SLACK_URL }",
        "{ slack: '${{ secrets.SLACK_URL }}' }",
        "{ slack: slack_url }",
        "{ slack: 'hunter2!' }",
        "{ slack: 1A }",
        "{ slack: '' }",
        "{ webhook: { url: A, secret: 'hunter2!' } }",
        "{ email: { smtp: m:25, from: a@b, to: c@d, user: ana, password: hunter2 } }",
        "{ email: { smtp: m:25, tls: none, from: a@b, to: c@d, user: A, password: B } }",
        "{ email: { smtp: m:25, from: a@b, to: c@d, user: A } }",
    ];
    let told = notify(&cases);
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told, @r#"
    3:18: `slack` is a URL, and whoever has it can post (keep it out of the file: put it into a variable and name that, `SLACK_URL`)
    3:18: `slack` needs the name of a variable alone (did you mean `SLACK_URL`?)
    3:18: `slack` needs the name of a variable alone (did you mean `SLACK_URL`?)
    3:18: `slack` needs the name of a variable in capitals (name a variable that holds the value; never write the value itself)
    3:18: `slack` is not the name of a variable (capitals, digits and `_`, such as `SLACK_URL`; never the value itself)
    3:18: `slack` is not the name of a variable (capitals, digits and `_`, such as `SLACK_URL`; never the value itself)
    3:18: `slack` is not the name of a variable (capitals, digits and `_`, such as `SLACK_URL`; never the value itself)
    3:38: `secret` is not the name of a variable (capitals, digits and `_`, such as `HOOK_SECRET`; never the value itself)
    3:58: `user` needs the name of a variable in capitals (name a variable that holds the value; never write the value itself)
    3:73: `password` needs the name of a variable in capitals (name a variable that holds the value; never write the value itself)
    3:37: a password would be sent unencrypted (write `tls: starttls` or `tls: tls`, or leave `user` and `password` out)
    3:52: `user` stands without `password` (add `password:` and a variable)
    "#);
}

#[test]
fn a_mail_has_a_server_and_addresses_that_begin_no_header() {
    let cases = [
        "{ email: {} }",
        "{ email: { smtp: mail.example.org, from: a@b, to: c@d } }",
        "{ email: { smtp: 'mail:0', from: a@b, to: c@d } }",
        "{ email: { smtp: '::1:25', from: a@b, to: c@d } }",
        "{ email: { smtp: 'smtp://mail:25', from: a@b, to: c@d } }",
        "{ email: { smtp: m:25, tls: ssl, from: a@b, to: [] } }",
        "{ email: { smtp: m:25, from: \"a@b\\r\\nBcc: x@y\", to: 'Ops <ops@example.org>' } }",
        "{ email: { smtp: m:25, from: 'a@b,c@d', to: [a..b@c, a@-b] } }",
    ];
    insta::assert_snapshot!(notify(&cases), @r#"
    3:11: `email` has no `smtp` (add for example `smtp: mail.example.org:587`)
    3:11: `email` has no `from` (add for example `from: windlass@example.org`)
    3:11: `email` has no `to` (add for example `to: [ops@example.org]`)
    3:26: `smtp` is not a mail server: `mail.example.org` (write a host and a port, such as `mail.example.org:587`)
    3:26: `smtp` is not a mail server: `mail:0` (write a host and a port, such as `mail.example.org:587`)
    3:26: `smtp` is not a mail server: `::1:25` (write a host and a port, such as `mail.example.org:587`)
    3:26: `smtp` is not a mail server: `smtp://mail:25` (write a host and a port, such as `mail.example.org:587`)
    3:37: `tls` cannot be `ssl` (allowed: `starttls`, `tls`, `none`)
    3:53: a mail to nobody is not sent (name an address)
    3:38: `from` needs an e-mail address, not `a@b
    Bcc: x@y` (write the address alone: `ops@example.org`)
    3:61: `to` needs an e-mail address, not `Ops <ops@example.org>` (write the address alone: `ops@example.org`)
    3:38: `from` needs an e-mail address, not `a@b,c@d` (write the address alone: `ops@example.org`)
    3:54: `to` needs an e-mail address, not `a..b@c` (write the address alone: `ops@example.org`)
    3:62: `to` needs an e-mail address, not `a@-b` (write the address alone: `ops@example.org`)
    "#);
}

#[test]
fn what_is_heard_is_there() {
    let cases = [
        "{ slack: A, on: [] }",
        "{ slack: A, on: [life, rolled_back] }",
        "{ slack: A, on: live, environments: [] }",
        "{ slack: A, environments: [dev, prod, deb] }",
        "{ slack: A, template: '' }",
        "{ slack: A, template: { path: x } }",
        "{ slack: A, template: [x] }",
    ];
    insta::assert_snapshot!(notify(&cases), @r#"
    3:21: a receiver that hears nothing is told nothing (name moments, or remove `on`)
    3:26: `on` cannot be `life` (did you mean `live`? allowed: `started`, `waiting`, `live`, `rolled-back`, `failed`, `held`, `stuck`, `open`)
    3:32: `on` cannot be `rolled_back` (did you mean `rolled-back`? allowed: `started`, `waiting`, `live`, `rolled-back`, `failed`, `held`, `stuck`, `open`)
    3:31: a receiver that hears of no environment (name environments, or remove `environments`: then it is told of all)
    3:41: `environments` names `prod`, and no environment is called that (allowed: `dev`)
    3:47: `environments` names `deb`, and no environment is called that (did you mean `dev`? allowed: `dev`)
    3:31: `template` is an empty text (write a text in quotes, "{{ app }}: {{ what }}", or `{ file: deploy/notify.txt }`)
    3:21: `template` has no `file` (add for example `file: deploy/notify.txt`)
    3:33: unknown key `path` in template (allowed: `file`)
    3:21: `template` needs a text, not a list (write a text in quotes, "{{ app }}: {{ what }}", or `{ file: deploy/notify.txt }`)
    "#);
}

#[test]
fn receivers_are_not_without_number() {
    let many = format!("[{}]", "{ slack: A }, ".repeat(51));
    insta::assert_snapshot!(notify(&[&many]), @r#"
    3:710: 51 receivers are too many (a policy has at most 50)
    "#);
}
