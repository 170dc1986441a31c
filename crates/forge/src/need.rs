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
    /// What to do so that the token of this variable has it, in a sentence.
    #[must_use]
    pub fn hint(&self, token: &str) -> String {
        match self.remedy {
            Remedy::Job { own } => in_a_job(token, &[self.permission], &[own]),
            Remedy::Token(remedy) => remedy.to_owned(),
        }
    }
}

/// What to do about several faults, each thing once: what a job of GitHub lacks is one line for all of them.
#[must_use]
pub fn remedies<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Vec<String> {
    let (mut permissions, mut owns, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut variable = "";
    for fault in faults {
        match fault {
            Fault::Denied {
                need: Need { permission, remedy: Remedy::Job { own } }, status, token, ..
            } if *status != 401 => {
                variable = *token;
                push(&mut permissions, *permission);
                push(&mut owns, *own);
            }
            other => push(&mut others, other.hint()),
        }
    }
    if !permissions.is_empty() {
        others.insert(0, in_a_job(variable, &permissions, &owns));
    }
    others
}

fn push<T: PartialEq>(to: &mut Vec<T>, one: T) {
    if !to.contains(&one) {
        to.push(one);
    }
}

/// The line for a job. A job that names permissions has no others, and without `contents: read` it cannot even be checked
/// out. A token of somebody's own has what it was made with, whatever a job says.
fn in_a_job(token: &str, permissions: &[&str], owns: &[&str]) -> String {
    let owns = owns.join(" and ");
    let mut levels = BTreeMap::from([("contents", "read")]);
    for (name, level) in permissions.iter().filter_map(|one| one.split_once(": ")) {
        let known = levels.entry(name).or_insert(level);
        if level == "write" {
            *known = level;
        }
    }
    let entries: Vec<String> = levels.iter().map(|(name, level)| format!("{name}: {level}")).collect();
    let line = format!("`permissions: {{ {} }}`", entries.join(", "));
    let hand = "`GITHUB_TOKEN: ${{ github.token }}` under `env:`";
    if token == "WINDLASS_FORGE_TOKEN" {
        format!(
            "the token in WINDLASS_FORGE_TOKEN {owns}; or leave that out where the job's own will do, add {line} to the job, beside what it has there, and hand it {hand}"
        )
    } else {
        format!(
            "add {line} to the job, beside what it has there, and hand it {hand}; a token of your own {owns}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(permission: &'static str, own: &'static str, status: u16) -> Fault {
        let need = Need { permission, remedy: Remedy::Job { own } };
        Fault::Denied { attempt: "read".into(), status, says: String::new(), need, token: "GITHUB_TOKEN" }
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

    #[test]
    fn a_token_of_ones_own_is_named_since_a_jobs_permissions_do_not_change_it() {
        let need = Need { permission: "actions: read", remedy: Remedy::Job { own: "needs Actions: read" } };
        let told = need.hint("WINDLASS_FORGE_TOKEN");
        assert!(
            told.starts_with("the token in WINDLASS_FORGE_TOKEN needs Actions: read; or leave that out"),
            "{told}"
        );
    }
}
