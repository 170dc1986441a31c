//! `verify`: how a running release is judged.

use super::fields::{Entry, Fields};
use super::scalar::Zero;
use super::{Decoder, shape, topics};
use crate::policy::{
    ErrorCheck, Expect, LatencyCheck, NoData, OnInconclusive, Probe, ProbeKind, Span, Verify, WarmUp,
};

const ON_INCONCLUSIVE: [(&str, OnInconclusive); 4] = [
    ("hold", OnInconclusive::Hold),
    ("extend", OnInconclusive::Extend),
    ("fail", OnInconclusive::Fail),
    ("pass", OnInconclusive::Pass),
];

const NO_DATA: [(&str, NoData); 3] =
    [("inconclusive", NoData::Inconclusive), ("fail", NoData::Fail), ("ignore", NoData::Ignore)];

impl Decoder {
    /// The checks of a running release.
    pub(super) fn verify(&mut self, entry: &Entry<'_>) -> Option<Verify> {
        let fields = self.fields(entry, &shape::VERIFY)?;
        let probes = fields.get("probes").map_or_else(|| Some(Vec::new()), |entry| self.probes(&entry));
        let errors = fields.get("errors").map(|entry| self.errors(&entry));
        let latency = fields.get("latency").map(|entry| self.latency(&entry));
        let restarts = fields.get("restarts").map_or(Some(0), |entry| self.count(&entry, 0, 1_000_000));
        let within = self.span_or(fields.get("within"), Zero::Refused, Span::minutes(10));
        let none = WarmUp { time: Span::seconds(0), requests: 0 };
        let warm_up = fields.get("warm_up").map_or(Some(none), |entry| self.warm_up(&entry));
        let on_inconclusive = fields
            .get("on_inconclusive")
            .map_or(Some(OnInconclusive::default()), |entry| self.choice(&entry, &ON_INCONCLUSIVE));
        let no_data =
            fields.get("no_data").map_or(Some(NoData::default()), |entry| self.choice(&entry, &NO_DATA));
        Some(Verify {
            probes: probes?,
            errors: errors.map_or(Some(None), |errors| errors.map(Some))?,
            latency: latency.map_or(Some(None), |latency| latency.map(Some))?,
            restarts: restarts?,
            within: within?,
            warm_up: warm_up?,
            on_inconclusive: on_inconclusive?,
            no_data: no_data?,
        })
    }

    fn probes(&mut self, entry: &Entry<'_>) -> Option<Vec<Probe>> {
        let probes: Vec<_> = self.items(entry).iter().map(|item| self.probe(item)).collect();
        probes.into_iter().collect()
    }

    /// `/healthz` or the long form.
    fn probe(&mut self, entry: &Entry<'_>) -> Option<Probe> {
        let (timeout, every) = (Span::seconds(5), Span::seconds(1));
        if entry.scalar().is_some() {
            let kind = ProbeKind::Http(self.url(entry)?);
            return Some(Probe { kind, expect: Expect::default(), timeout, every, failures: 3 });
        }
        let fields = self.fields(entry, &shape::PROBE)?;
        let kind = self.probe_kind(&fields);
        let expect = fields
            .get("expect")
            .map_or_else(|| Some(Expect::default()), |entry| self.expect(&entry, &fields));
        let timeout = self.span_or(fields.get("timeout"), Zero::Refused, timeout);
        let every = self.span_or(fields.get("every"), Zero::Refused, every);
        let failures = fields.get("failures").map_or(Some(3), |entry| self.count(&entry, 1, 1000));
        Some(Probe { kind: kind?, expect: expect?, timeout: timeout?, every: every?, failures: failures? })
    }

    fn probe_kind(&mut self, fields: &Fields<'_>) -> Option<ProbeKind> {
        const HINT: &str = "`http: /healthz`, `tcp: 127.0.0.1:5432` or `command: [check]`";
        match (fields.get("http"), fields.get("tcp"), fields.get("command")) {
            (Some(entry), None, None) => self.url(&entry).map(ProbeKind::Http),
            (None, Some(entry), None) => self.host_and_port(&entry).map(ProbeKind::Tcp),
            (None, None, Some(entry)) => self.command(&entry).map(ProbeKind::Command),
            (None, None, None) => {
                let hint = format!("add one of {HINT}");
                self.report(&topics::MISSING_KEY, &fields.place, "a probe that does nothing", hint);
                None
            }
            (http, tcp, command) => {
                let second = [http, tcp, command].into_iter().flatten().max_by_key(|entry| entry.key.start);
                let place = second.map_or_else(|| fields.place.clone(), |entry| entry.key);
                let hint = format!("keep one of {HINT}; write another probe for the other");
                self.report(&topics::VALUE, &place, "a probe does one thing", hint);
                None
            }
        }
    }

    /// A path of the service, or a whole URL.
    fn url(&mut self, entry: &Entry<'_>) -> Option<String> {
        const HINT: &str = "write a path such as `/healthz`, or a whole URL";
        let text = self.text(entry, HINT)?;
        let whole = ["http://", "https://"].iter().any(|scheme| {
            text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let good = clean && (whole || text.starts_with('/'));
        if !good {
            let message = format!("`{}` is neither a path nor a URL: {}", entry.name, entry.described());
            self.report(&topics::VALUE, entry.place(), message, HINT);
        }
        good.then_some(text)
    }

    /// `host:port`, or an empty text for the service itself.
    fn host_and_port(&mut self, entry: &Entry<'_>) -> Option<String> {
        const HINT: &str = "write `host:port`, or \"\" for the service itself";
        let Some(text) = entry.scalar() else {
            self.wrong_type(entry, "an address", HINT);
            return None;
        };
        let good = text.is_empty()
            || text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains(|c: char| c.is_whitespace() || c == '/')
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
        if !good {
            let message = format!("`{}` is not an address: {}", entry.name, entry.described());
            self.report(&topics::VALUE, entry.place(), message, HINT);
        }
        good.then(|| text.to_owned())
    }

    /// `200` or the long form.
    fn expect(&mut self, entry: &Entry<'_>, probe: &Fields<'_>) -> Option<Expect> {
        let (status, contains) = if entry.scalar().is_some() {
            (Some(entry.clone()), None)
        } else {
            let fields = self.fields(entry, &shape::EXPECT)?;
            (fields.get("status"), fields.get("contains"))
        };
        if probe.get("http").is_none()
            && let Some(status) = &status
        {
            let hint = "only an `http` probe is answered with a status";
            self.report(&topics::VALUE, &status.key, "this probe has no status", hint);
            return None;
        }
        if probe.get("tcp").is_some()
            && let Some(contains) = &contains
        {
            let hint = "a `tcp` probe only connects; use `http` or `command`";
            self.report(&topics::VALUE, &contains.key, "this probe reads nothing", hint);
            return None;
        }
        let status = status.map(|entry| self.count(&entry, 100, 599));
        let contains = contains.map(|entry| self.text(&entry, "write the text that must be there"));
        Some(Expect {
            status: status.map_or(Some(None), |status| status.map(Some))?,
            contains: contains.map_or(Some(None), |text| text.map(Some))?,
        })
    }

    /// `1%` or the long form.
    fn errors(&mut self, entry: &Entry<'_>) -> Option<ErrorCheck> {
        if entry.scalar().is_some() {
            return Some(ErrorCheck { at_most: Some(self.percent(entry)?), worse_by: None });
        }
        let fields = self.fields(entry, &shape::ERRORS)?;
        let at_most = fields.get("at_most").map(|entry| self.percent(&entry));
        let worse_by = fields.get("worse_by").map(|entry| self.ratio(&entry));
        if at_most.is_none() && worse_by.is_none() {
            let hint = "add `at_most: 1%` or `worse_by: 2x`";
            self.report(&topics::MISSING_KEY, &entry.key, "`errors` bounds nothing", hint);
            return None;
        }
        Some(ErrorCheck {
            at_most: at_most.map_or(Some(None), |percent| percent.map(Some))?,
            worse_by: worse_by.map_or(Some(None), |ratio| ratio.map(Some))?,
        })
    }

    /// `1.3x` or the long form.
    fn latency(&mut self, entry: &Entry<'_>) -> Option<LatencyCheck> {
        if entry.scalar().is_some() {
            return Some(LatencyCheck { worse_by: self.ratio(entry)? });
        }
        let fields = self.fields(entry, &shape::LATENCY)?;
        let worse_by =
            self.required(&fields, "worse_by", "worse_by: 1.3x").and_then(|entry| self.ratio(&entry));
        Some(LatencyCheck { worse_by: worse_by? })
    }

    /// `30s` or the long form.
    fn warm_up(&mut self, entry: &Entry<'_>) -> Option<WarmUp> {
        if entry.scalar().is_some() {
            return Some(WarmUp { time: self.span(entry, Zero::Allowed)?, requests: 0 });
        }
        let fields = self.fields(entry, &shape::WARM_UP)?;
        let time = self.span_or(fields.get("time"), Zero::Allowed, Span::seconds(0));
        let requests = fields.get("requests").map_or(Some(0), |entry| self.count(&entry, 0, u64::MAX));
        Some(WarmUp { time: time?, requests: requests? })
    }
}
