//! Every rule against its fixtures, and the matcher against random input.
//!
//! No fixture stands here as it would be found: bodies are made from a counter, and prefixes are joined to them.

use proptest::prelude::*;

use super::checks::{base62, crc32};
use super::matcher::Matcher;
use super::rules::RULES;
use crate::severity::Severity;

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// So many characters of an alphabet, the same in every run, that look random.
fn body(alphabet: &str, length: usize) -> String {
    let alphabet = alphabet.as_bytes();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()])
        })
        .collect()
}

fn word(length: usize) -> String {
    body(ALPHANUMERIC, length)
}

/// Thirty characters and their right checksum.
fn with_checksum() -> String {
    let token = word(30);
    format!("{token}{}", String::from_utf8(base62(crc32(token.as_bytes())).to_vec()).unwrap())
}

fn pem(label: &str, body: &str) -> String {
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Texts in which a rule finds a secret of this severity, and texts in which it finds none.
fn fixtures(rule: &str) -> (Vec<(String, Severity)>, Vec<String>) {
    use Severity::{Critical, High, Low, Medium};
    let one = |text: String, severity| vec![(text, severity)];
    match rule {
        "secret.aws-access-key-id" => (
            one(format!("id = AK{}{}", "IA", body(BASE32, 16)), High),
            vec![format!("AK{}", "IAIOSFODNN7EXAMPLE"), format!("xAK{}{}", "IA", body(BASE32, 16)), format!("AKIA{}", "A".repeat(16))],
        ),
        "secret.aws-secret-access-key" => (
            vec![
                (format!("aws_secret_access_key = {}", word(40)), Critical),
                (format!("\"SecretAccessKey\": \"{}\",", word(40)), Critical),
            ],
            vec![
                format!("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY{}KEY", "EXAMPLE"),
                format!("aws_secret_access_key = {}", word(41)),
                format!("aws_secret_access_key_name = \"{}\"", word(12)),
            ],
        ),
        "secret.github-token" => (
            vec![
                (format!("gh{}{}", "p_", with_checksum()), Critical),
                (format!("x=gh{}{}\n", "s_", with_checksum()), Critical),
                (format!("gh{}123456_ey{}{}", "s_", "J", word(120)), Critical),
                (format!("gh{}{}", "o_", word(36)), Low),
            ],
            vec![format!("ghp_{}", "x".repeat(36)), format!("ghp_{}", word(20)), format!("myghp_{}", with_checksum())],
        ),
        "secret.github-fine-grained-token" => (
            one(format!("github{}{}_{}", "_pat_", word(22), word(59)), Critical),
            vec![format!("github_pat_{}", word(40))],
        ),
        "secret.gitlab-token" => (
            vec![(format!("gl{}{}", "pat-", word(20)), Critical), (format!("gl{}{}", "rt-", word(24)), Critical)],
            vec![format!("glpat-{}", "x".repeat(20)), "glpat-short".to_owned()],
        ),
        "secret.slack-token" => (
            one(format!("xo{}{}-{}", "xb-", body("0123456789", 12), word(24)), Critical),
            vec!["xoxb-not-a-token".to_owned(), format!("xoxb-{}", "1".repeat(40))],
        ),
        "secret.slack-webhook" => (
            one(format!("https://hooks.slack{}T{}/B{}/{}", ".com/services/", body(BASE32, 8), body(BASE32, 8), word(24)), High),
            vec!["https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX".to_owned()],
        ),
        "secret.stripe-key" => (
            vec![(format!("sk{}{}", "_live_", word(24)), Critical), (format!("rk{}{}", "_live_", word(99)), Critical)],
            vec![format!("sk_test_{}", word(24)), "sk_live_...".to_owned()],
        ),
        "secret.google-api-key" => (
            one(format!("key=AI{}{}&x", "za", word(35)), High),
            vec![format!("AIza{}", word(34)), format!("AIza{}", word(36))],
        ),
        "secret.google-oauth-client-secret" => (
            one(format!("GOC{}{}", "SPX-", word(28)), Critical),
            vec![format!("GOCSPX-{}", word(27)), format!("GOCSPX-{}", "x".repeat(28))],
        ),
        "secret.private-key" => (
            vec![
                (pem(&format!("RSA {} KEY", "PRIVATE"), &word(800)), Critical),
                (pem(&format!("{} KEY", "PRIVATE"), &word(64)), Critical),
                (pem(&format!("EC {} KEY", "PRIVATE"), &word(160)).replace('\n', "\\n"), Critical),
                (pem(&format!("PGP {} KEY BLOCK", "PRIVATE"), &word(9000)), Critical),
                (pem(&format!("ENCRYPTED {} KEY", "PRIVATE"), &word(400)), Medium),
                (pem(&format!("OPENSSH {} KEY", "PRIVATE"), &format!("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU{}", word(300))), Critical),
                (pem(&format!("OPENSSH {} KEY", "PRIVATE"), &format!("b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI{}", word(300))), Medium),
                (
                    pem(&format!("RSA {} KEY", "PRIVATE"), &word(800))
                        .replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1),
                    Medium,
                ),
            ],
            vec![
                "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n".to_owned(),
                "if text.contains(\"-----BEGIN RSA PRIVATE KEY-----\") { return Err(Error::new(\"a key is not accepted here\")); }".to_owned(),
                pem("PUBLIC KEY", &word(400)),
                pem("PRIVATE KEY", &"A".repeat(256)),
            ],
        ),
        "secret.npm-token" => (
            vec![(format!("npm{}{}", "_", with_checksum()), Critical), (format!("npm{}{}", "_", word(36)), Low)],
            vec![format!("npm_{}", word(12)), "npm_config_registry_of_the_whole_company".to_owned()],
        ),
        "secret.pypi-token" => (
            one(format!("py{}{}", "pi-AgEIcHlwaS5vcmc", word(150)), Critical),
            vec!["pypi-AgEIcHlwaS5vcmc".to_owned(), "pypi-ageing-packages".to_owned()],
        ),
        "secret.crates-io-token" => (
            one(format!("token \"ci{}{}\"", "o", word(32)), Critical),
            vec![format!("cio{}", word(31)), "precious".to_owned(), format!("cio{}", "abcdefghijklmnopqrstuvwxyzabcdef")],
        ),
        "secret.sendgrid-key" => (
            one(format!("S{}{}.{}", "G.", word(22), word(43)), Critical),
            vec![format!("SG.{}.{}", word(22), word(42)), "msg.text".to_owned()],
        ),
        "secret.twilio-key" => (
            one(format!("S{}{}", "K", body(HEX, 32)), High),
            vec![format!("SK{}", body(HEX, 31)), format!("DISK{}", body(HEX, 32))],
        ),
        "secret.digitalocean-token" => (
            one(format!("do{}{}", "p_v1_", body(HEX, 64)), Critical),
            vec![format!("dop_v1_{}", body(HEX, 60))],
        ),
        "secret.vault-token" => (
            one(format!("hv{}{}", "s.", word(90)), Critical),
            vec!["hvs.yaml".to_owned(), format!("hvs.{}", "x".repeat(40))],
        ),
        "secret.azure-storage-key" => (
            one(format!("AccountName=a;Account{}{}==;", "Key=", word(86)), Critical),
            vec![format!("AccountKey={}", word(40))],
        ),
        "secret.jwt" => (
            one(format!("ey{}{}.ey{}{}.{}", "J", word(20), "J", word(60), word(43)), Medium),
            vec![
                format!("ey{}hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}", "J", "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"),
                format!("eyJ{}.eyJ{}", word(20), word(60)),
            ],
        ),
        "secret.anthropic-key" => (
            one(format!("sk-{}{}", "ant-api03-", word(95)), Critical),
            vec!["sk-ant-api03-...".to_owned()],
        ),
        "secret.openai-key" => (
            vec![
                (format!("sk-{}{}", "proj-", word(120)), Critical),
                (format!("sk-{}{}{}", word(20), "T3BlbkFJ", body(BASE32, 20)), Critical),
            ],
            vec!["sk-proj-test".to_owned(), format!("sk-proj-{}", "x".repeat(48))],
        ),
        "secret.hugging-face-token" => (
            one(format!("h{}{}", "f_", word(34)), Critical),
            vec![format!("hf_{}", word(33)), "hf_transfer_enabled_by_default_setting".to_owned()],
        ),
        "secret.database-url" => (
            vec![
                (format!("postgres://shop:{}@db.internal:5432/shop", word(16)), High),
                (format!("DATABASE_URL=mongodb+srv://a:{}@c0.mongodb.net", word(8)), High),
                (format!("redis://:{}@localhost:6379", word(16)), Low),
            ],
            vec![
                "postgres://user:password@db/app".to_owned(),
                "postgres://postgres:postgres@db/app".to_owned(),
                "mysql://app:${DB_PASSWORD}@db/app".to_owned(),
                "mysql://app:<password>@db/app".to_owned(),
                "postgres://db.internal/app".to_owned(),
            ],
        ),
        "secret.generic" => (
            vec![
                (format!("db_password = \"{}\"", word(16)), High),
                (format!("{{ \"apiKey\": '{}' }}", word(32)), High),
                (format!("client_secret: `{}`", word(24)), High),
            ],
            vec![
                "password = \"changeme-please-1\"".to_owned(),
                "password: \"${PASSWORD_1}\"".to_owned(),
                "token = \"get_token_v2\"".to_owned(),
                "token = \"/run/secrets/token1\"".to_owned(),
                "let secret = \"aaaaaaaaaaaaaaaaaaa1\";".to_owned(),
                format!("token: {}", word(20)),
            ],
        ),
        "secret.environment-value" => (
            vec![
                (format!("A=1\nDB_PASSWORD={}\nB=2\n", word(20)), High),
                (format!("export API_TOKEN={}", word(40)), High),
            ],
            vec![
                "DB_PASSWORD=".to_owned(),
                "DB_PASSWORD=changeme1234567".to_owned(),
                "API_TOKEN=$(cat /run/secrets/token)".to_owned(),
                "API_TOKEN=my-api-token-1".to_owned(),
            ],
        ),
        other => panic!("{other} has no fixtures"),
    }
}

#[test]
fn every_rule_finds_its_secrets_and_nothing_else() {
    let matcher = Matcher::new();
    for (index, rule) in RULES.iter().enumerate() {
        let (positive, negative) = fixtures(rule.id());
        assert!(!positive.is_empty() && !negative.is_empty(), "{} has too few fixtures", rule.id());
        for (text, severity) in positive {
            let hits = matcher.find(text.as_bytes());
            let found: Vec<_> = hits.iter().map(|hit| (RULES[hit.rule].id(), hit.severity)).collect();
            assert_eq!(found, [(rule.id(), severity)], "{text}");
        }
        for text in negative {
            let hits = matcher.find(text.as_bytes());
            assert!(!hits.iter().any(|hit| hit.rule == index), "{} in {text}", rule.id());
        }
    }
}

#[test]
fn every_rule_is_documented_and_well_formed() {
    for rule in RULES {
        let id = rule.id();
        assert!(
            id.strip_prefix("secret.")
                .is_some_and(|name| name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())),
            "{id}"
        );
        assert!(
            rule.topic.means.ends_with('.') && !rule.topic.next.is_empty() && !rule.finds.is_empty(),
            "{id}"
        );
        assert!(
            rule.keywords.iter().all(|word| !word.is_empty() && *word == word.to_ascii_lowercase()),
            "{id}"
        );
        let (positive, _) = fixtures(id);
        for (text, _) in positive {
            let lower = text.to_ascii_lowercase();
            assert!(rule.keywords.iter().any(|word| lower.contains(word)), "no keyword of {id} is in {text}");
        }
    }
}

#[test]
fn the_checksum_is_githubs() {
    // Samples that public test suites hold: the last six digits are the checksum of the thirty before.
    for (token, written) in
        [("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"), ("M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq", "11T4V4")]
    {
        assert_eq!(base62(crc32(token.as_bytes())), written.as_bytes());
    }
}

#[test]
fn a_named_rule_goes_before_the_generic_one() {
    let text = format!("token = \"gh{}{}\"", "p_", with_checksum());
    let hits = Matcher::new().find(text.as_bytes());
    assert_eq!(hits.len(), 1);
    assert_eq!(RULES[hits[0].rule].id(), "secret.github-token");
}

#[test]
fn two_secrets_on_a_line_are_two() {
    let text = format!("gh{0}{1} gh{0}{1}", "p_", with_checksum());
    assert_eq!(Matcher::new().find(text.as_bytes()).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic_and_every_place_is_inside(text in prop::collection::vec(any::<u8>(), 0..2048)) {
        for hit in Matcher::new().find(&text) {
            prop_assert!(hit.start <= hit.secret.start && hit.secret.start < hit.secret.end && hit.secret.end <= text.len());
        }
    }

    #[test]
    fn a_secret_is_found_whatever_stands_around_it(
        before in "([a-z =:\"'(,\\n]{0,300}[ \\n\"'=:(,])?",
        after in "([ \\n\"',;)][a-z =:\"'\\n]{0,300})?",
    ) {
        let secret = format!("gh{}{}", "p_", with_checksum());
        let text = format!("{before}{secret}{after}");
        let hits = Matcher::new().find(text.as_bytes());
        prop_assert!(hits.iter().any(|hit| text.as_bytes()[hit.secret.clone()] == *secret.as_bytes()), "{text}");
    }
}
