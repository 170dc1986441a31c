//! Proxies of the environment: used where they are named, spared where NO_PROXY says so, and never given the token.

use windlass_forge::Fault;

use crate::server::{Server, json, says};
use crate::{PATIENCE, TOKEN, block, forge_with, github_vars};

#[test]
fn a_request_goes_through_the_proxy_unless_no_proxy_names_the_host() {
    for (no_proxy, through) in [("other.example", true), ("127.0.0.1", false)] {
        let forge = Server::start(|_, _| json(404, "{}"));
        let proxy = Server::start(|_, _| json(404, "{}"));
        let mut vars = github_vars(&forge.url());
        vars.insert("http_proxy".into(), proxy.url());
        vars.insert("NO_PROXY".into(), no_proxy.into());
        let found = block(async { forge_with(&vars, PATIENCE).environment("e").await });
        assert_eq!(found, Ok(None));
        let asked = [forge.lines(), proxy.lines()];
        let there = "/repos/shop/shop/environments/e";
        let expected = if through {
            [vec![], vec![format!("GET {}{there}", forge.url())]]
        } else {
            [vec![format!("GET {there}")], vec![]]
        };
        assert_eq!(asked, expected, "{no_proxy}");
    }
}

#[test]
fn a_proxy_of_tls_sees_the_host_alone_and_its_password_is_not_shown() {
    let proxy = Server::start(|_, _| says(407, &[], ""));
    let mut vars = github_vars("https://git.windlass.invalid/api/v3");
    let address = proxy.url().replace("http://", "http://runner:pr0xyS3cret@");
    vars.insert("HTTPS_PROXY".into(), address);
    let fault = block(async { forge_with(&vars, PATIENCE).meet().await.unwrap_err() });
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault:?}");
    assert!(!format!("{fault:?} {fault}").contains("pr0xyS3cret"), "{fault:?}");
    let asked = proxy.asked();
    assert!(!asked.is_empty());
    for one in asked {
        assert_eq!(one.line(), "CONNECT git.windlass.invalid:443");
        assert!(one.header("proxy-authorization").is_some_and(|value| value.starts_with("Basic ")));
        assert!(!format!("{one:?}").contains(TOKEN), "{one:?}");
    }
}
