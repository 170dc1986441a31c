//! What guards a repository, and what the token may, as GitHub and GitLab tell it.

use windlass_forge::{BranchProtection, Fault, Protection};

use crate::server::{Server, json, says};
use crate::{github, gitlab};

/// A server with these answers by path, and 404 for the rest.
fn server(answers: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |asked, _| {
        let path = asked.path.split('?').next().unwrap();
        let body = answers.iter().find(|(one, _)| *one == path).map(|(_, body)| *body);
        body.map_or_else(|| json(404, r#"{ "message": "404 Not found" }"#), |body| json(200, body))
    })
}

#[test]
fn github_tells_reviewers_of_an_environment_and_rules_of_a_branch() {
    let server = server(&[
        (
            "/repos/shop/shop/environments/prod",
            r#"{ "protection_rules": [
                { "type": "wait_timer", "wait_timer": 5 },
                { "type": "required_reviewers", "prevent_self_review": false, "reviewers": [
                    { "type": "User", "reviewer": { "login": "ana" } }, { "type": "Team", "reviewer": { "slug": "release", "id": 1 } }] },
                { "type": "branch_policy" }], "deployment_branch_policy": { "protected_branches": true } }"#,
        ),
        ("/repos/shop/shop/branches/main", r#"{ "protected": false }"#),
        (
            "/repos/shop/shop/rules/branches/main",
            r#"[{ "type": "deletion" }, { "type": "pull_request", "parameters": { "required_approving_review_count": 2 } }]"#,
        ),
        ("/repos/shop/shop/branches/old", r#"{ "protected": true }"#),
    ]);
    github(&server.url(), async |forge| {
        let expected = Protection {
            reviewers: vec!["user:ana".into(), "team:release".into()],
            no_self_review: Some(false),
            is_limited_to_branches: true,
        };
        assert_eq!(forge.environment("prod").await, Ok(Some(expected)));
        assert_eq!(forge.environment("other").await, Ok(None));
        let ruled = BranchProtection { is_protected: true, reviews: Some(2) };
        assert_eq!(forge.branch("main").await, Ok(ruled));
        // A server without rules has the older protection alone.
        let older = BranchProtection { is_protected: true, reviews: None };
        assert_eq!(forge.branch("old").await, Ok(older));
        assert!(forge.branch("gone").await.is_err());
    });
}

#[test]
fn github_tells_what_the_token_may_not_read_and_how_much_is_left() {
    let server = Server::start(|asked, _| match asked.path.as_str() {
        "/repos/shop/shop" => says(
            200,
            &[
                "content-type: application/json",
                "x-oauth-scopes: repo_deployment, read:org",
                "x-ratelimit-remaining: 41",
                "date: Thu, 26 Nov 2026 12:00:00 GMT",
            ],
            r#"{ "default_branch": "trunk" }"#,
        ),
        path if path.starts_with("/repos/shop/shop/deployments") => json(200, "[]"),
        _ => json(403, r#"{ "message": "Resource not accessible by integration" }"#),
    });
    let meeting = github(&server.url(), async |forge| forge.meet().await.unwrap());
    assert_eq!(meeting.default_branch, "trunk");
    assert_eq!(meeting.scopes, Some(vec!["repo_deployment".into(), "read:org".into()]));
    assert_eq!((meeting.left, meeting.clock.unwrap().as_second()), (Some(41), 1_795_694_400));
    let lacks: Vec<&str> = meeting.lacks.iter().map(|(permission, _)| permission.as_str()).collect();
    assert_eq!(lacks, ["actions: read", "pull-requests: read"]);
}

#[test]
fn gitlab_tells_what_guards_a_project_and_the_order_of_its_queue() {
    let server = server(&[
        ("/projects/7/environments", r#"[{ "id": 4, "name": "prod" }, { "id": 5, "name": "dev" }]"#),
        (
            "/projects/7/protected_environments/prod",
            r#"{ "name": "prod", "approval_rules": [{ "user_id": 3 }, { "group_id": 9 }, { "access_level_description": "Maintainers" }] }"#,
        ),
        ("/projects/7/protected_branches/main", r#"{ "name": "main" }"#),
        ("/projects/7/approvals", r#"{ "approvals_before_merge": 1 }"#),
        (
            "/projects/7/resource_groups/deploy-prod",
            r#"{ "key": "deploy-prod", "process_mode": "unordered" }"#,
        ),
    ]);
    gitlab(&server.url(), async |forge| {
        let prod = forge.environment("prod").await.unwrap().unwrap();
        assert_eq!(prod.reviewers, ["user 3", "group 9", "Maintainers"]);
        assert_eq!(
            forge.environment("dev").await,
            Ok(Some(Protection::default())),
            "there, and not protected"
        );
        assert_eq!(forge.environment("staging").await, Ok(None));
        let branch = BranchProtection { is_protected: true, reviews: Some(1) };
        assert_eq!(forge.branch("main").await, Ok(branch));
        let open = BranchProtection { is_protected: false, reviews: Some(1) };
        assert_eq!(forge.branch("feature/x").await, Ok(open));
        assert_eq!(forge.queue("deploy-prod").await, Ok(Some("unordered".into())));
        assert_eq!(forge.queue("deploy-dev").await, Ok(None));
    });
    assert!(server.lines().contains(&"GET /projects/7/protected_branches/feature%2Fx".to_owned()));
}

#[test]
fn gitlab_tells_a_tokens_scopes_and_that_it_ends_soon() {
    for (expires, is_soon) in [("2026-12-01", true), ("2027-06-01", false)] {
        let server = Server::start(move |asked, _| {
            let body = match asked.path.split('?').next().unwrap() {
                "/projects/7" => r#"{ "default_branch": "main" }"#.to_owned(),
                "/personal_access_tokens/self" => {
                    format!(r#"{{ "scopes": ["read_api"], "expires_at": "{expires}" }}"#)
                }
                _ => "[]".to_owned(),
            };
            says(200, &["content-type: application/json", "date: Thu, 26 Nov 2026 12:00:00 GMT"], &body)
        });
        let meeting = gitlab(&server.url(), async |forge| forge.meet().await.unwrap());
        assert_eq!(meeting.scopes, Some(vec!["read_api".into()]));
        assert_eq!(meeting.lacks.len(), usize::from(is_soon), "{expires}: {:?}", meeting.lacks);
    }
}

#[test]
fn what_guards_is_unknown_where_the_token_may_not_see_it() {
    let server = Server::start(|_, _| json(403, r#"{ "message": "403 Forbidden" }"#));
    gitlab(&server.url(), async |forge| {
        for fault in [
            forge.environment("prod").await.unwrap_err(),
            forge.branch("main").await.unwrap_err(),
            forge.queue("deploy-prod").await.unwrap_err(),
        ] {
            assert!(matches!(fault, Fault::Denied { status: 403, .. }), "{fault:?}");
        }
    });
    github(&server.url(), async |forge| {
        assert!(forge.environment("prod").await.is_err());
        assert!(forge.branch("main").await.is_err());
    });
}
