//! One request to one forge and its answer: bounded in time and size, repeated only where that cannot do harm, patient
//! with rate limits within a bound, and with the token only where it belongs.
//!
//! Redirects are followed by hand: on the same origin, and only where the method stays what it is.

use std::sync::Once;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, Proxy, StatusCode, Url};
use windlass_domain::causes::chain;

use crate::fault::Fault;
use crate::limit;
use crate::place::{Kind, Place, Token};

static PROVIDER: Once = Once::new();

/// The largest answer that is read, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;
/// The most redirects of one request.
const MOST_REDIRECTS: usize = 3;
/// How often a request that changes nothing is tried.
const TRIES: u32 = 3;

/// How long one waits for a forge.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one answer, its body included.
    pub answer: Duration,
    /// For its rate limit, in all.
    pub limit: Duration,
    /// Before a second try; the third waits twice as long.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(15),
            limit: Duration::from_secs(60),
            pause: Duration::from_millis(500),
        }
    }
}

/// What came back, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What carries requests.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    client: Client,
    base: Url,
    headers: HeaderMap,
    token: Option<Token>,
    patience: Patience,
}

impl Carrier {
    pub(crate) fn new(place: &Place, patience: Patience) -> Result<Self, Fault> {
        PROVIDER.call_once(|| {
            // Another part of the process may have installed one: that is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let attempt = format!("make a client for {}", place.api);
        let base = Url::parse(&place.api)
            .map_err(|error| Fault::Unreachable { attempt: attempt.clone(), why: error.to_string() })?;
        let mut builder = Client::builder()
            .timeout(patience.answer)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .no_proxy();
        if let Some(address) = &place.proxy {
            // The address may hold a password: nothing of it is told.
            let proxy = Proxy::all(address.expose()).map_err(|_| Fault::NotSet {
                why: "the proxy's address cannot be used".to_owned(),
                remedy: "correct HTTPS_PROXY: http://HOST:PORT".to_owned(),
            })?;
            builder = builder.proxy(proxy);
        }
        let client = builder
            .build()
            .map_err(|error| Fault::Unreachable { attempt, why: chain(&error.without_url()) })?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &place.token {
            let (name, value) = authorization(place.kind, token)?;
            headers.insert(name, value);
        }
        Ok(Self { client, base, headers, token: place.token.clone(), patience })
    }

    /// The variable that the token comes from; nothing where there is none.
    pub(crate) fn variable(&self) -> &'static str {
        self.token.as_ref().map_or("", |token| token.variable)
    }

    /// The address of a path of the API. `path` begins with a slash and may have a query.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// Sends a request and reads its answer, whatever its status. `attempt` says what it is for.
    pub(crate) async fn send(
        &self,
        attempt: &str,
        method: Method,
        address: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Fault> {
        let mut waited = Duration::ZERO;
        let mut tries = 1;
        loop {
            match self.once(attempt, &method, address, &headers, &body).await {
                Ok(answer) => {
                    if let Some(wait) = limit::wait(answer.status, &answer.headers) {
                        // What is over the limit was not carried out: each method may be sent again.
                        if waited + wait > self.patience.limit {
                            return Err(Fault::Limited { attempt: attempt.to_owned(), wait });
                        }
                        tracing::info!(
                            attempt,
                            seconds = wait.as_secs(),
                            "waiting for the forge's rate limit"
                        );
                        tokio::time::sleep(wait).await;
                        waited += wait.max(Duration::from_millis(100));
                        continue;
                    }
                    let is_passing = matches!(answer.status.as_u16(), 500 | 502 | 503 | 504);
                    if !(is_passing && method == Method::GET && tries < TRIES) {
                        return Ok(answer);
                    }
                }
                Err(Failed { fault, was_sent }) => {
                    let may_repeat = method == Method::GET || !was_sent;
                    if !may_repeat || tries >= TRIES || matches!(fault, Fault::Unreadable { .. }) {
                        return Err(fault);
                    }
                }
            }
            tokio::time::sleep(self.patience.pause * tries).await;
            tries += 1;
        }
    }

    async fn once(
        &self,
        attempt: &str,
        method: &Method,
        address: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, Failed> {
        let unreadable = |why: String| Failed {
            fault: Fault::Unreadable { attempt: attempt.to_owned(), why },
            was_sent: true,
        };
        let mut url = Url::parse(address).map_err(|error| unreadable(format!("no address: {error}")))?;
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.client.request(method.clone(), url.clone()).headers(headers.clone());
            // Never elsewhere, whatever address an answer has named.
            if url.origin() == self.base.origin() {
                request = request.headers(self.headers.clone());
            }
            let answer =
                request.body(body.clone()).send().await.map_err(|error| self.failed(attempt, error))?;
            if !answer.status().is_redirection() {
                return self.whole(attempt, answer).await;
            }
            let there = answer.headers().get(LOCATION).and_then(|there| there.to_str().ok());
            let next = there.and_then(|there| url.join(there).ok()).ok_or_else(|| {
                unreadable(format!("status {} without an address", answer.status().as_u16()))
            })?;
            if next.origin() != self.base.origin() {
                return Err(unreadable(format!("it redirects to {}", next.origin().ascii_serialization())));
            }
            let keeps_method = matches!(answer.status().as_u16(), 307 | 308) || *method == Method::GET;
            if !keeps_method {
                return Err(unreadable(format!("it redirects a {method} to {}", next.path())));
            }
            url = next;
        }
        Err(unreadable(format!("it redirects more than {MOST_REDIRECTS} times")))
    }

    async fn whole(&self, attempt: &str, mut answer: reqwest::Response) -> Result<Answer, Failed> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(attempt, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                let why = format!("the answer is larger than {} MiB", LARGEST / 1024 / 1024);
                let fault = Fault::Unreadable { attempt: attempt.to_owned(), why };
                return Err(Failed { fault, was_sent: true });
            }
        }
        Ok(Answer { status, headers, body: body.into() })
    }

    fn failed(&self, attempt: &str, error: reqwest::Error) -> Failed {
        let was_sent = !error.is_connect();
        let why = if error.is_timeout() {
            format!("no whole answer within {:?}", self.patience.answer)
        } else {
            self.cleared(&chain(&error.without_url()))
        };
        Failed { fault: Fault::Unreachable { attempt: attempt.to_owned(), why }, was_sent }
    }

    /// Text of the forge, cut, on one line and without our token, which a hostile one could send back.
    pub(crate) fn cleared(&self, text: &str) -> String {
        let mut text = text.replace(char::is_control, " ");
        if let Some(token) = &self.token {
            text = text.replace(token.value.expose().as_str(), "***");
        }
        text.chars().take(300).collect()
    }
}

/// A request that brought no answer.
struct Failed {
    fault: Fault,
    /// Whether it may have reached the forge.
    was_sent: bool,
}

fn authorization(kind: Kind, token: &Token) -> Result<(HeaderName, HeaderValue), Fault> {
    let (name, text) = match (kind, token.variable) {
        (Kind::Github, _) => ("authorization", format!("Bearer {}", token.value.expose())),
        (Kind::Gitlab, "CI_JOB_TOKEN") => ("job-token", token.value.expose().clone()),
        (Kind::Gitlab, _) => ("private-token", token.value.expose().clone()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| Fault::NotSet {
        why: format!("the token in {} has characters that no token has", token.variable),
        remedy: "set it again, without line breaks and blanks".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static(name), value))
}
