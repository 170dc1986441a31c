//! octocrab over our own carrier: it shapes the requests, and time, size, repeats, limits, proxies and the token are the carrier's.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};
use serde_json::Value;
use tower_service::Service;

use crate::carrier::{Answer, Carrier};
use crate::fault::Fault;

/// What a request is for, carried in it.
#[derive(Clone)]
struct Attempt(String);

/// GitHub's own client, over a carrier.
pub(super) struct Wire {
    carrier: Arc<Carrier>,
    crab: Octocrab,
}

impl Wire {
    /// Must be called inside a runtime: octocrab's queue is a task.
    pub(super) fn new(carrier: Arc<Carrier>) -> Self {
        let service = Carried(Arc::clone(&carrier));
        let built = OctocrabBuilder::new_empty().with_service(service).with_auth(AuthState::None).build();
        let crab = built.unwrap_or_else(|never| match never {});
        Self { carrier, crab }
    }

    pub(super) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// One request, and its answer whatever the status. `path` begins with a slash.
    pub(super) async fn ask(
        &self,
        attempt: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let builder = Request::builder()
            .method(method)
            .uri(self.carrier.address(path))
            .header(ACCEPT, HeaderValue::from_static("application/vnd.github+json, application/json"))
            .header("x-github-api-version", HeaderValue::from_static("2022-11-28"))
            .extension(Attempt(attempt.to_owned()));
        let request = self.crab.build_request(builder, body).map_err(|error| fault(attempt, &error))?;
        let response = self.crab.execute(request).await.map_err(|error| fault(attempt, &error))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| fault(attempt, &error))?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// The carrier's own fault, which octocrab hands on as a cause, or octocrab's.
fn fault(attempt: &str, error: &octocrab::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(fault) = one.downcast_ref::<Fault>() {
            return fault.clone();
        }
        cause = one.source();
    }
    let why = error.to_string().replace(char::is_control, " ");
    Fault::Unreachable { attempt: attempt.to_owned(), why }
}

/// The carrier as octocrab's transport.
#[derive(Clone)]
struct Carried(Arc<Carrier>);

impl Service<Request<OctoBody>> for Carried {
    type Response = Response<Full<Bytes>>;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<OctoBody>) -> Self::Future {
        let carrier = Arc::clone(&self.0);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let attempt = parts.extensions.get::<Attempt>().map(|one| one.0.clone()).unwrap_or_default();
            let body = body.collect().await.map_err(|error| fault(&attempt, &error))?.to_bytes();
            let address = parts.uri.to_string();
            let answer = carrier.send(&attempt, parts.method, &address, parts.headers, body).await?;
            let mut response = Response::new(Full::new(answer.body));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}
