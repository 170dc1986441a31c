//! The secrets that a pipeline hands on to the jobs that tell of a release: those that `notify` of `windlass.yml` names.
//!
//! In a template such a line is a comment, so that the template is a pipeline without them. A line with `@secret@` stands
//! for one line a secret, with `@secret@` for its name and `@secret-word@` for the same in small letters; one that ends with
//! `@with-secrets@` stands for itself where there is any. `@secrets@` are all of them.

use windlass_domain::policy::Policy;

/// The word of a written file's mark that remembers them, separated by commas.
pub(super) const WORD: &str = "secrets";

const EACH: &str = "@secret@";
const ANY: &str = "@with-secrets@";
const ALL: &str = "@secrets@";

/// The secrets of a policy, each once, in its order.
pub(super) fn of(policy: &Policy) -> String {
    let mut names: Vec<&str> = Vec::new();
    for variable in policy.notify.iter().flat_map(|notify| notify.receiver.variables()) {
        if !names.contains(&variable.0.as_str()) {
            names.push(&variable.0);
        }
    }
    names.join(",")
}

/// Whether a template hands secrets on.
pub(super) fn are_taken(template: &str) -> bool {
    [EACH, ANY, ALL].iter().any(|mark| template.contains(mark))
}

/// Writes the lines of the secrets, and takes them out where there is none.
pub(super) fn hand_on(template: &str, secrets: &str) -> String {
    let names: Vec<&str> = secrets.split(',').filter(|name| !name.is_empty()).collect();
    let mut out = String::with_capacity(template.len());
    for line in template.split_inclusive('\n') {
        if line.contains(EACH) {
            let line = uncommented(line);
            for name in &names {
                out.push_str(&line.replace(EACH, name).replace("@secret-word@", &name.to_lowercase()));
            }
        } else if let Some((kept, _)) = line.split_once(ANY) {
            if !names.is_empty() {
                out.push_str(uncommented(kept).trim_end());
                out.push('\n');
            }
        } else {
            out.push_str(line);
        }
    }
    if names.is_empty() { out } else { out.replace(ALL, &names.join(" ")) }
}

/// The line without the sign that makes it a comment.
fn uncommented(line: &str) -> String {
    let text = line.trim_start_matches(' ');
    let indent = &line[..line.len() - text.len()];
    let bare = text.strip_prefix("# ").or_else(|| text.strip_prefix("// ")).unwrap_or(text);
    format!("{indent}{bare}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "steps:\n  # env: @with-secrets@\n  #   @secret@: $(@secret-word@)\n  // # @secrets@ @with-secrets@\nend\n";

    #[test]
    fn each_secret_has_its_line_and_none_leaves_none() {
        assert_eq!(
            hand_on(TEMPLATE, "SLACK_URL,KEY"),
            "steps:\n  env:\n    SLACK_URL: $(slack_url)\n    KEY: $(key)\n  # SLACK_URL KEY\nend\n"
        );
        assert_eq!(hand_on(TEMPLATE, ""), "steps:\nend\n");
    }

    #[test]
    fn the_secrets_of_a_policy_are_named_once_in_its_order() {
        let text = "version: 1\napp: shop\nrelease: dist/\nenvironments:\n  dev:\n    gates: none\n    evidence: unsigned\n    target: { kind: host, \
                    listen: \"127.0.0.1:0\", run: [app] }\nnotify:\n  - webhook: { url: HOOK_URL, secret: HOOK_KEY }\n  - slack: SLACK_URL\n  \
                    - slack: SLACK_URL\n    on: [live]\n  - email: { smtp: \"mail.example.org:587\", from: a@example.org, to: [b@example.org], \
                    user: MAIL_USER, password: MAIL_PASSWORD }\n";
        let policy = Policy::parse(text).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(of(&policy), "HOOK_URL,HOOK_KEY,SLACK_URL,MAIL_USER,MAIL_PASSWORD");
    }
}
