//! The HTTP client of probes and sources: no proxy, redirects on the same host only.

use std::sync::Once;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};

static PROVIDER: Once = Once::new();
const MOST_REDIRECTS: usize = 5;

/// A client whose requests take at most `timeout`, the body included.
///
/// # Errors
/// When the system's certificates cannot be loaded.
pub(crate) fn new(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    PROVIDER.call_once(|| {
        // Another part of the process may have installed one: that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .timeout(timeout)
        .no_proxy()
        .redirect(Policy::custom(same_host))
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// A redirect elsewhere is not followed: its answer is judged as it is, since another host's health proves nothing.
fn same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let first = &attempt.previous()[0];
    let same = first.host_str() == attempt.url().host_str()
        && first.port_or_known_default() == attempt.url().port_or_known_default();
    if same && attempt.previous().len() <= MOST_REDIRECTS { attempt.follow() } else { attempt.stop() }
}
