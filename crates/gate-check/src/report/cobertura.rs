//! Cobertura XML. Methods repeat the lines of their class, and one file may stand in several classes.

use std::collections::BTreeMap;

use super::Trouble;
use super::model::{Coverage, FileCoverage, key_of};
use super::xml::{Element, Item};

/// Reads a document from its root on.
#[derive(Default)]
pub(super) struct Cobertura {
    coverage: Coverage,
    /// The name of the class's file, and what is known of it.
    class: Option<(String, FileCoverage, String)>,
    method: Option<Method>,
    in_source: bool,
    source: String,
    /// Branches by file and line: covered and all. The same line may stand in several classes and methods.
    branches: BTreeMap<u32, (u32, u32)>,
}

struct Method {
    key: u64,
    hit: bool,
}

impl Cobertura {
    /// Whether a root element is one of ours: Clover's has the same name.
    pub(super) fn recognises(root: &Element<'_>) -> Result<bool, Trouble> {
        let (mut rate, mut clover) = (false, false);
        root.each_raw(|key, _| {
            rate |= matches!(key, "line-rate" | "lines-valid" | "branch-rate" | "lines-covered");
            clover |= matches!(key, "generated" | "clover");
        })?;
        Ok(root.name() == "coverage" && rate && !clover)
    }

    pub(super) fn item(&mut self, item: Item<'_>) -> Result<(), Trouble> {
        match item {
            Item::Begin(element) => self.begin(element),
            Item::Text(text) => {
                if self.in_source {
                    self.source.push_str(text);
                }
                Ok(())
            }
            Item::End(name) => {
                self.end(name);
                Ok(())
            }
        }
    }

    fn begin(&mut self, element: &Element<'_>) -> Result<(), Trouble> {
        match element.name() {
            "source" => {
                self.in_source = true;
                self.source.clear();
            }
            "class" => {
                let file = element
                    .attribute("filename")?
                    .filter(|name| !name.trim().is_empty())
                    .ok_or_else(|| Trouble::malformed("a class without a filename"))?
                    .replace('\\', "/");
                // A file in several classes is one file: its lines are joined.
                let known = self.coverage.files.remove(&file).unwrap_or_default();
                self.class = Some((file, known, element.attribute("name")?.unwrap_or_default()));
            }
            "method" => {
                let mut hit = false;
                element.each_raw(|key, value| {
                    if key == "line-rate" {
                        hit = value.trim().parse::<f64>().is_ok_and(|rate| rate > 0.0);
                    }
                })?;
                let name = element.attribute("name")?.unwrap_or_default();
                let signature = element.attribute("signature")?.unwrap_or_default();
                let class = self.class.as_ref().map_or("", |(_, _, class)| class);
                let key = key_of(&[class.as_bytes(), name.as_bytes(), signature.as_bytes()]);
                self.method = Some(Method { key, hit });
            }
            "line" => self.line(element)?,
            _ => {}
        }
        Ok(())
    }

    fn line(&mut self, element: &Element<'_>) -> Result<(), Trouble> {
        let (mut number, mut hits, mut condition) = (None, None, None);
        element.each_raw(|key, value| match key {
            "number" => number = value.trim().parse::<u32>().ok(),
            "hits" => hits = read_hits(value),
            "condition-coverage" => condition = Some(read_condition(value)),
            _ => {}
        })?;
        let Some((_, file, _)) = &mut self.class else {
            return Err(Trouble::malformed("a line outside of a class"));
        };
        let number = number.ok_or_else(|| Trouble::malformed("a line without a readable number"))?;
        let hit = hits
            .ok_or_else(|| Trouble::malformed(format!("line {number} without a readable count of hits")))?;
        file.lines.note(number, hit);
        if let Some(method) = &mut self.method {
            method.hit |= hit;
        }
        if let Some(condition) = condition {
            let (covered, all) = condition.ok_or_else(|| {
                Trouble::malformed(format!("line {number} with an unreadable condition-coverage"))
            })?;
            let known = self.branches.entry(number).or_default();
            *known = (known.0.max(covered), known.1.max(all));
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        match name {
            "source" => {
                self.in_source = false;
                let source = self.source.trim().replace('\\', "/");
                if !source.is_empty() && !self.coverage.sources.contains(&source) {
                    self.coverage.sources.push(source);
                }
            }
            "method" => {
                if let (Some(method), Some((_, file, _))) = (self.method.take(), &mut self.class) {
                    file.functions.note(method.key, method.hit);
                }
            }
            "class" => {
                if let Some((name, mut file, _)) = self.class.take() {
                    for (line, (covered, all)) in std::mem::take(&mut self.branches) {
                        for branch in 0..all {
                            file.branches.note(u64::from(line) << 20 | u64::from(branch), branch < covered);
                        }
                    }
                    file.lines.settle();
                    file.branches.settle();
                    file.functions.settle();
                    self.coverage.files.insert(name, file);
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish(self) -> Coverage {
        self.coverage
    }
}

/// Whether a count of hits is above zero; a negative one, which overflowing counters give, is not.
fn read_hits(text: &str) -> Option<bool> {
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(count) => Some(count > 0),
        Err(_) => text.parse::<f64>().ok().filter(|count| count.is_finite()).map(|count| count > 0.0),
    }
}

/// `50% (1/2)`: covered and all. More than a thousand branches in one line are not believed.
fn read_condition(text: &str) -> Option<(u32, u32)> {
    let (covered, all) = text.split_once('(')?.1.split_once(')')?.0.split_once('/')?;
    let (covered, all) = (covered.trim().parse().ok()?, all.trim().parse().ok()?);
    (covered <= all && all <= 1000).then_some((covered, all))
}
