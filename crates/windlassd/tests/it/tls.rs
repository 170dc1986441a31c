//! TLS: certificates from files, read again when they change, HTTP/2 and HTTP/1.1 behind it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use windlass_domain::policy::{Sticky, Tls};
use windlass_target::driver::DriverError;

use super::http::Connection;
use super::support::{Agent, PATIENCE, Stop, await_that};
use super::tools::tool;

const NAME: &str = "shop.example";

/// Certificates that openssl makes.
struct Maker {
    openssl: PathBuf,
    folder: PathBuf,
}

impl Maker {
    fn new(agent: &Agent) -> Option<Self> {
        let openssl = tool("openssl", "apt-get install openssl")?;
        Some(Self { openssl, folder: agent.folder().to_owned() })
    }

    /// A certificate that vouches for itself, and its key.
    fn make(&self, name: &str) -> (PathBuf, PathBuf) {
        let config = self.folder.join("openssl.cnf");
        let text = format!(
            "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN={NAME}\n\
             [ext]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:{NAME}\n"
        );
        fs::write(&config, text).unwrap();
        let (certificate, key) =
            (self.folder.join(format!("{name}.pem")), self.folder.join(format!("{name}.key")));
        let output = Command::new(&self.openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-days", "2", "-config"])
            .arg(&config)
            .arg("-out")
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (certificate, key)
    }
}

fn der(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

fn client(certificates: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// One request on a connection of its own: the answer, and the certificate that was shown.
fn ask(address: SocketAddr, config: &Arc<ClientConfig>) -> (String, CertificateDer<'static>) {
    try_ask(address, config).unwrap()
}

fn try_ask(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<(String, CertificateDer<'static>)> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(NAME).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream);
    stream.write_all(b"GET /head HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((answer, shown))
}

fn secured(agent: &mut Agent, certificate: &Path, key: &Path) {
    agent.place.tls =
        Some(Tls { certificate: certificate.display().to_string(), key: key.display().to_string() });
}

#[test]
fn both_protocols_are_served_and_the_service_is_told() {
    let mut agent = Agent::start();
    let (Some(maker), Some(curl)) = (Maker::new(&agent), tool("curl", "apt-get install curl")) else {
        return;
    };
    let (certificate, key) = maker.make("one");
    secured(&mut agent, &certificate, &key);
    agent.place.sticky = Some(Sticky::Cookie("pin".into()));
    let (_, address) = agent.live(1);
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let output = Command::new(&curl)
            .args(["-sS", flag, "--include", "--noproxy", "*", "--cacert"])
            .arg(&certificate)
            .args(["--resolve", &format!("{NAME}:{}:127.0.0.1", address.port())])
            .args(["-w", "\nversion=%{http_version}\n", "-d", "hello"])
            .arg(format!("https://{NAME}:{}/head", address.port()))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(&format!("version={version}\n")), "{text}");
        assert!(text.contains("x-forwarded-proto: https") && text.contains("proto=https"), "{text}");
        assert!(text.contains("SameSite=Lax; Secure"), "{text}");
    }
    let mut plain = Connection::to(address);
    plain.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let reply = plain.reply("GET").unwrap();
    assert_eq!((reply.status, reply.text()), (400, "this address is for TLS only\n"));
    assert!(agent.text("/metrics").contains("windlass_tls_handshakes_failed_total 1\n"));
}

#[test]
fn a_certificate_is_read_again_under_traffic_and_a_bad_one_never_takes_its_place() {
    let mut agent = Agent::start();
    let Some(maker) = Maker::new(&agent) else { return };
    let (first, second) = (maker.make("first"), maker.make("second"));
    let (certificate, key) = (agent.folder().join("cert.pem"), agent.folder().join("cert.key"));
    let put = |(new, new_key): &(PathBuf, PathBuf)| {
        for (from, to) in [(new_key, &key), (new, &certificate)] {
            let next = to.with_extension("next");
            fs::copy(from, &next).unwrap();
            fs::rename(&next, to).unwrap();
        }
    };
    put(&first);
    secured(&mut agent, &certificate, &key);
    let (_, address) = agent.live(1);
    let trusted = client(&[der(&first.0), der(&second.0)]);
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let stopping = Stop(&stop);
        let load = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert!(ask(address, &trusted).0.starts_with("HTTP/1.1 200"));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        for files in [&second, &first, &second] {
            put(files);
            let expected = der(&files.0);
            await_that("the new one is shown", || ask(address, &trusted).1 == expected);
        }
        // Half a pair, nonsense, and nothing at all: the last good one stays.
        for round in 0..3 {
            match round {
                0 => drop(fs::copy(&first.1, &key).unwrap()),
                1 => fs::write(&certificate, "nonsense").unwrap(),
                _ => fs::remove_file(&certificate).unwrap(),
            }
            let line = format!("windlass_reload_errors_total {}", round + 1);
            await_that(&line, || agent.text("/metrics").lines().any(|have| have == line));
            assert_eq!(ask(address, &trusted).1, der(&second.0));
        }
        put(&first);
        await_that("a good one takes its place", || ask(address, &trusted).1 == der(&first.0));
        drop(stopping);
        load.join().unwrap();
    });
    assert!(asked.load(Ordering::Relaxed) > 10);
    // An agent that starts without a readable certificate takes it up when it is there.
    fs::remove_file(&certificate).unwrap();
    agent.kill();
    agent.spawn();
    assert!(agent.state().listening.is_some());
    put(&second);
    await_that("it serves again", || {
        try_ask(address, &trusted).is_ok_and(|(answer, _)| answer.starts_with("HTTP/1.1 200"))
    });
    agent.take_over();
    assert_eq!(ask(address, &trusted).1, der(&second.0), "an heir shows the same");
}

#[test]
fn what_cannot_be_served_is_refused_with_its_file() {
    let mut agent = Agent::start();
    let Some(maker) = Maker::new(&agent) else { return };
    let (one, other) = (maker.make("one"), maker.make("other"));
    let epoch = agent.claim("a").unwrap().epoch;
    let missing = agent.folder().join("missing.pem");
    let folder = agent.folder().to_owned();
    let (said, nonsense) = (agent.folder().join("empty.pem"), agent.folder().join("nonsense.pem"));
    fs::write(&said, "").unwrap();
    fs::write(&nonsense, "-----BEGIN CERTIFICATE-----\n!\n").unwrap();
    for (certificate, key, words) in [
        (&missing, &one.1, "cannot read"),
        (&one.0, &missing, "cannot read"),
        (&folder, &one.1, "it is not a file"),
        (&said, &one.1, "there is no certificate in"),
        (&nonsense, &one.1, "is not valid PEM"),
        (&one.0, &said, "there is no private key in"),
        (&one.0, &other.1, "cannot use the certificate"),
    ] {
        secured(&mut agent, certificate, key);
        let error = agent.configure(epoch).unwrap_err();
        let DriverError::Judged { why, .. } = &error else { panic!("{error:?}") };
        assert!(why.contains(words), "{why}");
        assert!(why.contains(&agent.folder().display().to_string()), "{why} names the file");
        assert!(agent.state().listening.is_none());
    }
}
