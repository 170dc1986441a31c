//! SARIF 2.1.0. Read as a stream: results are counted as they pass, only what is named is kept.
//!
//! Source: OASIS sarif-v2.1.0, §3.14 (run), §3.27 (result), §3.27.10 (level). A run without `results` has not
//! looked for any (§3.14.23): that is no evidence of none.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

use super::Trouble;
use super::model::{Findings, MOST_OFFENDERS, Offender};

/// Reads a log file.
pub(super) fn read(reader: impl Read) -> Result<Findings, Trouble> {
    let mut json =
        serde_json::Deserializer::from_reader(std::io::BufReader::with_capacity(64 * 1024, reader));
    let log = Log::deserialize(&mut json).map_err(trouble)?;
    json.end().map_err(trouble)?;
    match (log.version, log.runs) {
        (None, None) => Err(Trouble::Unknown("a JSON document that is not SARIF".into())),
        (Some(version), _) if version != "2.1.0" => {
            Err(Trouble::Unknown(format!("SARIF version {version:?}; only 2.1.0 is read")))
        }
        (None, Some(_)) => Err(Trouble::malformed("no version")),
        (Some(_), None) => Err(Trouble::malformed("no runs")),
        (Some(_), Some(Runs { count: 0, .. })) => Err(Trouble::malformed("no run: nothing was looked for")),
        (Some(_), Some(runs)) => Ok(runs.findings),
    }
}

fn trouble(error: serde_json::Error) -> Trouble {
    let line = error.line() as u64;
    match error.classify() {
        serde_json::error::Category::Eof => {
            Trouble::truncated("the file ends inside of the JSON document").at_line(line)
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Data => {
            let text = error.to_string();
            Trouble::malformed(text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what)).at_line(line)
        }
    }
}

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    runs: Option<Runs>,
}

#[derive(Default)]
struct Runs {
    count: usize,
    findings: Findings,
}

impl<'de> Deserialize<'de> for Runs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Runs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of runs")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Runs, A::Error> {
                let mut runs = Runs::default();
                while let Some(run) = list.next_element::<Run>()? {
                    runs.count += 1;
                    runs.findings.merge(run.count().map_err(A::Error::custom)?);
                }
                Ok(runs)
            }
        }
        deserializer.deserialize_seq(Each)
    }
}

#[derive(Deserialize)]
struct Run {
    #[serde(default)]
    tool: Option<Tool>,
    #[serde(default)]
    results: Option<Results>,
    #[serde(default)]
    invocations: Option<Vec<Invocation>>,
}

#[derive(Deserialize)]
struct Invocation {
    #[serde(rename = "executionSuccessful")]
    successful: Option<bool>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Component,
    #[serde(default)]
    extensions: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    id: String,
    #[serde(default, rename = "defaultConfiguration")]
    default: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    None,
    Note,
    Warning,
    Error,
}

/// The results of a run. Those without a level of their own wait for their rule, which may stand behind them.
#[derive(Default)]
struct Results {
    findings: Findings,
    waiting: HashMap<RuleKey, (u64, Vec<Offender>)>,
}

#[derive(PartialEq, Eq, Hash)]
enum RuleKey {
    Id(String),
    Index(usize),
    Nothing,
}

impl Run {
    fn count(self) -> Result<Findings, &'static str> {
        if self.invocations.iter().flatten().any(|invocation| invocation.successful == Some(false)) {
            return Err("the tool says itself that its run did not succeed");
        }
        let results = self.results.ok_or("a run without results: nothing was looked for")?;
        let mut findings = results.findings;
        let driver = self.tool.as_ref().map(|tool| &tool.driver);
        let extensions = self.tool.iter().flat_map(|tool| tool.extensions.iter().flatten());
        for (key, (count, offenders)) in results.waiting {
            let mut rules = driver
                .into_iter()
                .chain(extensions.clone())
                .flat_map(|component| component.rules.iter().flatten());
            let rule = match &key {
                RuleKey::Id(id) => rules.find(|rule| {
                    rule.id == *id || id.strip_prefix(&rule.id).is_some_and(|rest| rest.starts_with('/'))
                }),
                RuleKey::Index(index) => driver.and_then(|driver| driver.rules.as_ref()?.get(*index)),
                RuleKey::Nothing => None,
            };
            let configuration = rule.and_then(|rule| rule.default.as_ref());
            let level = match configuration {
                Some(Configuration { enabled: Some(false), level: None }) => Level::None,
                Some(Configuration { level: Some(level), .. }) => *level,
                Some(_) | None => Level::Warning,
            };
            note(&mut findings, level, count, offenders);
        }
        Ok(findings)
    }
}

fn note(findings: &mut Findings, level: Level, count: u64, offenders: Vec<Offender>) {
    let (counter, list) = match level {
        Level::None | Level::Note => {
            findings.notes += count;
            return;
        }
        Level::Warning => (&mut findings.warnings, &mut findings.warning_offenders),
        Level::Error => (&mut findings.errors, &mut findings.error_offenders),
    };
    *counter += count;
    list.extend(offenders);
    list.truncate(MOST_OFFENDERS);
}

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Results;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of results")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Results, A::Error> {
                let mut results = Results::default();
                while let Some(result) = list.next_element::<Found>()? {
                    results.take(result);
                }
                Ok(results)
            }
        }
        deserializer.deserialize_seq(Each)
    }
}

impl Results {
    fn take(&mut self, result: Found) {
        if result.suppressions.iter().flatten().any(Suppression::holds) {
            self.findings.suppressed += 1;
            return;
        }
        if result.baseline.as_deref() == Some("absent") {
            return;
        }
        let level = match (result.kind.as_deref(), result.level) {
            (None | Some("fail"), Some(level)) => level,
            (None | Some("fail"), None) => {
                let offender = result.offender();
                let (count, offenders) = self.waiting.entry(result.rule_key()).or_default();
                *count += 1;
                if offenders.len() < MOST_OFFENDERS {
                    offenders.push(offender);
                }
                return;
            }
            (Some("pass" | "open" | "informational" | "notApplicable" | "review"), _) => Level::None,
            // An unknown kind is not a pass.
            (Some(_), level) => level.unwrap_or(Level::Warning),
        };
        let offenders = vec![result.offender()];
        note(&mut self.findings, level, 1, offenders);
    }
}

#[derive(Deserialize)]
struct Found {
    #[serde(default, rename = "ruleId")]
    rule_id: Option<String>,
    #[serde(default, rename = "ruleIndex")]
    rule_index: Option<i64>,
    #[serde(default)]
    rule: Option<RuleReference>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    locations: Option<FirstLocation>,
    #[serde(default)]
    suppressions: Option<Vec<Suppression>>,
    #[serde(default, rename = "baselineState")]
    baseline: Option<String>,
}

#[derive(Deserialize)]
struct RuleReference {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Suppression {
    #[serde(default)]
    status: Option<String>,
}

impl Suppression {
    /// One under review or rejected suppresses nothing.
    fn holds(&self) -> bool {
        self.status.as_deref().is_none_or(|status| status == "accepted")
    }
}

impl Found {
    fn rule_key(&self) -> RuleKey {
        let reference = self.rule.as_ref();
        let id = self.rule_id.as_ref().or_else(|| reference?.id.as_ref());
        let index =
            self.rule_index.or_else(|| reference?.index).and_then(|index| usize::try_from(index).ok());
        match (id, index) {
            (Some(id), _) => RuleKey::Id(id.clone()),
            (None, Some(index)) => RuleKey::Index(index),
            (None, None) => RuleKey::Nothing,
        }
    }

    fn offender(&self) -> Offender {
        let name = match self.rule_key() {
            RuleKey::Id(id) => id,
            RuleKey::Index(index) => format!("rule {index}"),
            RuleKey::Nothing => "unnamed rule".into(),
        };
        let text = self.message.as_ref().and_then(|message| message.text.as_deref()).unwrap_or_default();
        let (path, line) =
            self.locations.as_ref().map_or((None, None), |place| (place.path.clone(), place.line));
        Offender::new(name, text).at(path, line)
    }
}

/// The first of a list of locations.
#[derive(Default)]
struct FirstLocation {
    path: Option<String>,
    line: Option<u64>,
}

impl<'de> Deserialize<'de> for FirstLocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Location {
            #[serde(default, rename = "physicalLocation")]
            physical: Option<Physical>,
        }
        #[derive(Deserialize)]
        struct Physical {
            #[serde(default, rename = "artifactLocation")]
            artifact: Option<Artifact>,
            #[serde(default)]
            region: Option<Region>,
        }
        #[derive(Deserialize)]
        struct Artifact {
            #[serde(default)]
            uri: Option<String>,
        }
        #[derive(Deserialize)]
        struct Region {
            #[serde(default, rename = "startLine")]
            line: Option<u64>,
        }
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = FirstLocation;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of locations")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FirstLocation, A::Error> {
                let first = list.next_element::<Location>()?.and_then(|location| location.physical);
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first.map_or_else(FirstLocation::default, |physical| FirstLocation {
                    path: physical.artifact.and_then(|artifact| artifact.uri),
                    line: physical.region.and_then(|region| region.line),
                }))
            }
        }
        deserializer.deserialize_seq(Each)
    }
}
