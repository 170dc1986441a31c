//! `release`: the artifact, its configuration, its data schema and how data gets there.

use super::fields::Entry;
use super::scalar::Zero;
use super::{Decoder, shape, topics, unit};
use crate::policy::yaml::Value;
use crate::policy::{Migrate, ReleasePolicy, Span};
use crate::release::Schema;

/// The schema versions a release reads, both ends included.
type Reads = (u64, u64);

impl Decoder {
    /// `release: dist/` or the long form.
    pub(super) fn release(&mut self, entry: &Entry<'_>) -> Option<ReleasePolicy> {
        const ARTIFACT: &str = "name a file, a folder, or an image by digest: `dist/`";
        if entry.scalar().is_some() {
            let artifact = self.text(entry, ARTIFACT)?;
            return Some(ReleasePolicy { artifact: Some(artifact), ..ReleasePolicy::default() });
        }
        let fields = self.fields(entry, &shape::RELEASE)?;
        let artifact = fields.get("artifact").map(|entry| self.text(&entry, ARTIFACT));
        let config = match fields.get("config") {
            Some(entry) => self.texts(&entry, "name files or folders: `[deploy/config/]`"),
            None => Some(Vec::new()),
        };
        let beside = fields.get("reads").map(|entry| (entry.clone(), self.reads(&entry)));
        let schema = match (fields.get("schema"), beside) {
            (Some(entry), beside) => self.schema(&entry, beside).map(Some),
            (None, Some((entry, _))) => {
                let hint = "add `schema:`, the version that the release writes";
                self.report(&topics::MISSING_KEY, &entry.key, "`reads` stands without `schema`", hint);
                None
            }
            (None, None) => Some(None),
        };
        let migrate = fields.get("migrate").map(|entry| self.migrate(&entry));
        Some(ReleasePolicy {
            artifact: artifact.map_or(Some(None), |text| text.map(Some))?,
            config: config?,
            schema: schema?,
            migrate: migrate.map_or(Some(None), |migrate| migrate.map(Some))?,
        })
    }

    /// How data gets to the release's schema. Whether the release before still works is never guessed.
    fn migrate(&mut self, entry: &Entry<'_>) -> Option<Migrate> {
        let fields = self.fields(entry, &shape::MIGRATE)?;
        let up = self.required(&fields, "up", "up: [bin/shop, migrate]");
        let up = up.and_then(|entry| self.command(&entry));
        let reversible = self.required(&fields, "reversible", "reversible: true");
        let reversible = reversible.and_then(|entry| self.boolean(&entry));
        let timeout = self.span_or(fields.get("timeout"), Zero::Refused, Span::minutes(5));
        Some(Migrate { up: up?, reversible: reversible?, timeout: timeout? })
    }

    /// `schema: 12`, with `reads` beside it or in the long form.
    fn schema(&mut self, entry: &Entry<'_>, beside: Option<(Entry<'_>, Option<Reads>)>) -> Option<Schema> {
        let (version, within) = match &entry.node.value {
            Value::Mapping(_) => {
                let fields = self.fields(entry, &shape::SCHEMA)?;
                let version = self.required(&fields, "version", "version: 12");
                (version, fields.get("reads").map(|entry| (entry.clone(), self.reads(&entry))))
            }
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => (Some(entry.clone()), None),
        };
        let writes = version.and_then(|entry| self.count(&entry, 0, u64::MAX));
        let reads = match (within, beside) {
            (Some(_), Some((entry, _))) => {
                let hint = "keep the one under `schema`";
                self.report(&topics::DUPLICATE_KEY, &entry.key, "`reads` is said twice", hint);
                None
            }
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => {
                let writes = writes?;
                return Some(Schema { writes, reads_from: writes, reads_to: writes });
            }
        };
        let (place, range) = reads?;
        let (writes, (reads_from, reads_to)) = (writes?, range?);
        let schema = Schema { writes, reads_from, reads_to };
        if !schema.reads(writes) {
            let message = format!("the release writes schema {writes} and could not read it again");
            self.report(&topics::VALUE, place.place(), message, format!("let `reads` contain {writes}"));
            return None;
        }
        Some(schema)
    }

    /// `11..12`, both ends included, or one version.
    fn reads(&mut self, entry: &Entry<'_>) -> Option<Reads> {
        const HINT: &str = "write the oldest and the newest, both included: `11..12`";
        let text = self.text(entry, HINT)?;
        let (from, to) = text.split_once("..").unwrap_or((&text, &text));
        let range = unit::whole(from.trim()).zip(unit::whole(to.trim()));
        match range {
            Some((from, to)) if from <= to => Some((from, to)),
            Some(_) => {
                let message = format!("`{}` runs backwards: `{text}`", entry.name);
                self.report(&topics::VALUE, entry.place(), message, HINT);
                None
            }
            None => {
                let message = format!("`{}` needs a range of versions, not `{text}`", entry.name);
                self.report(&topics::WRONG_TYPE, entry.place(), message, HINT);
                None
            }
        }
    }
}
