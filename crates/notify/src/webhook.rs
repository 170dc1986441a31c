//! Any receiver of JSON: the announcement itself, or a template's JSON, signed with HMAC-SHA256.
//!
//! The signature is over `TIMESTAMP.BODY`, so that a receiver can refuse what is old. docs/notifications.md shows how it is
//! verified; a test runs what stands there.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use windlass_domain::announcement::Announcement;

use crate::{inert, template};

/// The most bytes of a body.
const MOST: usize = 64 * 1024;

/// The body of the request: JSON.
///
/// # Errors
/// A sentence where the template fails, or what it makes is not JSON.
pub(crate) fn body(said: &Announcement, source: Option<&str>) -> Result<String, String> {
    let Some(source) = source else {
        return serde_json::to_string(said).map_err(|error| format!("cannot be written as JSON: {error}"));
    };
    let text = template::render(source, said, inert::json)?;
    if text.len() > MOST {
        return Err(format!("its template makes {} bytes, and at most {MOST} are sent", text.len()));
    }
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(format!("its template does not make JSON: {error}; quote the values: \"{{{{ app }}}}\""))
        }
    }
}

/// The headers that vouch for a body.
pub(crate) fn headers(said: &Announcement, body: &str, key: &str) -> Vec<(&'static str, String)> {
    let timestamp = said.at.as_second();
    vec![
        ("X-Windlass-Timestamp", timestamp.to_string()),
        ("X-Windlass-Signature", signature(key, timestamp, body)),
        ("X-Windlass-Moment", said.moment.word().to_owned()),
        // The same for both tries, so that a receiver can tell that it has had it.
        ("X-Windlass-Delivery", hex(&Sha256::digest(body.as_bytes())[..16])),
    ]
}

/// `sha256=HEX` over `TIMESTAMP.BODY`.
fn signature(key: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("sha256={}", hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256() {
        // What `printf 1.what | openssl dgst -sha256 -hmac Jefe` says.
        assert_eq!(
            signature("Jefe", 1, "what"),
            "sha256=ffb2e09f49104eda0b5217b7710b58a8118357b1db6d6fa15eef9415f7e4d28e"
        );
    }
}
