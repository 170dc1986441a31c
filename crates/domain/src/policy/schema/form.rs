//! The forms of single values: texts with units, names, lists that may be one.

use schemars::JsonSchema;

/// What a name looks like, as a regular expression.
pub(super) const NAME: &str = "^[a-z0-9][a-z0-9-]{0,62}$";

/// A name: lower-case letters, digits and dashes.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = NAME))]
pub(super) struct Name(String);

/// A text that is not empty.
#[derive(JsonSchema)]
#[schemars(extend("minLength" = 1))]
pub(super) struct Word(String);

/// A text. What YAML reads as a number or a boolean counts as its text.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Text {
    /// A text.
    Word(Word),
    /// A number, as its text.
    Number(f64),
    /// A boolean, as its text.
    Boolean(bool),
}

/// A text that may be empty. What YAML reads as a number or a boolean counts as its text.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum AnyText {
    /// A text.
    Text(String),
    /// A number, as its text.
    Number(f64),
    /// A boolean, as its text.
    Boolean(bool),
}

/// A list, or its only item.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum OneOrMore<T> {
    /// The only item.
    One(T),
    /// A list.
    More(Vec<T>),
}

/// A length of time, large units first: 500ms, 30s, 10m, 1h30m, 7d.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"))]
pub(super) struct Time(String);

/// A share of a whole: 5%, 0.5%.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9]+(\.[0-9]+)?\s*%$"))]
pub(super) struct Share(String);

/// A number of bytes: 512B, 64KiB, 10MB.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+ *(B|kB|MB|GB|KiB|MiB|GiB)$"))]
pub(super) struct Bytes(String);

/// A factor above 1: 2x, 1.3x.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9]+(\.[0-9]+)?x$"))]
pub(super) struct Factor(String);

/// An e-mail address.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^[^@\s<]+@[^\s<]+$"))]
pub(super) struct Email(String);

/// An IP address and a port: 127.0.0.1:8080. Port 0 picks a free one and keeps it.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9A-Fa-f:.\[\]%]+:[0-9]{1,5}$"))]
pub(super) struct Address(String);

/// A path of the service: /healthz.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^/\S*$"))]
pub(super) struct Path(String);

/// A path of the service, or a whole URL.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^(/\S*|https?://[^/\s]\S*)$"))]
pub(super) struct Url(String);

/// A program and its arguments; no shell takes them apart.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Command {
    /// A program without arguments.
    One(#[schemars(extend("pattern" = r"^\S+$"))] String),
    /// The program and its arguments.
    More(#[schemars(length(min = 1))] Vec<AnyText>),
}

/// The name of a variable of the run that holds a secret, never the secret itself.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[A-Z_][A-Z0-9_]{0,127}$"))]
pub(super) struct VariableName(String);

/// An e-mail address alone.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9_.-]+$"))]
pub(super) struct Mailbox(String);
