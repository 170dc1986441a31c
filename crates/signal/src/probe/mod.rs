//! Active checks: one try of an HTTP, TCP or command probe, and what it answered.

mod command;
mod http;
mod tcp;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use windlass_domain::policy::{Probe, ProbeKind};

/// What one try answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// As expected.
    Good,
    /// Something else, or nothing in time: why, in a sentence. The text may come from outside.
    Bad(String),
    /// It could not be asked at all (no such host name, no such command): says nothing of the service.
    NotAsked(String),
}

/// The longest explanation that is kept, in characters.
const LONGEST_WHY: usize = 300;

/// Tries a probe once, within its own timeout. `base_url` is `http://host:port` of the service.
pub async fn attempt(probe: &Probe, base_url: Option<&str>) -> Answer {
    let limit = probe.timeout.get();
    let answer = match &probe.kind {
        ProbeKind::Http(path) => match absolute(path, base_url) {
            Some(url) => within(limit, http::get(&url, &probe.expect, limit)).await,
            None => {
                Answer::NotAsked(format!("the service's address is not known, and {path:?} is only a path"))
            }
        },
        ProbeKind::Tcp(address) => match host_port(address, base_url) {
            Some(address) => within(limit, tcp::connect(&address)).await,
            None => Answer::NotAsked("the service's address is not known".to_owned()),
        },
        // It bounds itself: it has to end its processes.
        ProbeKind::Command(words) => command::run(words, base_url, &probe.expect, limit).await,
    };
    match answer {
        Answer::Good => Answer::Good,
        Answer::Bad(why) => Answer::Bad(shorten(&why)),
        Answer::NotAsked(why) => Answer::NotAsked(shorten(&why)),
    }
}

/// What a probe does, for people.
#[must_use]
pub fn describe(probe: &Probe) -> String {
    match &probe.kind {
        ProbeKind::Http(path) => format!("http {path}"),
        ProbeKind::Tcp(address) if address.is_empty() => "tcp".to_owned(),
        ProbeKind::Tcp(address) => format!("tcp {address}"),
        ProbeKind::Command(words) => format!("command {}", words.join(" ")),
    }
}

async fn within(limit: Duration, answer: impl Future<Output = Answer>) -> Answer {
    timeout(limit, answer)
        .await
        .unwrap_or_else(|_| Answer::Bad(format!("no answer within {} ms", limit.as_millis())))
}

fn absolute(path: &str, base_url: Option<&str>) -> Option<String> {
    if path.starts_with("http://") || path.starts_with("https://") {
        return Some(path.to_owned());
    }
    let separator = if path.starts_with('/') { "" } else { "/" };
    Some(format!("{}{separator}{path}", base_url?.trim_end_matches('/')))
}

/// `host:port`, given or that of the base URL.
fn host_port(address: &str, base_url: Option<&str>) -> Option<String> {
    if !address.is_empty() {
        return Some(address.to_owned());
    }
    let url = reqwest::Url::parse(base_url?).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

fn shorten(why: &str) -> String {
    if why.chars().count() <= LONGEST_WHY {
        return why.to_owned();
    }
    why.chars().take(LONGEST_WHY).chain(['…']).collect()
}
