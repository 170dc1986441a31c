//! The packages of the lock files as CycloneDX 1.6: what they are, where they come from, and what needs what.
//!
//! Source: <https://cyclonedx.org/docs/1.6/json/>, for `purl` <https://github.com/package-url/purl-spec>, and for the
//! properties `gitlab:…` the taxonomy of GitLab's documentation. The same lock files give the same bytes but for the time.
//! A lock file names no licences, so there are none here. Knows nothing of advisories: it is no verdict.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rustsec::package::{Package, SourceId, SourceKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use windlass_ci::sink;
use windlass_domain::digest::Digest;

use crate::dependencies::{Dependencies, Lock};

/// The reference of the tree itself.
const TREE: &str = "tree";

/// What the list is about.
pub(crate) struct About {
    /// What the tree is called. Comes from outside.
    pub(crate) name: String,
    /// The artifact that the scan is about.
    pub(crate) artifact: Option<Digest>,
    /// When it was made.
    pub(crate) at: Timestamp,
}

/// The document. A package that stands in two lock files is in it twice, each time with its file: what it needs may differ.
pub(crate) fn document(dependencies: &Dependencies, about: &About) -> Value {
    let mut components = Vec::new();
    let mut graph = Vec::new();
    let mut own = Vec::new();
    for lock in &dependencies.locks {
        let packages = References::of(lock);
        for (reference, package) in packages.sorted() {
            components.push(component(lock, reference, package));
            graph.push(json!({ "ref": reference, "dependsOn": packages.needed_by(package) }));
            own.extend(package.source.is_none().then(|| reference.to_owned()));
        }
    }
    graph.insert(0, json!({ "ref": TREE, "dependsOn": own }));
    let aggregate = if dependencies.lists_all { "complete" } else { "incomplete" };
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata(&dependencies.locks, about),
        "components": components,
        "dependencies": graph,
        "compositions": [{ "aggregate": aggregate, "assemblies": [TREE], "dependencies": [TREE] }],
    });
    document["serialNumber"] = json!(serial(&document));
    document["metadata"]["timestamp"] = json!(about.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    document
}

fn metadata(locks: &[Lock], about: &About) -> Value {
    let mut properties = vec![
        property("gitlab:meta:schema_version", "1"),
        property("gitlab:dependency_scanning:package_manager:name", "cargo"),
        property("gitlab:dependency_scanning:language:name", "Rust"),
    ];
    // Older servers look for it here alone.
    if let [lock] = locks {
        properties.push(property("gitlab:dependency_scanning:input_file:path", &lock.name));
    }
    if let Some(artifact) = about.artifact {
        properties.push(property("windlass:artifact", &artifact.to_string()));
    }
    json!({
        "tools": { "components": [{
            "type": "application",
            "group": "windlass",
            "name": "security-scan",
            "version": env!("CARGO_PKG_VERSION"),
        }]},
        "component": { "type": "application", "bom-ref": TREE, "name": sink::line(&about.name) },
        "properties": properties,
    })
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": sink::line(value) })
}

fn component(lock: &Lock, reference: &str, package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": sink::line(package.name.as_str()),
        "version": package.version.to_string(),
    });
    // A package without a source is the tree's own, and no registry has it.
    if let Some(source) = &package.source {
        component["purl"] = json!(purl(package, source));
    }
    if let Some(checksum) = package.checksum.as_ref().and_then(rustsec::package::Checksum::as_sha256) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": Digest::from_bytes(checksum).hex() }]);
    }
    component["evidence"] = json!({ "occurrences": [{ "location": sink::line(&lock.name) }] });
    component["properties"] = json!([property("gitlab:dependency_scanning:input_file:path", &lock.name)]);
    component
}

/// The package's URL: of crates.io without more, else with where it comes from.
fn purl(package: &Package, source: &SourceId) -> String {
    let (name, version) = (encode(package.name.as_str(), ""), encode(&package.version.to_string(), ""));
    let plain = format!("pkg:cargo/{name}@{version}");
    match source.kind() {
        _ if source.is_default_registry() => plain,
        SourceKind::Git(_) => {
            let revision = source.precise().map(|revision| format!("@{revision}")).unwrap_or_default();
            format!("{plain}?vcs_url={}", encode(&format!("git+{}{revision}", address(source)), "/:"))
        }
        SourceKind::Registry | SourceKind::SparseRegistry => {
            format!("{plain}?repository_url={}", encode(&address(source), "/:"))
        }
        // A path, a folder, a registry on this disk, and what a later Cargo knows: no address that others could use.
        _ => plain,
    }
}

/// The address of a source without user, password and query: any of them may hold a secret.
fn address(source: &SourceId) -> String {
    let mut url = source.url().clone();
    url.set_query(None);
    url.set_fragment(None);
    // Where a URL can have neither, there is none to take away.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}

/// Percent-encodes every byte but the unreserved ones and `kept`.
fn encode(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || kept.contains(character)
        {
            out.push(character);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The packages of one lock file, each with a reference that no other has.
struct References<'a> {
    /// By name and version; more than one where they come from several sources.
    packages: BTreeMap<(&'a str, &'a rustsec::Version), Vec<(String, &'a Package)>>,
}

impl<'a> References<'a> {
    fn of(lock: &'a Lock) -> Self {
        let mut packages: BTreeMap<_, Vec<(String, &Package)>> = BTreeMap::new();
        for package in &lock.file.packages {
            packages
                .entry((package.name.as_str(), &package.version))
                .or_default()
                .push((String::new(), package));
        }
        for ((name, version), several) in &mut packages {
            several.sort_by_key(|(_, package)| package.source.as_ref().map(ToString::to_string));
            for (index, (reference, _)) in several.iter_mut().enumerate() {
                let more = if index == 0 { String::new() } else { format!("#{}", index + 1) };
                *reference = sink::line(&format!("{}#{name}@{version}{more}", lock.uri));
            }
        }
        Self { packages }
    }

    fn sorted(&self) -> impl Iterator<Item = (&str, &'a Package)> {
        self.packages.values().flatten().map(|(reference, package)| (reference.as_str(), *package))
    }

    /// The references of what a package needs, sorted and each once.
    fn needed_by(&self, package: &'a Package) -> Vec<&str> {
        let mut needed: Vec<&str> = Vec::new();
        for dependency in &package.dependencies {
            let several = self.packages.get(&(dependency.name.as_str(), &dependency.version));
            let several = several.map(Vec::as_slice).unwrap_or_default();
            let same = several.iter().find(|(_, one)| one.source == dependency.source);
            needed.extend(same.or(several.first()).map(|(reference, _)| reference.as_str()));
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

/// A serial number made from what the document says, so that another one says something else (RFC 9562, version 8).
fn serial(document: &Value) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(document.to_string().as_bytes()).into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = Digest::from_bytes(bytes).hex();
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}
