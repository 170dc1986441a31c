//! Mails, to a real server: what comes, how the connection is secured, and what is said where it is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use windlass_domain::announcement::{Announcement, Direction, Moment};
use windlass_domain::policy::Policy;
use windlass_notify::{Bounds, tellers};

use crate::mailpit::{Mailpit, program};
use crate::{project, run};

const PASSWORD: &str = "hunter2-password";

/// A receiver at a server.
fn email(mailpit: &Mailpit, rest: &str) -> String {
    format!(
        "  - email: {{ smtp: \"{}\", from: windlass@example.org, to: [ops@example.org, ana@example.org]{rest} }}\n",
        mailpit.smtp
    )
}

/// A certificate for 127.0.0.1 and the authority that signed it, in a folder: `ca.pem`, `cert.pem`, `key.pem`.
fn certificate(folder: &Path) {
    let script = "set -eu
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test-authority \
            -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test-server -keyout key.pem -out csr.pem
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > ext
        openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem";
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_mail_comes_with_its_subject_text_and_receivers() {
    let Some(program) = program() else { return };
    let mailpit = Mailpit::start(&program, &[]);
    let project = project(&email(&mailpit, ", tls: none"));
    run(&project, &["deploy"], &[]).is(0);
    let mails = mailpit.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:#?}") };
    assert_eq!(mail["Subject"], "shop is live in live");
    assert_eq!(mail["From"]["Address"], "windlass@example.org");
    assert_eq!(
        (&mail["To"][0]["Address"], &mail["To"][1]["Address"]),
        (&"ops@example.org".into(), &"ana@example.org".into())
    );
    assert_eq!(mail["HTML"], "");
    let text = mail["Text"].as_str().unwrap();
    assert!(text.starts_with("r1 is live in live") && text.contains("Next: rollback -e live"), "{text}");
    let (head, _) = mailpit.raw();
    assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
}

#[tokio::test]
async fn hostile_text_begins_no_header_and_no_other_mail() {
    let Some(program) = program() else { return };
    let mailpit = Mailpit::start(&program, &[]);
    let policy = format!("{}notify:\n{}", crate::project::POLICY, email(&mailpit, ", tls: none"));
    let policy = Policy::parse(&policy).unwrap();
    let hostile =
        "x\r\nBcc: evil@evil.example\r\n\r\n<html>\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n\u{202e}é😀 "
            .repeat(40);
    let said = Announcement {
        moment: Moment::Stuck,
        direction: Direction::Forward,
        app: hostile.clone(),
        environment: hostile.clone(),
        what: hostile.clone(),
        why: Some(hostile.clone()),
        next: Some(hostile.clone()),
        artifact: None,
        commit: Some(hostile.clone()),
        release: None,
        before: None,
        plan: None,
        by: hostile.clone(),
        run: Some(hostile),
        at: "2026-11-26T15:00:00Z".parse().unwrap(),
    };
    let tellers = tellers(&policy.notify, Path::new("."), &BTreeMap::new(), Bounds::default());
    tellers[0].tell(&said).await.unwrap();
    let mails = mailpit.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:#?}") };
    let (head, body) = mailpit.raw();
    let names: Vec<&str> = head
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap())
        .filter(|name| !["Received", "Return-Path", "Message-ID"].contains(name))
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "Auto-Submitted",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Subject",
            "To"
        ],
        "{head}"
    );
    assert!(head.lines().chain(body.lines()).all(|line| line.len() <= 998), "RFC 5322, section 2.1.1");
    assert_eq!((mail["Bcc"].as_array().map_or(0, Vec::len), mail["To"].as_array().unwrap().len()), (0, 2));
    let subject = mail["Subject"].as_str().unwrap();
    assert!(subject.starts_with("x\\r\\nBcc: evil@evil.example\\r\\n"), "{subject}");
    let text = mail["Text"].as_str().unwrap();
    assert_eq!(text.trim_end().lines().count(), 6, "{text:?}");
    assert!(text.contains("\\u{202e}é😀"), "{text}");
}

#[test]
fn a_mail_is_sent_encrypted_and_with_a_password() {
    let Some(program) = program() else { return };
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("users"), format!("ana:{PASSWORD}\n")).unwrap();
    let (certificate, key, users, authority) =
        (file("cert.pem"), file("key.pem"), file("users"), file("ca.pem"));
    let common = ["--smtp-tls-cert", &certificate, "--smtp-tls-key", &key, "--smtp-auth-file", &users];
    for (flag, rest) in [("--smtp-require-starttls", ""), ("--smtp-require-tls", ", tls: tls")] {
        let mut flags = common.to_vec();
        flags.push(flag);
        let mailpit = Mailpit::start(&program, &flags);
        let project = project(&email(&mailpit, &format!("{rest}, user: USER_NAME, password: MAIL_PASSWORD")));
        let told = |password: &str, authority: &str| {
            let vars = [("USER_NAME", "ana"), ("MAIL_PASSWORD", password), ("SSL_CERT_FILE", authority)];
            run(&project, &["notify"], &vars)
        };
        told(PASSWORD, &authority).is(0);
        assert_eq!(mailpit.mails().len(), 1, "{flag}");
        let wrong = told("hunter3-password", &authority).is(3).says("535");
        assert!(!wrong.all().contains("hunter3"), "{}", wrong.all());
        let stranger = told(PASSWORD, "/dev/null").is(3);
        let why = stranger.document["receivers"][0]["why"].as_str().unwrap().to_owned();
        assert!(why.contains("ertificate"), "{why}");
        assert_eq!(mailpit.mails().len(), 1, "{flag}: nothing more came");
    }
}

#[test]
fn a_server_without_encryption_is_told_nothing_unless_the_policy_says_so() {
    let Some(program) = program() else { return };
    let mailpit = Mailpit::start(&program, &[]);
    let project = project(&email(&mailpit, ""));
    run(&project, &["notify"], &[]).is(3).says("STARTTLS");
    assert_eq!(mailpit.mails().len(), 0);
}
