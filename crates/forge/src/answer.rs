//! From an answer to a value: the status first, then the type of what came, then its shape.

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::carrier::{Answer, Carrier};
use crate::fault::Fault;
use crate::need::Need;

/// The answer, where its status is a yes.
pub(crate) fn accepted(
    carrier: &Carrier,
    answer: Answer,
    attempt: &str,
    need: Need,
) -> Result<Answer, Fault> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let attempt = attempt.to_owned();
    let says = said(carrier, &answer);
    let code = status.as_u16();
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Fault::Denied { attempt, status: code, says, need, token: carrier.variable() }
        }
        _ if status.is_server_error() || code == 408 => {
            Fault::Unreachable { attempt, why: format!("status {code}{says}") }
        }
        _ => Fault::Refused { attempt, status: code, says },
    })
}

/// The value of an accepted answer.
pub(crate) fn read<T: DeserializeOwned>(
    carrier: &Carrier,
    answer: &Answer,
    attempt: &str,
) -> Result<T, Fault> {
    let unreadable = |why: String| Fault::Unreadable { attempt: attempt.to_owned(), why };
    let kind = answer.header("content-type").unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().ends_with("json") {
        let kind = if kind.is_empty() { "of no type".to_owned() } else { carrier.cleared(kind) };
        return Err(unreadable(format!("the answer is {kind}, not JSON")));
    }
    serde_json::from_slice(&answer.body).map_err(|error| unreadable(carrier.cleared(&error.to_string())))
}

/// `: ` and what the forge said of a no: GitHub's `message` and `errors`, GitLab's `message` or `error`.
fn said(carrier: &Carrier, answer: &Answer) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return String::new() };
    let parts: Vec<String> = ["message", "error", "error_description", "errors"]
        .iter()
        .filter_map(|key| body.get(key))
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    if parts.is_empty() { String::new() } else { format!(": {}", carrier.cleared(&parts.join("; "))) }
}

/// One segment of a path: a name of anybody's choosing is never two, nor a query.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            out.push(char::from(byte));
        } else if byte == b'.' && !matches!(text, "." | "..") {
            out.push('.');
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        let table = [
            ("production", "production"),
            ("prod/eu west", "prod%2Feu%20west"),
            ("..", "%2E%2E"),
            ("v1.2", "v1.2"),
            ("a?b#c%2f", "a%3Fb%23c%252f"),
            ("é\n", "%C3%A9%0A"),
        ];
        for (given, expected) in table {
            assert_eq!(segment(given), expected);
        }
    }
}
