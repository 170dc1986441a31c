//! Stock `openssl` verifies what we sign, and we verify what it signs.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{body, demand, now, statement, trusted};
use windlass_domain::policy::EvidenceKind;
use windlass_domain::secret::Secret;
use windlass_evidence::envelope::{Envelope, PAYLOAD_TYPE, Signature, pre_authentication_encoding};
use windlass_evidence::sign::{PublicKey, Signer};

/// Runs a tool of the system. Without it the test is skipped in one line that names Debian's package; with
/// `WINDLASS_REQUIRE_TOOLS=1` that is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "the convention is a variable of the test run, not of the product"
)]
fn tool_or_skip(name: &str, package: &str) -> bool {
    if Command::new(name).arg("version").output().is_ok() {
        return true;
    }
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!is_required, "{name} is missing: apt-get install {package}");
    let _ = writeln!(std::io::stderr(), "skipped: {name} is missing: apt-get install {package}");
    false
}

fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl runs")
}

#[test]
fn openssl_verifies_our_signature_and_refuses_an_altered_one() {
    if !tool_or_skip("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let signer = Signer::generate().unwrap();
    let envelope = Envelope::seal(&statement(body(&now().to_string())), Some(&signer));
    let mut message = pre_authentication_encoding(PAYLOAD_TYPE, &envelope.payload_bytes().unwrap());
    fs::write(path.join("pub.pem"), signer.public().to_pem()).unwrap();
    fs::write(path.join("sig"), envelope.signatures[0].bytes().unwrap()).unwrap();
    fs::write(path.join("pae"), &message).unwrap();
    let verify =
        ["pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "pae", "-sigfile", "sig"];
    let output = openssl(path, &verify);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    message[20] ^= 1;
    fs::write(path.join("pae"), &message).unwrap();
    assert!(!openssl(path, &verify).status.success());
}

#[test]
fn our_private_key_is_one_that_openssl_reads_with_the_same_public_half() {
    if !tool_or_skip("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::generate().unwrap();
    fs::write(folder.path().join("key.pem"), signer.to_pem().expose()).unwrap();
    let output = openssl(folder.path(), &["pkey", "-in", "key.pem", "-pubout"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), signer.public().to_pem());
}

#[test]
fn key_and_signature_of_openssl_count() {
    if !tool_or_skip("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(openssl(path, &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]).status.success());
    assert!(openssl(path, &["pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem"]).status.success());
    let signer = Signer::from_pem(&Secret::new(fs::read_to_string(path.join("key.pem")).unwrap())).unwrap();
    let public = PublicKey::from_pem(&fs::read_to_string(path.join("pub.pem")).unwrap()).unwrap();
    assert!(signer.public() == public);
    assert_eq!(signer.to_pem().expose(), &fs::read_to_string(path.join("key.pem")).unwrap());

    let mut envelope = Envelope::seal(&statement(body(&now().to_string())), None);
    let message = pre_authentication_encoding(PAYLOAD_TYPE, &envelope.payload_bytes().unwrap());
    fs::write(path.join("pae"), message).unwrap();
    let sign = ["pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "pae", "-out", "sig"];
    assert!(openssl(path, &sign).status.success());
    let sig = STANDARD.encode(fs::read(path.join("sig")).unwrap());
    envelope.signatures = vec![Signature { keyid: String::new(), sig }];
    let keys = [trusted(&signer, &[EvidenceKind::Deploy])];
    let verified = demand(&keys).newest(&common::store(&[envelope])).unwrap();
    assert_eq!(verified.signers, ["pipeline"]);
}

#[test]
fn keys_of_another_kind_are_refused() {
    if !tool_or_skip("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for algorithm in [&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"][..], &["x25519"][..], &["ed448"][..]] {
        let arguments = [&["genpkey", "-out", "key.pem", "-algorithm"][..], algorithm].concat();
        assert!(openssl(path, &arguments).status.success(), "{algorithm:?}");
        assert!(openssl(path, &["pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem"]).status.success());
        let private = Secret::new(fs::read_to_string(path.join("key.pem")).unwrap());
        assert!(Signer::from_pem(&private).is_err(), "{algorithm:?}");
        assert!(
            PublicKey::from_pem(&fs::read_to_string(path.join("pub.pem")).unwrap()).is_err(),
            "{algorithm:?}"
        );
    }
}
