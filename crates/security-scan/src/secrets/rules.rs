//! The rules: one table. Their fixtures are in `tests`, made at run time, so that nothing here looks like a token.

use windlass_domain::explain::Topic;

use super::checks::{checksum, database_url, generic, mixed, private_key};
use super::rule::{Reach, Rule, as_matched};
use crate::severity::Severity::{Critical, High, Medium};

/// A token that stands on one line, alone or in an assignment.
const TOKEN: Reach = Reach::Line { before: 64, after: 600 };
/// A value behind its name on one line.
const NAMED: Reach = Reach::Line { before: 64, after: 320 };
/// A PEM block.
const BLOCK: Reach = Reach::Block { before: 48, after: 8 * 1024 };
/// A long token on one line.
const LONG: Reach = Reach::Line { before: 16, after: 6 * 1024 };

const REVOKE: &str = "Revoke it at its issuer first: it is in the history, and removing the line does not make it \
    secret again. Then read it from the environment or a secret store. If it is made up, write \
    `windlass:allow REASON` in a comment on its line.";

/// The documentation of a rule.
const fn topic(key: &'static str, means: &'static str) -> Topic {
    Topic { key, means, next: REVOKE }
}

macro_rules! rules {
    ($($id:literal, $finds:literal, [$($keyword:literal),*], $pattern:expr, $reach:expr, $entropy:literal,
        $severity:expr, $check:expr, $means:literal;)*) => {
        /// Every rule.
        pub(crate) static RULES: &[Rule] = &[$(Rule {
            topic: topic($id, $means), finds: $finds, keywords: &[$($keyword),*], pattern: $pattern, reach: $reach,
            entropy: $entropy, severity: $severity, check: $check,
        }),*];
    };
}

rules! {
    "secret.aws-access-key-id", "an AWS access key id", ["akia", "asia"],
        r"\b((?:AKIA|ASIA)[A-Z2-7]{16})\b", TOKEN, 2.8, High, as_matched,
        "The id of an AWS access key. It is half of a credential, and its secret is often close by.";
    "secret.aws-secret-access-key", "an AWS secret access key", ["aws_secret", "aws-secret", "secret_access_key", "secretaccesskey"],
        r#"(?i)(?:aws[_-]?secret|secret[_-]?access[_-]?key)[a-z_-]{0,24}["']?\s{0,8}(?:=>|:=|[:=])\s{0,8}["']?([a-z0-9/+]{40})(?:["'\s,;]|$)"#,
        NAMED, 4.0, Critical, as_matched,
        "The secret half of an AWS access key: whoever has it and the id can act as that user.";
    "secret.github-token", "a GitHub token", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"\b(gh[pousr]_[A-Za-z0-9]{36,251}|ghs_[0-9]{1,12}_eyJ[A-Za-z0-9_.-]{40,500})", TOKEN, 3.0, Critical, checksum,
        "A GitHub token (personal, OAuth, app or refresh). A classic one carries a checksum: one that is wrong is reported as low.";
    "secret.github-fine-grained-token", "a fine-grained GitHub token", ["github_pat_"],
        r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b", TOKEN, 3.0, Critical, as_matched,
        "A fine-grained personal access token of GitHub.";
    "secret.gitlab-token", "a GitLab token", ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "glagent-"],
        r"\b(gl(?:pat|dt|rt|ptt|cbt|soat|agent)-[A-Za-z0-9_-]{20,120})", TOKEN, 3.0, Critical, as_matched,
        "A GitLab token: personal, deploy, runner, trigger, job or agent.";
    "secret.slack-token", "a Slack token", ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"],
        r"\b(xox[abeprs]-[A-Za-z0-9-]{20,250}|xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,14}-[a-f0-9]{40,64})", TOKEN, 3.0, Critical, as_matched,
        "A Slack token: it can read or write messages of a workspace.";
    "secret.slack-webhook", "a Slack webhook", ["hooks.slack.com"],
        r"hooks\.slack\.com/(?:services/T[A-Z0-9]{7,12}/B[A-Z0-9]{7,12}|workflows/[A-Z0-9]{8,12}/[A-Z0-9]{8,12}/[0-9]{8,20})/([A-Za-z0-9]{20,32})\b",
        TOKEN, 3.0, High, as_matched,
        "The URL of a Slack webhook: whoever has it can post as the application.";
    "secret.stripe-key", "a live Stripe key", ["sk_live_", "rk_live_"],
        r"\b([sr]k_live_[A-Za-z0-9]{20,247})\b", TOKEN, 3.0, Critical, as_matched,
        "A secret or restricted key of Stripe's live mode: it moves money.";
    "secret.google-api-key", "a Google API key", ["aiza"],
        r"\b(AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)", TOKEN, 3.5, High, as_matched,
        "A Google API key. Some are meant for browsers; restrict those, and say so with `windlass:allow`.";
    "secret.google-oauth-client-secret", "a Google OAuth client secret", ["gocspx-"],
        r"\b(GOCSPX-[A-Za-z0-9_-]{28})(?:[^A-Za-z0-9_-]|$)", TOKEN, 3.5, Critical, as_matched,
        "The client secret of a Google OAuth application.";
    "secret.private-key", "a private key", ["private key"],
        r"(?s)-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP |ENCRYPTED )?PRIVATE KEY(?: BLOCK)?-----(.{64,}?)(?:-----|\z)",
        BLOCK, 0.0, Critical, private_key,
        "A private key in PEM: RSA, EC, DSA, OpenSSH, PKCS#8 or PGP. One behind a passphrase is reported as medium.";
    "secret.npm-token", "an npm token", ["npm_"],
        r"\b(npm_[A-Za-z0-9]{36})\b", TOKEN, 3.0, Critical, checksum,
        "An npm access token: it can publish packages. It carries a checksum: one that is wrong is reported as low.";
    "secret.pypi-token", "a PyPI token", ["pypi-age"],
        r"\b(pypi-AgE[A-Za-z0-9_-]{60,500})", TOKEN, 3.5, Critical, as_matched,
        "A PyPI API token: it can publish packages.";
    "secret.crates-io-token", "a crates.io token", ["cio"],
        r"\b(cio[A-Za-z0-9]{32})\b", Reach::Line { before: 2, after: 40 }, 4.0, Critical, mixed,
        "A crates.io API token: it can publish crates.";
    "secret.sendgrid-key", "a SendGrid key", ["sg."],
        r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?:[^A-Za-z0-9_-]|$)", Reach::Line { before: 2, after: 80 }, 4.0, Critical, as_matched,
        "A SendGrid API key: it can send mail in your name.";
    "secret.twilio-key", "a Twilio key", ["sk0", "sk1", "sk2", "sk3", "sk4", "sk5", "sk6", "sk7", "sk8", "sk9", "ska", "skb", "skc", "skd", "ske", "skf"],
        r"\b(SK[0-9a-f]{32})\b", Reach::Line { before: 2, after: 40 }, 3.0, High, as_matched,
        "The id of a Twilio API key.";
    "secret.digitalocean-token", "a DigitalOcean token", ["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[opr]_v1_[a-f0-9]{64})\b", TOKEN, 3.0, Critical, as_matched,
        "A DigitalOcean token: personal, OAuth or refresh.";
    "secret.vault-token", "a HashiCorp Vault token", ["hvs.", "hvb."],
        r"\b(hv[sb]\.[A-Za-z0-9_-]{24,500})", TOKEN, 3.5, Critical, as_matched,
        "A token of HashiCorp Vault: service or batch.";
    "secret.azure-storage-key", "an Azure storage key", ["accountkey="],
        r"(?i)AccountKey=([a-z0-9+/]{86}==)", NAMED, 4.0, Critical, as_matched,
        "The account key in an Azure storage connection string: full access to the account.";
    "secret.jwt", "a JSON web token", ["eyj"],
        r"\b(eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,})", LONG, 3.5, Medium, as_matched,
        "A signed JSON web token. Many expire soon; some never do.";
    "secret.anthropic-key", "an Anthropic key", ["sk-ant-"],
        r"\b(sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{80,140})", TOKEN, 3.5, Critical, as_matched,
        "An Anthropic API key, admin key or OAuth token.";
    "secret.openai-key", "an OpenAI key", ["sk-proj-", "sk-svcacct-", "sk-admin-", "t3blbkfj"],
        r"\b(sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,250}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})", TOKEN, 3.5, Critical, as_matched,
        "An OpenAI API key: of a project, a service account, an administrator, or of the old form.";
    "secret.hugging-face-token", "a Hugging Face token", ["hf_"],
        r"\b(hf_[A-Za-z0-9]{34})\b", Reach::Line { before: 2, after: 40 }, 3.8, Critical, as_matched,
        "A Hugging Face access token.";
    "secret.database-url", "a database URL with a password",
        ["postgres", "mysql", "mariadb", "mongodb", "redis", "amqp", "mssql", "sqlserver"],
        r#"(?i)\b(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver)(?:\+[a-z0-9]{1,16})?://[^\s:/@"'<>]{0,80}:([^\s@/"'<>]{3,200})@[^\s"'<>@]{3,200}"#,
        NAMED, 0.0, High, database_url,
        "A connection URL that holds a password. On this very machine (localhost) it is reported as low.";
    "secret.generic", "a password, token or key in quotes",
        ["password", "passwd", "secret", "token", "api_key", "api-key", "apikey", "access_key", "accesskey", "auth_key", "private_key"],
        r#"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key)["'\]]{0,2}\s{0,8}(?:=>|:=|[:=])\s{0,8}["'`]([^"'`\s]{10,128})["'`]"#,
        NAMED, 3.3, High, generic,
        "Something called a password, secret, token or key is set to a text in quotes that looks random.";
    "secret.environment-value", "a password, token or key in an environment file",
        ["password=", "passwd=", "secret=", "token=", "api_key=", "apikey=", "access_key=", "private_key="],
        r"(?m)^\s{0,8}(?:export\s|ENV\s|set\s)?\s{0,8}[A-Z0-9_]{0,40}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)=([A-Za-z0-9+/=_.~!@#^&*-]{12,160})\s{0,8}$",
        Reach::Line { before: 128, after: 200 }, 3.5, High, generic,
        "A variable called a password, secret, token or key is set to a text that looks random.";
}
