//! What a host target says of its router: certificate, limits, stickiness, testers.

use super::fields::{Entry, Fields};
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::{Limits, Sticky, Testers, Tls};

/// The header that testers use where the file names none.
const TESTERS: &str = "X-Windlass-Revision";

/// Headers that carry meaning of their own and can be neither a client's key nor a tester's choice.
const RESERVED: [&str; 8] =
    ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "forwarded"];

impl Decoder {
    /// The certificate; `None` inside where the key is absent.
    pub(super) fn tls(&mut self, fields: &Fields<'_>) -> Option<Option<Tls>> {
        let Some(entry) = fields.get("tls") else { return Some(None) };
        let fields = self.fields(&entry, &shape::TLS)?;
        let certificate = self.required(&fields, "certificate", "certificate: /etc/shop/fullchain.pem");
        let certificate = certificate.and_then(|entry| self.text(&entry, "name a PEM file on the host"));
        let key = self.required(&fields, "key", "key: /etc/shop/privkey.pem");
        let key = key.and_then(|entry| self.text(&entry, "name a PEM file on the host"));
        Some(Some(Tls { certificate: certificate?, key: key? }))
    }

    /// The limits, with defaults for what is not said.
    pub(super) fn limits(&mut self, fields: &Fields<'_>) -> Option<Limits> {
        let default = Limits::default();
        let Some(entry) = fields.get("limits") else { return Some(default) };
        let fields = self.fields(&entry, &shape::LIMITS)?;
        let header = fields.get("header").map_or(Some(default.header), |entry| self.size(&entry));
        let body = fields.get("body").map(|entry| self.size(&entry));
        let idle = self.span_or(fields.get("idle"), Zero::Refused, default.idle);
        let request = fields.get("request").map(|entry| self.span(&entry, Zero::Refused));
        let connections = fields
            .get("connections")
            .map_or(Some(default.connections), |entry| self.count(&entry, 1, 1_000_000));
        Some(Limits {
            header: header?,
            body: body.map_or(Some(None), |body| body.map(Some))?,
            idle: idle?,
            request: request.map_or(Some(None), |request| request.map(Some))?,
            connections: connections?,
        })
    }

    /// `sticky: { cookie: NAME }` or `sticky: { header: NAME }`.
    pub(super) fn sticky(&mut self, fields: &Fields<'_>) -> Option<Option<Sticky>> {
        const HINT: &str = "write `sticky: { cookie: shop-revision }` or `sticky: { header: X-User }`";
        let Some(entry) = fields.get("sticky") else { return Some(None) };
        let fields = self.fields(&entry, &shape::STICKY)?;
        match (fields.get("cookie"), fields.get("header")) {
            (Some(entry), None) => Some(Some(Sticky::Cookie(self.token(&entry)?))),
            (None, Some(entry)) => Some(Some(Sticky::Header(self.header(&entry)?))),
            (Some(_), Some(entry)) => {
                self.report(
                    &topics::TARGET,
                    &entry.key,
                    "a client is kept by one of cookie and header",
                    HINT,
                );
                None
            }
            (None, None) => {
                self.report(
                    &topics::TARGET,
                    &entry.key,
                    "`sticky` does not say by what a client is known",
                    HINT,
                );
                None
            }
        }
    }

    /// Who may choose the revision.
    pub(super) fn testers(&mut self, fields: &Fields<'_>) -> Option<Option<Testers>> {
        let Some(entry) = fields.get("testers") else { return Some(None) };
        let fields = self.fields(&entry, &shape::TESTERS)?;
        let token = self.required(&fields, "token", "token: /etc/shop/testers");
        let token = token.and_then(|entry| self.text(&entry, "name a file on the host that holds the token"));
        let header =
            fields.get("header").map_or_else(|| Some(TESTERS.to_owned()), |entry| self.header(&entry));
        Some(Some(Testers { token: token?, header: header? }))
    }

    /// The name of a header that the router may read and remove.
    fn header(&mut self, entry: &Entry<'_>) -> Option<String> {
        let name = self.token(entry)?;
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) || lower.starts_with("x-forwarded-") {
            let message = format!("`{name}` has a meaning of its own");
            self.report(&topics::TARGET, entry.place(), message, "choose a header of the application");
            return None;
        }
        Some(name)
    }

    /// A token of RFC 9110, section 5.6.2: what names of headers and of cookies are made of.
    fn token(&mut self, entry: &Entry<'_>) -> Option<String> {
        let text = self.text(entry, "write a name such as `shop-revision`")?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let good = text.len() <= 64 && text.bytes().all(fits);
        if !good {
            let message = format!("`{}` is not a name that HTTP allows: {}", entry.name, entry.described());
            self.report(&topics::TARGET, entry.place(), message, "letters, digits and dashes, at most 64");
        }
        good.then_some(text)
    }
}
