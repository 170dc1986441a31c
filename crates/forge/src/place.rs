//! Which forge a run belongs to, at which address, with which token: found in captured variables, never asked of the
//! process itself.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::Url;
use windlass_domain::secret::Secret;

use crate::fault::Fault;

/// The variables of a run.
pub type Vars = BTreeMap<String, String>;

/// Which forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GitHub, or GitHub Enterprise Server.
    Github,
    /// GitLab, here or elsewhere.
    Gitlab,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
        })
    }
}

/// A token, and where it came from.
#[derive(Clone, Debug)]
pub struct Token {
    /// The variable that held it.
    pub variable: &'static str,
    /// Its value.
    pub value: Secret<String>,
}

/// Where to ask.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which forge.
    pub kind: Kind,
    /// The address of its API, without a slash at its end.
    pub api: String,
    /// `owner/name`, or GitLab's number or path of a project.
    pub repository: String,
    /// The token, where there is one.
    pub token: Option<Token>,
    /// GitHub's number of the run, or GitLab's of the job.
    pub run: Option<String>,
    /// The page of the run's log.
    pub log: Option<String>,
    /// The environment of the CI job, for which the CI system writes a record itself.
    pub environment: Option<String>,
    /// The proxy for this address, where the variables name one.
    pub proxy: Option<Secret<String>>,
}

impl Place {
    /// The place of a run: its CI system's own variables, else the address of the remote `origin`.
    ///
    /// # Errors
    /// Not set, where neither says it or the address is none.
    pub fn find(vars: &Vars, remote: Option<&str>) -> Result<Self, Fault> {
        let is_on = |name: &str| vars.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let place = if is_on("GITLAB_CI") {
            gitlab(vars)
        } else if is_on("GITHUB_ACTIONS") || vars.contains_key("GITHUB_REPOSITORY") {
            github(vars)
        } else {
            None
        };
        let place = place.or_else(|| remote.and_then(|remote| elsewhere(vars, remote))).ok_or_else(|| Fault::NotSet {
            why: "no forge is known: neither the CI system's variables nor the remote `origin` name one".to_owned(),
            remedy: "run it in the CI system, or set GITHUB_REPOSITORY (and GITHUB_API_URL for your own server)".to_owned(),
        })?;
        check(&place)?;
        Ok(Self { proxy: proxy(vars, &place.api), ..place })
    }
}

fn bare(kind: Kind, api: &str, repository: &str, token: Option<Token>) -> Place {
    Place {
        kind,
        api: api.trim_end_matches('/').to_owned(),
        repository: repository.to_owned(),
        token,
        run: None,
        log: None,
        environment: None,
        proxy: None,
    }
}

fn token(vars: &Vars, names: &[&'static str]) -> Option<Token> {
    names.iter().find_map(|variable| {
        let value = vars.get(*variable).map(|value| value.trim()).filter(|value| !value.is_empty())?;
        Some(Token { variable, value: Secret::new(value.to_owned()) })
    })
}

const GITHUB_TOKENS: &[&str] = &["WINDLASS_FORGE_TOKEN", "GITHUB_TOKEN"];
const GITLAB_TOKENS: &[&str] = &["WINDLASS_FORGE_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN"];

fn github(vars: &Vars) -> Option<Place> {
    let repository = vars.get("GITHUB_REPOSITORY").filter(|name| name.split('/').count() == 2)?;
    let api = vars.get("GITHUB_API_URL").map_or("https://api.github.com", String::as_str);
    let server = vars.get("GITHUB_SERVER_URL").map_or("https://github.com", String::as_str);
    let run = vars.get("GITHUB_RUN_ID").filter(|run| run.bytes().all(|byte| byte.is_ascii_digit())).cloned();
    let log =
        run.as_ref().map(|run| format!("{}/{repository}/actions/runs/{run}", server.trim_end_matches('/')));
    Some(Place { run, log, ..bare(Kind::Github, api, repository, token(vars, GITHUB_TOKENS)) })
}

fn gitlab(vars: &Vars) -> Option<Place> {
    let project = vars.get("CI_PROJECT_ID").or_else(|| vars.get("CI_PROJECT_PATH"))?;
    let api = vars.get("CI_API_V4_URL").map_or("https://gitlab.com/api/v4", String::as_str);
    // Jobs that prepare, verify or access an environment make no record, nor does one that stops it.
    let records = vars.get("CI_ENVIRONMENT_ACTION").is_none_or(|action| action == "start");
    Some(Place {
        run: vars.get("CI_JOB_ID").cloned(),
        log: vars.get("CI_JOB_URL").cloned(),
        environment: vars.get("CI_ENVIRONMENT_NAME").filter(|_| records).cloned(),
        ..bare(Kind::Gitlab, api, project, token(vars, GITLAB_TOKENS))
    })
}

/// What the address of a remote says: `git@host:owner/name.git`, `https://host/owner/name`, `ssh://git@host/owner/name`.
fn elsewhere(vars: &Vars, remote: &str) -> Option<Place> {
    let remote = remote.trim();
    let rest = remote.split_once("://").map(|(_, rest)| rest);
    let (host, path) = match rest {
        Some(rest) => rest.split_once('/')?,
        None => remote.split_once(':')?,
    };
    let host = host.rsplit('@').next()?.split(':').next()?;
    let path = path.trim_matches('/').trim_end_matches(".git");
    let parts = path.split('/').count();
    if host.contains("github") && parts == 2 {
        let own = format!("https://{host}/api/v3");
        let api = match (host, vars.get("GITHUB_API_URL")) {
            (_, Some(api)) => api.as_str(),
            ("github.com", None) => "https://api.github.com",
            (_, None) => own.as_str(),
        };
        return Some(bare(Kind::Github, api, path, token(vars, GITHUB_TOKENS)));
    }
    if host.contains("gitlab") && parts >= 2 {
        let own = format!("https://{host}/api/v4");
        let api = vars.get("CI_API_V4_URL").map_or(own.as_str(), String::as_str);
        return Some(bare(Kind::Gitlab, api, path, token(vars, GITLAB_TOKENS)));
    }
    None
}

/// A token goes over TLS, or stays on this machine.
fn check(place: &Place) -> Result<(), Fault> {
    let refuse = |why: String| {
        Err(Fault::NotSet {
            why,
            remedy: "set GITHUB_API_URL or CI_API_V4_URL to its https address".to_owned(),
        })
    };
    match Url::parse(&place.api) {
        Ok(url) if url.scheme() == "https" => Ok(()),
        Ok(url) if url.scheme() == "http" && url.host_str().is_some_and(is_loopback) => Ok(()),
        Ok(url) => refuse(format!(
            "the API of {} at {} is not https: no token is sent there",
            place.kind,
            url.origin().ascii_serialization()
        )),
        Err(error) => refuse(format!("the address of {}'s API is none: {error}", place.kind)),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The proxy for an address, by the variables that curl and git listen to, in either case; `NO_PROXY` goes first.
fn proxy(vars: &Vars, api: &str) -> Option<Secret<String>> {
    let read = |name: &str| vars.get(&name.to_lowercase()).or_else(|| vars.get(name));
    let url = Url::parse(api).ok()?;
    let host = url.host_str()?;
    let spared = read("NO_PROXY").is_some_and(|list| list.split(',').any(|one| is_spared(one.trim(), host)));
    let named = if url.scheme() == "https" { read("HTTPS_PROXY") } else { read("HTTP_PROXY") };
    let named = named.or_else(|| read("ALL_PROXY")).filter(|_| !spared)?;
    let address = if named.contains("://") { named.clone() } else { format!("http://{named}") };
    Some(Secret::new(address))
}

/// `*`, a host, or a domain with all its hosts.
fn is_spared(one: &str, host: &str) -> bool {
    let one = one.split(':').next().unwrap_or_default().trim_start_matches("*.").trim_start_matches('.');
    one == "*"
        || (!one.is_empty()
            && (host.eq_ignore_ascii_case(one)
                || host.to_lowercase().ends_with(&format!(".{}", one.to_lowercase()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_ci_system_and_each_form_of_remote_names_its_api() {
        let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "shop/shop")];
        let own = [("GITHUB_REPOSITORY", "shop/shop"), ("GITHUB_API_URL", "https://git.example/api/v3/")];
        let gitlab =
            [("GITLAB_CI", "true"), ("CI_PROJECT_ID", "7"), ("CI_API_V4_URL", "https://gl.example/api/v4")];
        /// Variables, the remote, the API's address and the repository that they mean.
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, &'a str, &'a str);
        let cases: [Case<'_>; 8] = [
            (&github, None, "https://api.github.com", "shop/shop"),
            (&own, None, "https://git.example/api/v3", "shop/shop"),
            (&gitlab, None, "https://gl.example/api/v4", "7"),
            (&[], Some("git@github.com:a/b.git"), "https://api.github.com", "a/b"),
            (
                &[],
                Some("https://user:secret@github.example.org/a/b"),
                "https://github.example.org/api/v3",
                "a/b",
            ),
            (
                &[],
                Some("ssh://git@gitlab.example.org:2222/a/b/c.git"),
                "https://gitlab.example.org/api/v4",
                "a/b/c",
            ),
            (&github, Some("git@gitlab.com:x/y.git"), "https://api.github.com", "shop/shop"),
            (&[], Some("https://gitlab.com/x/y/"), "https://gitlab.com/api/v4", "x/y"),
        ];
        for (set, remote, api, repository) in cases {
            let place = Place::find(&vars(set), remote).unwrap();
            assert_eq!(
                (place.api.as_str(), place.repository.as_str()),
                (api, repository),
                "{set:?} {remote:?}"
            );
        }
        for remote in [None, Some("git@code.example:a/b"), Some("https://github.com/a"), Some("/srv/git")] {
            assert!(matches!(Place::find(&Vars::new(), remote), Err(Fault::NotSet { .. })), "{remote:?}");
        }
    }

    #[test]
    fn a_token_is_the_projects_own_first_and_is_never_shown() {
        let all = [
            ("GITHUB_REPOSITORY", "a/b"),
            ("GITHUB_TOKEN", "ghs_s3cret"),
            ("WINDLASS_FORGE_TOKEN", "own-s3cret"),
        ];
        let place = Place::find(&vars(&all), None).unwrap();
        assert_eq!(place.token.as_ref().unwrap().value.expose(), "own-s3cret");
        assert!(!format!("{place:?}").contains("s3cret"), "{place:?}");
        let job = [("GITLAB_CI", "true"), ("CI_PROJECT_ID", "7"), ("CI_JOB_TOKEN", "glcbt")];
        assert_eq!(Place::find(&vars(&job), None).unwrap().token.unwrap().variable, "CI_JOB_TOKEN");
    }

    #[test]
    fn gitlab_makes_a_record_only_for_a_job_that_starts_an_environment() {
        let records = |action: Option<&str>| {
            let job = [("GITLAB_CI", "true"), ("CI_PROJECT_ID", "7"), ("CI_ENVIRONMENT_NAME", "staging")];
            let mut vars = vars(&job);
            vars.extend(action.map(|action| ("CI_ENVIRONMENT_ACTION".to_owned(), action.to_owned())));
            Place::find(&vars, None).unwrap().environment.is_some()
        };
        assert!(records(None) && records(Some("start")));
        for action in ["prepare", "verify", "access", "stop"] {
            assert!(!records(Some(action)), "{action}");
        }
    }

    #[test]
    fn no_token_goes_over_a_network_in_the_clear() {
        for (api, good) in [
            ("http://git.example/api/v3", false),
            ("ftp://git.example", false),
            ("git.example", false),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000", true),
            ("http://localhost.git.example", false),
        ] {
            let found = Place::find(&vars(&[("GITHUB_REPOSITORY", "a/b"), ("GITHUB_API_URL", api)]), None);
            assert_eq!(found.is_ok(), good, "{api}");
        }
    }

    #[test]
    fn a_proxy_is_taken_unless_no_proxy_names_the_host_or_its_domain() {
        let cases = [
            ("", true),
            ("git.example", false),
            (".example", false),
            ("*.example", false),
            ("other.example, git.example:443", false),
            ("t.example", true),
            ("*", false),
        ];
        for (list, is_taken) in cases {
            let set = [
                ("GITHUB_REPOSITORY", "a/b"),
                ("GITHUB_API_URL", "https://git.example/api/v3"),
                ("HTTPS_PROXY", "proxy.example:3128"),
                ("NO_PROXY", list),
            ];
            let place = Place::find(&vars(&set), None).unwrap();
            assert_eq!(place.proxy.is_some(), is_taken, "{list}");
        }
    }
}
