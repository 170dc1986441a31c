//! `notify` in the schema.

use schemars::JsonSchema;

use super::form::{Mailbox, OneOrMore, Text, VariableName, Word};
use crate::announcement::Moment;
use crate::policy::MailTls;

/// One receiver, and what it is told. Exactly one of slack, teams, discord, webhook and email.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["slack"] }, { "required": ["teams"] }, { "required": ["discord"] }, { "required": ["webhook"] },
    { "required": ["email"] },
]))]
pub(super) struct Notification {
    /// The variable that holds the URL of an incoming webhook of Slack.
    slack: Option<VariableName>,
    /// The variable that holds the URL of a Teams workflow that begins with a webhook.
    teams: Option<VariableName>,
    /// The variable that holds the URL of a webhook of Discord.
    discord: Option<VariableName>,
    /// A receiver of signed JSON.
    webhook: Option<Webhook>,
    /// A mail.
    email: Option<Email>,
    /// The moments that it is told; by default all but started.
    on: Option<Moments>,
    /// The environments of which it is told; by default all.
    environments: Option<Environments>,
    /// What it is told, where that is not the text that comes with Windlass.
    template: Option<TemplateForm>,
}

/// Moments, or one.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Moments {
    /// The only one.
    One(Moment),
    /// Some.
    More(#[schemars(length(min = 1))] Vec<Moment>),
}

/// Names of environments, or one.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Environments {
    /// The only one.
    One(Text),
    /// Some.
    More(#[schemars(length(min = 1))] Vec<Text>),
}

/// A receiver of JSON that is signed with HMAC-SHA256.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Webhook {
    /// The variable that holds its URL.
    url: VariableName,
    /// The variable that holds the key of the signature.
    secret: VariableName,
}

/// A mail by SMTP.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("dependentRequired" = { "user": ["password"], "password": ["user"] }))]
struct Email {
    /// The server that takes it, with its port.
    #[schemars(extend("pattern" = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$"))]
    smtp: String,
    /// How the connection is encrypted; by default tls on port 465 and starttls elsewhere.
    tls: Option<MailTls>,
    /// The sender's address.
    from: Mailbox,
    /// The receivers' addresses.
    to: OneOrMore<Mailbox>,
    /// The variable that holds the user's name.
    user: Option<VariableName>,
    /// The variable that holds the password.
    password: Option<VariableName>,
}

/// The text of a template, or the file that has it.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum TemplateForm {
    /// The text.
    Short(Text),
    Long(TemplateFile),
}

/// A template in a file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TemplateFile {
    /// The file, relative to windlass.yml.
    file: Word,
}
