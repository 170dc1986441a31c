//! A real mail server on this machine, mailpit, and what it was given.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// It ends with the test.
pub(crate) struct Mailpit {
    child: Child,
    pub(crate) smtp: SocketAddr,
    http: SocketAddr,
}

/// Where mailpit is; where it is missing, a line that says what to install, and a failure where tools are required.
pub(crate) fn program() -> Option<PathBuf> {
    const INSTALL: &str = "go install github.com/axllent/mailpit@v1.27.11";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("mailpit")).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            !std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1"),
            "mailpit is missing: {INSTALL}"
        );
        eprintln!("skipped: mailpit is missing: {INSTALL}");
    }
    found
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Mailpit {
    /// Started with these flags; again with other ports where somebody took them meanwhile.
    pub(crate) fn start(program: &Path, flags: &[&str]) -> Self {
        for _ in 0..5 {
            let (smtp, http) = (free(), free());
            let child = Command::new(program)
                .args(["--disable-version-check", "--smtp-disable-rdns", "--quiet"])
                .args(["--smtp", &smtp.to_string(), "--listen", &http.to_string()])
                .args(flags)
                .env_clear()
                .env("TMPDIR", std::env::temp_dir())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut mailpit = Self { child, smtp, http };
            if mailpit.is_up() {
                return mailpit;
            }
        }
        panic!("mailpit does not start with {flags:?}");
    }

    fn is_up(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end && self.child.try_wait().unwrap().is_none() {
            let both = [self.smtp, self.http].iter().all(|address| TcpStream::connect(address).is_ok());
            if both {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The mails that it has, newest first, as its API tells them.
    pub(crate) fn mails(&self) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.get("/api/v1/messages")).unwrap();
        let ids =
            list["messages"].as_array().unwrap().iter().map(|one| one["ID"].as_str().unwrap().to_owned());
        ids.map(|id| serde_json::from_str(&self.get(&format!("/api/v1/message/{id}"))).unwrap()).collect()
    }

    /// The newest mail as it came: head and body.
    pub(crate) fn raw(&self) -> (String, String) {
        let raw = self.get("/api/v1/message/latest/raw").replace("\r\n", "\n");
        let (head, body) = raw.split_once("\n\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

impl Drop for Mailpit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
