//! A mail by SMTP: text alone, encrypted before anything is said unless the policy says otherwise.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::Instant;
use windlass_domain::announcement::Announcement;
use windlass_domain::policy::{Email, MailTls};
use windlass_domain::secret::Secret;

use crate::bounds::Bounds;
use crate::card::Card;
use crate::{cut, inert};

/// The most of a subject, in characters: one line of most lists.
const SUBJECT: usize = 200;
/// The most of a text, in characters.
const TEXT: usize = 100_000;

/// What comes with Windlass.
const MESSAGE: &str = include_str!("../templates/plain.txt");

/// Subject and text.
///
/// # Errors
/// A sentence where the template fails.
pub(crate) fn texts(said: &Announcement, template: Option<&str>) -> Result<(String, String), String> {
    let card = Card::new(said, template.unwrap_or(MESSAGE), inert::mail)?;
    let mut text = card.text(TEXT);
    if let Some(link) = &card.link {
        text.push_str("\n\nThe run: ");
        text.push_str(link);
    }
    text.push('\n');
    Ok((cut::units(&card.title, SUBJECT), text))
}

/// User and password.
pub(crate) struct Login {
    /// The user.
    pub(crate) user: Secret<String>,
    /// The password.
    pub(crate) password: Secret<String>,
}

/// Sends it, and once more where the server could not be reached or asks for that.
///
/// # Errors
/// A sentence without any secret.
pub(crate) async fn send(
    email: &Email,
    login: Option<&Login>,
    (subject, text): &(String, String),
    bounds: &Bounds,
) -> Result<(), String> {
    let end = Instant::now() + bounds.whole;
    let message = message(email, subject, text)?;
    let transport = transport(email, login, bounds.connect)?;
    let Err(first) = transport.send(message.clone()).await else { return Ok(()) };
    if !worth_another(&first) || Instant::now() + bounds.pause >= end {
        return Err(told(&first, login));
    }
    tokio::time::sleep(bounds.pause).await;
    transport.send(message).await.map(|_| ()).map_err(|second| format!("{}, twice", told(&second, login)))
}

fn message(email: &Email, subject: &str, text: &str) -> Result<Message, String> {
    let mailbox = |address: &str| {
        let address: Address =
            address.parse().map_err(|error| format!("`{}` is no address: {error}", inert::line(address)))?;
        Ok::<_, String>(Mailbox::new(None, address))
    };
    let mut builder = Message::builder().from(mailbox(&email.from)?).subject(subject);
    for to in &email.to {
        builder = builder.to(mailbox(to)?);
    }
    // RFC 3834: nobody's absence note answers it.
    let automatic =
        HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
    builder
        .raw_header(automatic)
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(text.to_owned())
        .map_err(|error| format!("cannot make the mail: {error}"))
}

fn transport(
    email: &Email,
    login: Option<&Login>,
    connect: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || {
        TlsParameters::new_rustls(email.host.clone()).map_err(|error| format!("cannot begin TLS: {error}"))
    };
    let tls = match email.tls {
        MailTls::None => Tls::None,
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Tls => Tls::Wrapper(parameters()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.as_str())
        .port(email.port)
        .timeout(Some(connect))
        .tls(tls);
    if let Some(login) = login {
        builder = builder
            .credentials(Credentials::new(login.user.expose().clone(), login.password.expose().clone()));
    }
    Ok(builder.build())
}

/// Whether nothing was taken yet and a second try may help. Lettre tells a connection that never stood by its words alone.
fn worth_another(error: &lettre::transport::smtp::Error) -> bool {
    error.is_transient() || error.to_string().starts_with("Connection error")
}

fn told(error: &lettre::transport::smtp::Error, login: Option<&Login>) -> String {
    let mut text = format!("cannot send the mail: {error}");
    if let Some(login) = login {
        text = text.replace(login.password.expose().as_str(), "***");
    }
    inert::line(&text)
}
