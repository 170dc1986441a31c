//! Who agreed, as GitHub and GitLab tell it, and what of it does not count.

use windlass_forge::{Fault, Matter, Means, Opinions};

use crate::server::{Server, json};
use crate::{COMMIT, github, gitlab};

fn matter() -> Matter {
    Matter { commit: COMMIT.into(), environment: "production".into() }
}

/// The opinions as text: `login yes review time`.
fn told(opinions: &Opinions) -> Vec<String> {
    let mut told: Vec<String> = opinions
        .given
        .iter()
        .map(|one| {
            let means = match one.means {
                Means::Environment => "environment",
                Means::Review => "review",
            };
            format!("{} {} {means} {}", one.login, if one.agrees { "yes" } else { "no" }, one.given)
        })
        .collect();
    told.sort();
    told
}

const HEAD: &str = "89abcdef0123456789abcdef0123456789abcdef";

fn github_server(run_of: &'static str) -> Server {
    Server::start(move |asked, _| {
        let path = asked.path.split('?').next().unwrap().strip_prefix("/repos/shop/shop").unwrap();
        match path {
            "/actions/runs/12" => {
                json(200, &format!(r#"{{ "head_sha": "{run_of}", "created_at": "2026-11-26T10:00:00Z" }}"#))
            }
            "/actions/runs/12/approvals" => json(
                200,
                r#"[{ "state": "approved", "comment": "", "user": { "login": "Ana" }, "environments": [{ "name": "Production" }] },
                    { "state": "rejected", "comment": "", "user": { "login": "Ben" }, "environments": [{ "name": "production" }] },
                    { "state": "approved", "comment": "", "user": { "login": "Cleo" }, "environments": [{ "name": "staging" }] },
                    { "state": "pending", "comment": "", "user": { "login": "Dan" }, "environments": [{ "name": "production" }] }]"#,
            ),
            "/pulls/3/reviews" => json(
                200,
                &format!(
                    r#"[{{ "state": "APPROVED", "user": {{ "login": "Eve" }}, "commit_id": "{HEAD}", "submitted_at": "2026-11-26T09:00:00Z" }},
                        {{ "state": "APPROVED", "user": {{ "login": "Early" }}, "commit_id": "{COMMIT}", "submitted_at": "2026-11-25T09:00:00Z" }},
                        {{ "state": "CHANGES_REQUESTED", "user": {{ "login": "Fay" }}, "commit_id": "{COMMIT}", "submitted_at": "2026-11-26T09:30:00Z" }},
                        {{ "state": "COMMENTED", "user": {{ "login": "Gus" }}, "commit_id": "{HEAD}", "submitted_at": "2026-11-26T09:30:00Z" }},
                        {{ "state": "APPROVED", "user": null, "commit_id": "{HEAD}", "submitted_at": "2026-11-26T09:30:00Z" }}]"#
                ),
            ),
            "/pulls/3/commits" => json(
                200,
                r#"[{ "author": { "login": "Pat" }, "committer": { "login": "web-flow" } }, { "author": null, "committer": null }]"#,
            ),
            path if path.ends_with("/pulls") => json(
                200,
                &format!(
                    r#"[{{ "number": 3, "user": {{ "login": "Opener" }}, "merged_at": "2026-11-26T09:45:00Z", "merge_commit_sha": "{COMMIT}", "head": {{ "sha": "{HEAD}" }} }},
                        {{ "number": 4, "user": {{ "login": "Other" }}, "merged_at": null, "merge_commit_sha": "{COMMIT}", "head": {{ "sha": "{HEAD}" }} }}]"#
                ),
            ),
            path if path.starts_with("/commits/") => {
                json(200, r#"{ "author": { "login": "Author" }, "committer": { "login": "web-flow" } }"#)
            }
            _ => json(404, r#"{ "message": "Not Found" }"#),
        }
    })
}

#[test]
fn github_tells_approvals_of_this_environment_and_reviews_of_what_was_merged() {
    let server = github_server(COMMIT);
    let opinions = github(&server.url(), async |forge| forge.opinions(&matter()).await.unwrap());
    assert_eq!(
        told(&opinions),
        [
            "Ana yes environment 2026-11-26T10:00:00Z",
            "Ben no environment 2026-11-26T10:00:00Z",
            "Eve yes review 2026-11-26T09:00:00Z",
            "Fay no review 2026-11-26T09:30:00Z",
        ]
    );
    assert_eq!(opinions.missing, []);
    let authors: Vec<&str> = opinions.authors.iter().map(String::as_str).collect();
    assert_eq!(authors, ["author", "opener", "pat"]);
    assert!(
        opinions.notes.iter().any(|note| note.contains("by Early is of an earlier commit")),
        "{opinions:?}"
    );
    assert!(opinions.notes.iter().any(|note| note.contains("pull request 4 has the commit")), "{opinions:?}");
}

#[test]
fn approvals_of_a_run_of_another_commit_do_not_count() {
    let server = github_server(HEAD);
    let opinions = github(&server.url(), async |forge| forge.opinions(&matter()).await.unwrap());
    assert!(opinions.given.iter().all(|one| one.means == Means::Review), "{opinions:?}");
    assert!(opinions.notes.iter().any(|note| note.contains("the approvals of run 12 are of commit")));
}

#[test]
fn what_cannot_be_read_is_missing_with_its_permission_and_not_nothing() {
    let server =
        Server::start(|_, _| json(403, r#"{ "message": "Resource not accessible by integration" }"#));
    let opinions = github(&server.url(), async |forge| forge.opinions(&matter()).await.unwrap());
    let hints: Vec<String> = opinions.missing.iter().map(Fault::hint).collect();
    for permission in ["contents: read", "actions: read", "pull-requests: read"] {
        assert!(hints.iter().any(|hint| hint.contains(permission)), "{hints:?}");
    }
}

#[test]
fn github_tells_members_from_strangers_only_where_it_shows_the_team() {
    let server = Server::start(|asked, _| match asked.path.as_str() {
        "/orgs/shop/teams/release" | "/orgs/other/teams/release" => json(200, r#"{ "slug": "release" }"#),
        "/orgs/shop/teams/release/memberships/ana" => json(200, r#"{ "state": "active", "role": "member" }"#),
        "/orgs/shop/teams/release/memberships/ben" => {
            json(200, r#"{ "state": "pending", "role": "member" }"#)
        }
        _ => json(404, r#"{ "message": "Not Found" }"#),
    });
    github(&server.url(), async |forge| {
        assert_eq!(forge.is_member("release", "ana").await, Ok(true));
        assert_eq!(forge.is_member("release", "ben").await, Ok(false));
        assert_eq!(forge.is_member("other/release", "ana").await, Ok(false));
        let fault = forge.is_member("secret", "ana").await.unwrap_err();
        assert!(
            fault.hint().contains("read:org") && fault.hint().contains("GITHUB_TOKEN cannot"),
            "{}",
            fault.hint()
        );
    });
}

fn gitlab_server(approved: &'static str) -> Server {
    Server::start(move |asked, _| {
        let path = asked.path.split('?').next().unwrap().to_owned();
        match path.as_str() {
            "/projects/7/deployments" => json(
                200,
                &format!(
                    r#"[{{ "id": 51, "sha": "{HEAD}", "deployable": {{ "id": 98 }} }}, {{ "id": 50, "sha": "{COMMIT}", "deployable": {{ "id": 99 }} }}]"#
                ),
            ),
            "/projects/7/deployments/50" => json(
                200,
                &format!(
                    r#"{{ "id": 50, "sha": "{COMMIT}", "deployable": {{ "id": 99 }}, "approvals": [
                        {{ "user": {{ "id": 1, "username": "ana", "name": "Ana" }}, "status": "approved", "created_at": "2026-11-26T10:00:00.000Z" }},
                        {{ "user": {{ "id": 2, "username": "ben", "name": "Ben" }}, "status": "rejected", "created_at": "2026-11-26T10:01:00.000Z" }}] }}"#
                ),
            ),
            "/projects/7/merge_requests/3/versions" => json(
                200,
                r#"[{ "id": 2, "created_at": "2026-11-26T08:00:00Z" }, { "id": 1, "created_at": "2026-11-25T08:00:00Z" }]"#,
            ),
            "/projects/7/merge_requests/3/commits" => {
                json(200, r#"[{ "id": "x", "author_name": "Dora Doe", "author_email": "dora@example.org" }]"#)
            }
            "/projects/7/merge_requests/3/approvals" => json(200, approved),
            "/users/1" => json(200, r#"{ "id": 1, "username": "ana", "public_email": "ana@example.org" }"#),
            path if path.ends_with("/merge_requests") => json(
                200,
                &format!(
                    r#"[{{ "iid": 3, "state": "merged", "author": {{ "id": 9, "username": "Opener" }}, "created_at": "2026-11-24T08:00:00Z", "sha": "{HEAD}", "merge_commit_sha": "{COMMIT}", "squash_commit_sha": null }}]"#
                ),
            ),
            _ => json(404, r#"{ "message": "404 Not found" }"#),
        }
    })
}

#[test]
fn gitlab_tells_approvals_of_this_jobs_deployment_and_of_the_newest_version() {
    let server = gitlab_server(
        r#"{ "approved_by": [
            { "user": { "id": 1, "username": "ana", "name": "Ana" }, "approved_at": "2026-11-26T09:00:00Z" },
            { "user": { "id": 3, "username": "cleo", "name": "Cleo" }, "approved_at": "2026-11-25T09:00:00Z" },
            { "user": { "id": 5, "username": "dd", "name": "Dora Doe" }, "approved_at": "2026-11-26T09:00:00Z" },
            { "user": { "id": 4, "username": "old", "name": "Old" } }] }"#,
    );
    let opinions = gitlab(&server.url(), async |forge| forge.opinions(&matter()).await.unwrap());
    assert_eq!(opinions.missing, []);
    assert_eq!(
        told(&opinions),
        [
            "ana yes environment 2026-11-26T10:00:00Z",
            "ana yes review 2026-11-26T09:00:00Z",
            "ben no environment 2026-11-26T10:01:00Z",
            "dd yes review 2026-11-26T09:00:00Z",
        ]
    );
    let authors: Vec<&str> = opinions.authors.iter().map(String::as_str).collect();
    assert_eq!(authors, ["dd", "opener"], "the opener, and who bears a commit's name");
    assert_eq!(
        opinions.given.iter().find(|one| one.login == "ana").unwrap().email.as_deref(),
        Some("ana@example.org")
    );
    assert_eq!(opinions.notes.len(), 2, "{:?}", opinions.notes);
}

#[test]
fn gitlab_tells_members_from_strangers_only_where_it_shows_the_group() {
    let server = Server::start(|asked, _| match asked.path.as_str() {
        "/groups/shop%2Frelease" => json(200, r#"{ "id": 5 }"#),
        "/users?username=ana" => json(200, r#"[{ "id": 1, "username": "ana" }]"#),
        "/users?username=ben" => json(200, r#"[{ "id": 2, "username": "ben" }]"#),
        "/users?username=cleo" => json(200, r#"[{ "id": 3, "username": "cleo" }]"#),
        "/groups/shop%2Frelease/members/all/3" => json(200, r#"{ "id": 3, "state": "blocked" }"#),
        "/users?username=nobody" => json(200, "[]"),
        "/groups/shop%2Frelease/members/all/1" => {
            json(200, r#"{ "id": 1, "state": "active", "access_level": 30 }"#)
        }
        _ => json(404, r#"{ "message": "404 Not found" }"#),
    });
    gitlab(&server.url(), async |forge| {
        assert_eq!(forge.is_member("shop/release", "ana").await, Ok(true));
        assert_eq!(forge.is_member("shop/release", "ben").await, Ok(false));
        assert_eq!(forge.is_member("shop/release", "nobody").await, Ok(false));
        assert_eq!(forge.is_member("shop/release", "cleo").await, Ok(false), "blocked");
        assert!(forge.is_member("hidden", "ana").await.unwrap_err().hint().contains("group"));
    });
}
