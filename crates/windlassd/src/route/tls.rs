//! The certificate that the router serves, HTTP/2 and HTTP/1.1 behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::files;

/// What a TLS record with the beginning of a handshake begins with (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// What a client is told that does not speak TLS here.
const CLEARTEXT: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 29\r\nconnection: close\r\n\r\nthis address is for TLS only\n";

/// Reads certificate and key, in this order.
pub(super) fn read(paths: &[PathBuf]) -> Result<Arc<ServerConfig>, String> {
    let [certificate, key] = paths else { return Err("there is not one certificate and one key".to_owned()) };
    let chain = chain(certificate)?;
    let bytes = content(key)?;
    let key_der = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => format!("there is no private key in {}", key.display()),
        // Nothing of the key itself may be in what is said.
        _ => format!("the private key in {} is not valid PEM", key.display()),
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set TLS up: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|error| {
            format!(
                "cannot use the certificate {} with the key {}: {error}",
                certificate.display(),
                key.display()
            )
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = content(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!("there is no certificate in {}", path.display())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("the certificate in {} is not valid PEM: {error}", path.display())),
    }
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    files::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Sets TLS up with a client; `None` where that fails.
pub(super) async fn greet(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Option<Box<TlsStream<TcpStream>>> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? > 0 && first[0] != HANDSHAKE {
        let _ = stream.write_all(CLEARTEXT).await;
        let _ = stream.shutdown().await;
        return None;
    }
    TlsAcceptor::from(config).accept(stream).await.ok().map(Box::new)
}
