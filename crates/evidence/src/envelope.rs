//! DSSE: the envelope that carries a statement and its signatures.
//!
//! Source: <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::sign::Signer;
use crate::statement::Statement;

/// The payload type of an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement and its signatures; one JSON line in the evidence file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The statement's JSON, in base64.
    pub payload: String,
    /// Always [`PAYLOAD_TYPE`].
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Empty for unsigned evidence.
    pub signatures: Vec<Signature>,
}

/// One signature over the pre-authentication encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// A hint at the key: the sha256 of its DER SubjectPublicKeyInfo, in hexadecimal.
    #[serde(default)]
    pub keyid: String,
    /// 64 bytes of Ed25519, in base64.
    pub sig: String,
}

impl Envelope {
    /// Wraps a statement, signed where there is a signer.
    #[must_use]
    pub fn seal(statement: &Statement, signer: Option<&Signer>) -> Self {
        let payload = serde_json::to_vec(statement).expect("a statement has only string keys");
        let signatures = signer
            .map(|signer| Signature {
                keyid: signer.public().id(),
                sig: STANDARD.encode(signer.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload))),
            })
            .into_iter()
            .collect();
        Self { payload: STANDARD.encode(payload), payload_type: PAYLOAD_TYPE.into(), signatures }
    }

    /// The bytes of the payload; `None` where it is not base64.
    #[must_use]
    pub fn payload_bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok()
    }
}

impl Signature {
    /// The signature's bytes; `None` where it is not base64.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.sig).ok()
    }
}

/// `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`: what is signed.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_the_one_of_the_specification() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
