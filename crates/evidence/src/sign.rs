//! Ed25519 keys in the PEM forms that `openssl` reads and writes.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use windlass_domain::digest::Digest;
use windlass_domain::secret::Secret;

/// A private key that signs evidence.
#[derive(Clone)]
pub struct Signer(SigningKey);

/// A public key that verifies it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A key that cannot be used. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// Not a PKCS#8 PEM of an Ed25519 private key.
    Private,
    /// Not a PEM of an Ed25519 public key.
    Public,
    /// The operating system gave no random bytes.
    NoRandomness,
}

impl std::fmt::Display for BadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Private => "not an Ed25519 private key in PKCS#8 PEM",
            Self::Public => "not an Ed25519 public key in PEM",
            Self::NoRandomness => "the operating system gave no random bytes",
        })
    }
}

impl std::error::Error for BadKey {}

impl Signer {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`BadKey::NoRandomness`].
    pub fn generate() -> Result<Self, BadKey> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| BadKey::NoRandomness)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Reads a PKCS#8 PEM.
    ///
    /// # Errors
    /// [`BadKey::Private`].
    pub fn from_pem(pem: &Secret<String>) -> Result<Self, BadKey> {
        SigningKey::from_pkcs8_pem(pem.expose().trim()).map(Self).map_err(|_| BadKey::Private)
    }

    /// The key as a PKCS#8 PEM (version 1, as `openssl` writes it).
    #[must_use]
    pub fn to_pem(&self) -> Secret<String> {
        let bytes = ed25519_dalek::pkcs8::KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = bytes.to_pkcs8_pem(LineEnding::LF).expect("a key of 32 bytes can be encoded");
        Secret::new(pem.to_string())
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The 64 bytes of the signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.public().id())
    }
}

impl PublicKey {
    /// Reads a PEM.
    ///
    /// # Errors
    /// [`BadKey::Public`].
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        VerifyingKey::from_public_key_pem(pem.trim()).map(Self).map_err(|_| BadKey::Public)
    }

    /// The key as a PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("a key of 32 bytes can be encoded")
    }

    /// The sha256 of its DER SubjectPublicKeyInfo, in hexadecimal: the `keyid` of a signature.
    #[must_use]
    pub fn id(&self) -> String {
        let der = self.0.to_public_key_der().expect("a key of 32 bytes can be encoded");
        Digest::of(der.as_bytes()).hex()
    }

    /// Whether `signature` is this key's over `message`. Strict: refuses small-order keys and malleable forms.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}
