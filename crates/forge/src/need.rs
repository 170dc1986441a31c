//! What a token must be allowed, and what gives it: for a job of GitHub, the line of YAML.

use std::collections::BTreeMap;

use crate::fault::Fault;

/// What a token must be allowed for a question, in the words of its forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The permission: `deployments: write`, or the scope and role of a GitLab token.
    pub permission: &'static str,
    /// What gives it.
    pub remedy: Remedy,
}

/// What gives a token a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The permission as an entry under `permissions:` of a GitHub job.
    Job {
        /// What a token that is not the job's own must have: `needs …`.
        own: &'static str,
    },
    /// Another token: what to write or to click, in a sentence.
    Token(&'static str),
}

impl Need {
    /// What to do so that the token has it, in a sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.remedy {
            Remedy::Job { own } => in_a_job(&[self.permission], &[own]),
            Remedy::Token(remedy) => remedy.to_owned(),
        }
    }
}

/// What to do about several faults, each thing once: what a job of GitHub lacks is one line for all of them.
#[must_use]
pub fn remedies<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Vec<String> {
    let (mut permissions, mut owns, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for fault in faults {
        match fault {
            Fault::Denied { need: Need { permission, remedy: Remedy::Job { own } }, status, .. }
                if *status != 401 =>
            {
                push(&mut permissions, *permission);
                push(&mut owns, *own);
            }
            other => push(&mut others, other.hint()),
        }
    }
    if !permissions.is_empty() {
        others.insert(0, in_a_job(&permissions, &owns));
    }
    others
}

fn push<T: PartialEq>(to: &mut Vec<T>, one: T) {
    if !to.contains(&one) {
        to.push(one);
    }
}

/// The line for a job. A job that names permissions has no others, and without `contents: read` it cannot even be checked
/// out.
fn in_a_job(permissions: &[&str], owns: &[&str]) -> String {
    let mut levels = BTreeMap::from([("contents", "read")]);
    for (name, level) in permissions.iter().filter_map(|one| one.split_once(": ")) {
        let known = levels.entry(name).or_insert(level);
        if level == "write" {
            *known = level;
        }
    }
    let entries: Vec<String> = levels.iter().map(|(name, level)| format!("{name}: {level}")).collect();
    format!(
        "add `permissions: {{ {} }}` to the job, beside what it has there, and hand it `GITHUB_TOKEN: ${{{{ github.token }}}}` under `env:`; a token of your own {}",
        entries.join(", "),
        owns.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(permission: &'static str, own: &'static str, status: u16) -> Fault {
        let need = Need { permission, remedy: Remedy::Job { own } };
        Fault::Denied { attempt: "read".into(), status, says: String::new(), need }
    }

    #[test]
    fn what_a_job_lacks_is_one_line_with_the_higher_of_two_levels() {
        let faults = [
            denied("pull-requests: read", "needs Pull requests", 403),
            denied("deployments: write", "needs Deployments", 404),
            denied("deployments: read", "needs Deployments", 403),
            Fault::Offline,
            Fault::Offline,
        ];
        let told = remedies(&faults);
        assert_eq!(told.len(), 2, "{told:?}");
        let line = "`permissions: { contents: read, deployments: write, pull-requests: read }`";
        assert!(told[0].contains(line), "{told:?}");
        assert!(told[0].ends_with("needs Pull requests and needs Deployments"), "{told:?}");
        assert_eq!(remedies(&[]), [""; 0]);
    }

    #[test]
    fn a_token_that_is_not_valid_is_to_be_replaced_first() {
        let told = remedies(&[denied("actions: read", "needs Actions", 401)]);
        assert!(
            told[0].starts_with("set a token that is valid; add `permissions: { actions: read, "),
            "{told:?}"
        );
    }
}
