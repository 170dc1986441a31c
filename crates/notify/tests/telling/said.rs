//! Announcements to tell.

use std::collections::BTreeMap;
use std::path::Path;

use windlass_domain::announcement::{Announcement, Direction, Moment};
use windlass_domain::digest::Digest;
use windlass_domain::policy::{Notify, Policy};
use windlass_domain::release::{Release, Sequence};
use windlass_notify::{Bounds, Letter, Teller, tellers};

/// A release that is live, with everything that can be known of it.
pub(crate) fn live() -> Announcement {
    let artifact = Digest::of(b"shop");
    Announcement {
        moment: Moment::Live,
        direction: Direction::Forward,
        app: "shop".into(),
        environment: "production".into(),
        what: "r7 is live in production, after 4 steps".into(),
        why: Some("all checks passed".into()),
        next: Some("windlass status -e production".into()),
        artifact: Some(artifact),
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        release: Some(Release {
            sequence: Sequence(7),
            app: "shop".into(),
            artifact,
            config: None,
            secrets: Vec::new(),
            schema: None,
            parameters: serde_json::Value::Null,
            commit: None,
        }),
        before: Some(Sequence(6)),
        plan: Some(Digest::of(b"plan")),
        by: "ana, GitHub Actions".into(),
        run: Some("https://github.example/o/shop/actions/runs/1".into()),
        at: "2026-11-26T15:00:00Z".parse().unwrap(),
    }
}

/// An announcement every text of which is `text`.
pub(crate) fn all(text: &str) -> Announcement {
    let mut said = live();
    if let Some(release) = &mut said.release {
        release.app = text.to_owned();
        release.commit = Some(text.to_owned());
    }
    Announcement {
        app: text.to_owned(),
        environment: text.to_owned(),
        what: text.to_owned(),
        why: Some(text.to_owned()),
        next: Some(text.to_owned()),
        commit: Some(text.to_owned()),
        by: text.to_owned(),
        run: Some(text.to_owned()),
        ..said
    }
}

/// The receivers of a `notify:` list, as YAML.
pub(crate) fn notify(yaml: &str) -> Vec<Notify> {
    let text = format!(
        "version: 1\napp: shop\nenvironments:\n  production:\n    gates: none\n    evidence: unsigned\n    \
         target: {{ kind: exec, command: a }}\nnotify:\n{yaml}\n"
    );
    match Policy::parse(&text) {
        Ok(policy) => policy.notify,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// The only receiver of a list, with these variables.
pub(crate) fn teller(yaml: &str, vars: &[(&str, &str)], bounds: Bounds) -> Teller {
    let vars: BTreeMap<String, String> =
        vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut all = tellers(&notify(yaml), Path::new("/nowhere"), &vars, bounds);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// What the only receiver of a list would be sent.
pub(crate) fn letter(yaml: &str, said: &Announcement) -> Result<Letter, String> {
    teller(yaml, &[], Bounds::default()).letter(said)
}

/// The same, as JSON.
pub(crate) fn json(yaml: &str, said: &Announcement) -> serde_json::Value {
    match letter(yaml, said).unwrap() {
        Letter::Post(body) => serde_json::from_str(&body).unwrap(),
        Letter::Mail { .. } => panic!("a mail is no JSON"),
    }
}
