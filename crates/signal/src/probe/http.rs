//! `GET` of a URL: the status, the whole body, and a text in it.

use std::time::Duration;

use windlass_domain::causes::chain;
use windlass_domain::policy::Expect;

use super::Answer;
use crate::client;

/// The most of a body that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

pub(super) async fn get(url: &str, expect: &Expect, limit: Duration) -> Answer {
    let client = match client::new(limit) {
        Ok(client) => client,
        Err(error) => return Answer::NotAsked(chain(&error)),
    };
    let mut response = match client.get(url).send().await {
        Ok(response) => response,
        Err(error) => return refused(&error),
    };
    let status = response.status();
    let wanted = expect.status.map_or_else(|| status.is_success(), |wanted| status.as_u16() == wanted);
    if !wanted {
        let wanted = expect.status.map_or_else(|| "2xx".to_owned(), |status| status.to_string());
        return Answer::Bad(format!("status {}, expected {wanted}", status.as_u16()));
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(LARGEST - body.len())]),
            Ok(None) => break,
            Err(error) => return Answer::Bad(format!("the body broke off: {}", chain(&error))),
        }
        if body.len() >= LARGEST {
            break;
        }
    }
    match &expect.contains {
        Some(text) if !contains(&body, text.as_bytes()) => {
            let seen: String = String::from_utf8_lossy(&body).chars().take(80).collect();
            Answer::Bad(format!(
                "the body does not contain {text:?}: {} bytes read, starting {seen:?}",
                body.len()
            ))
        }
        Some(_) | None => Answer::Good,
    }
}

pub(super) fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

fn refused(error: &reqwest::Error) -> Answer {
    let why = chain(error);
    // Neither tells the service's state: the address cannot be understood, or the name cannot be resolved.
    if error.is_builder() || why.contains("dns error") || why.contains("lookup address") {
        Answer::NotAsked(why)
    } else {
        Answer::Bad(why)
    }
}
