//! How connections and requests are treated, whatever revision they are for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderName;
use rustls::ServerConfig;
use windlass_domain::policy;
use windlass_target::host::control::Place;

use super::door::Door;
use super::files::{Look, Watched};
use super::sticky::Sticky;
use super::testers::Testers;
use super::tls;
use crate::access::Access;

/// What belongs to the place, not to a release.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(super) limits: Limits,
    pub(super) sticky: Option<Sticky>,
    pub(super) testers: Option<Testers>,
    pub(super) tls: Option<Watched<Arc<ServerConfig>>>,
    pub(super) access: Option<Arc<Access>>,
}

/// What a client may take.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Of a request's head, in bytes.
    pub(super) header: usize,
    /// Of a request's body, in bytes.
    pub(super) body: Option<u64>,
    /// How long a connection may rest, a head may take to arrive, and a client may stop in the middle of a body.
    pub(super) idle: Duration,
    /// For a request and its answer.
    pub(super) request: Option<Duration>,
    /// Connections at once.
    pub(super) connections: u64,
}

impl Settings {
    /// As the place has it. Every file is read: what cannot be used is refused, by its name.
    pub(crate) fn open(place: &Place) -> Result<Self, String> {
        let tls = place.tls.as_ref().map(|tls| Watched::open(paths(tls), tls::read)).transpose()?;
        let testers = place.testers.as_ref().map(Testers::open).transpose()?;
        Self::of(place, tls, testers)
    }

    /// The same for an agent that takes up its work again: a file that cannot be read is looked for until it can.
    pub(crate) fn resume(place: &Place) -> Result<Self, String> {
        let tls = place.tls.as_ref().map(|tls| Watched::hope(paths(tls), tls::read));
        let testers = place.testers.as_ref().map(Testers::hope).transpose()?;
        Self::of(place, tls, testers)
    }

    /// The same, with a line of each request going there.
    pub(crate) fn logged_to(self, access: Option<Arc<Access>>) -> Self {
        Self { access, ..self }
    }

    fn of(
        place: &Place,
        tls: Option<Watched<Arc<ServerConfig>>>,
        testers: Option<Testers>,
    ) -> Result<Self, String> {
        let sticky = place.sticky.as_ref().map(Sticky::of).transpose()?;
        Ok(Self { limits: Limits::of(&place.limits), sticky, testers, tls, access: None })
    }

    /// Reads the place's files again where they changed.
    pub(super) fn look(&self, door: &Door) {
        let looks = [
            self.tls.as_ref().map(|tls| ("the certificate", tls.look())),
            self.testers.as_ref().map(|testers| ("the testers' token", testers.token().look())),
        ];
        for (what, look) in looks.into_iter().flatten() {
            match look {
                Look::Same => {}
                Look::Read => tracing::info!(what, "read again"),
                Look::Failed(why) => {
                    door.not_reloaded();
                    tracing::error!(what, why, "cannot be read again; what was read before stays in use");
                }
            }
        }
    }

    /// The header that testers use, where there are any.
    pub(super) fn testers_header(&self) -> Option<&HeaderName> {
        self.testers.as_ref().map(Testers::header)
    }
}

impl Limits {
    fn of(policy: &policy::Limits) -> Self {
        Self {
            header: usize::try_from(policy.header.get()).unwrap_or(usize::MAX),
            body: policy.body.map(policy::Size::get),
            idle: policy.idle.get(),
            request: policy.request.map(policy::Span::get),
            connections: u64::from(policy.connections),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(&policy::Limits::default())
    }
}

fn paths(tls: &policy::Tls) -> Vec<PathBuf> {
    vec![PathBuf::from(&tls.certificate), PathBuf::from(&tls.key)]
}
