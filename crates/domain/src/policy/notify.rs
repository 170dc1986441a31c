//! Who is told of a release's way, at which of its moments, and by what medium.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::announcement::Moment;

/// One receiver, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notify {
    /// Where it is told.
    pub receiver: Receiver,
    /// The moments that it is told, never none; by default all but the beginning.
    pub on: Vec<Moment>,
    /// The environments of which it is told; empty for all.
    pub environments: Vec<String>,
    /// What it is told, where that is not the text that comes with Windlass.
    pub template: Option<Template>,
}

impl Notify {
    /// Whether it is told of this moment of this environment.
    #[must_use]
    pub fn hears(&self, moment: Moment, environment: &str) -> bool {
        self.on.contains(&moment) && self.is_about(environment)
    }

    /// Whether it may be told of this environment.
    #[must_use]
    pub fn is_about(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|name| name == environment)
    }
}

/// The media. URLs, keys and passwords are never in the policy: each is the name of a variable of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Receiver {
    /// An incoming webhook of Slack, by the variable that holds its URL.
    Slack(Variable),
    /// A workflow of Microsoft Teams that begins with a webhook, by the variable that holds its URL.
    Teams(Variable),
    /// A webhook of Discord, by the variable that holds its URL.
    Discord(Variable),
    /// Any receiver of signed JSON.
    Webhook(Webhook),
    /// A mail.
    Email(Box<Email>),
}

impl Receiver {
    /// The variables of the run that it needs.
    #[must_use]
    pub fn variables(&self) -> Vec<&Variable> {
        match self {
            Self::Slack(url) | Self::Teams(url) | Self::Discord(url) => vec![url],
            Self::Webhook(hook) => vec![&hook.url, &hook.secret],
            Self::Email(email) => {
                email.login.iter().flat_map(|login| [&login.user, &login.password]).collect()
            }
        }
    }

    /// Its word in `windlass.yml`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Discord(_) => "discord",
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
        }
    }
}

/// The name of a variable of the run that holds a secret: capitals, digits and `_`, so that few secrets look like one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Variable(pub String);

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A receiver of JSON that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// The variable that holds its URL.
    pub url: Variable,
    /// The variable that holds the key of the signature.
    pub secret: Variable,
}

/// A mail by SMTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Email {
    /// The server that takes it: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted; by default from the first byte on port 465, and by STARTTLS elsewhere.
    pub tls: MailTls,
    /// The sender's address.
    pub from: String,
    /// The receivers' addresses, never none.
    pub to: Vec<String>,
    /// The variables that hold user and password, where the server asks for them.
    pub login: Option<Login>,
}

/// The variables that hold a user and a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// The variable that holds the user.
    pub user: Variable,
    /// The variable that holds the password.
    pub password: Variable,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS before anything is said; a server without it is told nothing.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all, for a server on the same machine.
    None,
}

/// A text with the fields of an announcement in it, for minijinja.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// The text itself.
    Source(String),
    /// A file that holds it, relative to `windlass.yml`.
    File(String),
}
