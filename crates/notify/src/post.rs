//! The way of a message over HTTP: short bounds, one second try, and no secret in what is said of a failure.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::Instant;
use windlass_domain::causes::chain;
use windlass_domain::secret::Secret;

use crate::bounds::Bounds;
use crate::inert;

static PROVIDER: Once = Once::new();
/// How much of a refusal is read.
const ANSWER: usize = 4_096;
/// How much of it is shown, in characters.
const SHOWN: usize = 200;

/// A request that can be sent twice.
pub(crate) struct Post<'a> {
    /// Where to; whoever knows it can post.
    pub(crate) url: &'a Secret<String>,
    /// JSON.
    pub(crate) body: String,
    /// Headers beside the type of the content.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// How one try ended that did not succeed.
struct Refused {
    why: String,
    /// How long to wait before the second try; `None` where that would be of no use.
    again: Option<Option<Duration>>,
}

impl Post<'_> {
    /// Sends it, and once more where that may help.
    ///
    /// # Errors
    /// A sentence without any secret.
    pub(crate) async fn send(&self, bounds: &Bounds) -> Result<(), String> {
        let end = Instant::now() + bounds.whole;
        let url = Url::parse(self.url.expose())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or("its variable does not hold a URL of http or https")?;
        let client = client(&url, bounds).map_err(|error| format!("cannot begin: {}", chain(&error)))?;
        let Err(first) = self.once(&client, &url).await else { return Ok(()) };
        let Some(asked) = first.again else { return Err(first.why) };
        let wait = asked.unwrap_or(bounds.pause);
        if Instant::now() + wait >= end {
            return Err(format!(
                "{}; it asks to be tried again in {} s, which is too long",
                first.why,
                wait.as_secs()
            ));
        }
        tokio::time::sleep(wait).await;
        self.once(&client, &url).await.map_err(|second| format!("{}, twice", second.why))
    }

    async fn once(&self, client: &Client, url: &Url) -> Result<(), Refused> {
        let mut request =
            client.post(url.clone()).header("Content-Type", "application/json").body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let again = error.is_connect().then_some(None);
                return Err(Refused {
                    why: format!("cannot reach it: {}", chain(&error.without_url())),
                    again,
                });
            }
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let later = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let again = later.then(|| retry_after(&answer));
        let said = self.without_secret(&excerpt(answer).await, url);
        let said = if said.is_empty() { String::new() } else { format!(": {}", inert::line(&said)) };
        Err(Refused { why: format!("it answered {status}{said}"), again })
    }

    /// An answer may repeat what it was asked.
    fn without_secret(&self, text: &str, url: &Url) -> String {
        let mut text = text.replace(self.url.expose().as_str(), "***");
        for part in [url.path(), url.query().unwrap_or_default()] {
            if part.len() > 3 {
                text = text.replace(part, "***");
            }
        }
        // Cut last: a half of the secret would not be known again.
        text.chars().take(SHOWN).collect()
    }
}

fn client(url: &Url, bounds: &Bounds) -> reqwest::Result<Client> {
    PROVIDER.call_once(|| {
        // Another part of the process may have installed one: that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let builder = Client::builder()
        .connect_timeout(bounds.connect)
        .timeout(bounds.whole)
        // A message, its signature and its URL are for one receiver.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")));
    // The proxy of the run is used, as everywhere in CI, but not for this machine itself.
    let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if here { builder.no_proxy().build() } else { builder.build() }
}

/// Seconds, whole or not; a date is not looked at.
fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds: f64 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

async fn excerpt(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(ANSWER);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
