//! A run of a tool, resolved: policy, environment, artifact, evidence, keys, CI system.

use std::fs;
use std::path::{Path, PathBuf};

use windlass_domain::digest::Digest;
use windlass_domain::policy::{Environment, Policy};
use windlass_domain::secret::Secret;
use windlass_evidence::artifact;
use windlass_evidence::envelope::Envelope;
use windlass_evidence::sign::{PublicKey, Signer};
use windlass_evidence::statement::Statement;
use windlass_evidence::store::Store;
use windlass_evidence::verify::TrustedKey;

use crate::args::Common;
use crate::context::Context;
use crate::fail::{Failure, Result};
use crate::host::{self, Host, Place};
use crate::progress::Progress;
use crate::{diagnostic, topics};

/// A policy and where it lies.
#[derive(Clone, Debug)]
pub struct Located {
    /// What it says.
    pub policy: Policy,
    /// Its file.
    pub path: PathBuf,
    /// The folder that its paths are relative to.
    pub folder: PathBuf,
}

impl Located {
    /// A path of the policy, made absolute.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}

/// An artifact by its digest, with its place where it has one on this machine.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The digest.
    pub digest: Digest,
    /// Its file or folder.
    pub path: Option<PathBuf>,
}

/// A run of a tool.
pub struct Session {
    /// The tool's name.
    pub tool: &'static str,
    /// The common flags.
    pub common: Common,
    /// What the process was started with.
    pub context: Context,
    /// The CI system.
    pub host: Box<dyn Host>,
    /// Progress on standard error.
    pub progress: Progress,
}

impl Session {
    /// Resolves the flags.
    #[must_use]
    pub fn open(tool: &'static str, common: Common, context: Context) -> Self {
        let progress = Progress::new(&common, &context);
        let place = Place { tool, folder: report_dir(&common, &context) };
        let host = host::detect_at(common.ci, &context, &place);
        Self { tool, common, context, host, progress }
    }

    /// The policy: `--config`, or the nearest `windlass.yml` upward, not past the repository's root.
    ///
    /// # Errors
    /// Invalid (2) when there is none, it cannot be read, or it has mistakes: all of them are shown.
    pub fn policy(&self) -> Result<Located> {
        let path = match &self.common.config {
            Some(path) => self.context.folder.join(path),
            None => nearest(&self.context.folder).ok_or_else(|| {
                Failure::invalid(
                    &topics::POLICY_MISSING,
                    format!("no windlass.yml in {} or above it", self.context.folder.display()),
                )
                .hint("run `windlass init` to write one, or name it with --config")
            })?,
        };
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::invalid(&topics::POLICY_UNREADABLE, format!("cannot read policy at {}", path.display()))
                .because(error)
        })?;
        let policy = Policy::parse(&text).map_err(|problems| {
            let count = problems.len();
            let mut failure = Failure::invalid(
                &topics::POLICY_INVALID,
                format!("{count} {} in {}", if count == 1 { "mistake" } else { "mistakes" }, path.display()),
            );
            failure.excerpts = diagnostic::excerpts(&path.display().to_string(), &text, &problems);
            failure.reasons = problems
                .iter()
                .map(|problem| {
                    windlass_domain::outcome::Reason::new(problem.topic.key)
                        .place(format!("{}:{}:{}", path.display(), problem.line, problem.column))
                        .why(problem.message.clone())
                        .next(problem.hint.clone().unwrap_or_default())
                })
                .collect();
            failure
        })?;
        let folder = path.parent().map_or_else(|| self.context.folder.clone(), Path::to_path_buf);
        Ok(Located { policy, path, folder })
    }

    /// The environment: `--environment`, or the only one.
    ///
    /// # Errors
    /// Invalid (2) when it is not given where there are several, or unknown.
    pub fn environment<'a>(&self, policy: &'a Policy) -> Result<&'a Environment> {
        let names = policy.environments.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        match (&self.common.environment, policy.environments.as_slice()) {
            (Some(name), _) => policy.environment(name).ok_or_else(|| {
                Failure::invalid(&topics::ENVIRONMENT, format!("no environment {name:?} in windlass.yml"))
                    .hint(format!("known: {names}"))
            }),
            (None, [only]) => Ok(only),
            (None, _) => {
                Err(Failure::invalid(&topics::ENVIRONMENT, "which environment? windlass.yml has several")
                    .hint(format!("name one with --environment: {names}")))
            }
        }
    }

    /// The artifact: `--artifact`, or the policy's. A path is read whole to digest it.
    ///
    /// # Errors
    /// Invalid (2) when it is not given, or cannot be read whole.
    pub fn artifact(&self, located: Option<&Located>) -> Result<Artifact> {
        let path = match (&self.common.artifact, located) {
            (Some(text), _) if text.is_empty() => {
                return Err(Failure::invalid(&topics::ARTIFACT, "--artifact is empty"));
            }
            (Some(text), _) => {
                if let Some(digest) = by_digest(text)? {
                    return Ok(Artifact { digest, path: None });
                }
                self.context.folder.join(text)
            }
            (None, Some(Located { policy, folder, .. })) if policy.release.artifact.is_some() => {
                let text = policy.release.artifact.as_deref().unwrap_or_default();
                if let Some(digest) = by_digest(text)? {
                    return Ok(Artifact { digest, path: None });
                }
                folder.join(text)
            }
            (None, _) => {
                return Err(Failure::invalid(&topics::ARTIFACT, "no artifact given")
                    .hint("name it with --artifact, or as release.artifact in windlass.yml"));
            }
        };
        let digest = artifact::digest(&path).map_err(|error| {
            Failure::invalid(&topics::ARTIFACT, "cannot take the artifact's digest").because(error)
        })?;
        Ok(Artifact { digest, path: Some(path) })
    }

    /// Where the evidence file is.
    #[must_use]
    pub fn evidence_path(&self) -> PathBuf {
        match &self.common.evidence {
            Some(path) => self.context.folder.join(path),
            None => project_folder(&self.common, &self.context).join(".windlass/evidence.intoto.jsonl"),
        }
    }

    /// The evidence so far.
    ///
    /// # Errors
    /// Unknown (3) when the file is there and cannot be read.
    pub fn evidence(&self) -> Result<Store> {
        Store::read(&self.evidence_path()).map_err(|error| {
            Failure::unknown(&topics::EVIDENCE_FILE, "cannot read the evidence").because(error)
        })
    }

    /// Appends a statement, signed where there is a key.
    ///
    /// # Errors
    /// Invalid (2) for a bad key, unknown (3) when the file cannot be written.
    pub fn attest(&self, statement: &Statement) -> Result<()> {
        let envelope = Envelope::seal(statement, self.signer()?.as_ref());
        Store::append(&self.evidence_path(), &envelope).map_err(|error| {
            Failure::unknown(&topics::EVIDENCE_FILE, "cannot append the evidence").because(error)
        })
    }

    /// The signing key: the file of `--signing-key`, or `WINDLASS_SIGNING_KEY`, which holds the PEM or names its
    /// file, or none.
    ///
    /// # Errors
    /// Invalid (2) when it is given and cannot be used.
    pub fn signer(&self) -> Result<Option<Signer>> {
        let (pem, place) = match (&self.common.signing_key, self.context.var("WINDLASS_SIGNING_KEY")) {
            (Some(path), _) => {
                (self.read_key(path, &path.display().to_string())?, path.display().to_string())
            }
            (None, Some(pem)) if pem.contains("-----BEGIN") => {
                (Secret::new(pem.to_owned()), "WINDLASS_SIGNING_KEY".to_owned())
            }
            // The value is not shown: it may be a key that lost its first line.
            (None, Some(path)) => {
                let place = "the file that WINDLASS_SIGNING_KEY names";
                (self.read_key(Path::new(path), place)?, place.to_owned())
            }
            (None, None) => return Ok(None),
        };
        Signer::from_pem(&pem).map(Some).map_err(|error| {
            Failure::invalid(&topics::KEY, format!("cannot use the signing key in {place}"))
                .because(error)
                .hint("make one with `windlass keygen`")
        })
    }

    fn read_key(&self, path: &Path, place: &str) -> Result<Secret<String>> {
        fs::read_to_string(self.context.folder.join(path)).map(Secret::new).map_err(|error| {
            Failure::invalid(&topics::KEY, format!("cannot read the signing key at {place}")).because(error)
        })
    }

    /// The keys that `windlass.yml` lists.
    ///
    /// # Errors
    /// Invalid (2) when one cannot be read.
    pub fn trusted_keys(&self, located: &Located) -> Result<Vec<TrustedKey>> {
        located
            .policy
            .keys
            .iter()
            .map(|(name, key)| {
                let pem = if key.public.contains("-----BEGIN") {
                    key.public.clone()
                } else {
                    let path = located.resolve(&key.public);
                    fs::read_to_string(&path).map_err(|error| {
                        Failure::invalid(
                            &topics::KEY,
                            format!("cannot read key {name:?} at {}", path.display()),
                        )
                        .because(error)
                    })?
                };
                let public = PublicKey::from_pem(&pem).map_err(|error| {
                    Failure::invalid(&topics::KEY, format!("cannot use key {name:?} of windlass.yml"))
                        .because(error)
                })?;
                Ok(TrustedKey { name: name.clone(), key: public, signs: key.signs.clone() })
            })
            .collect()
    }

    /// Where reports go.
    #[must_use]
    pub fn report_dir(&self) -> PathBuf {
        report_dir(&self.common, &self.context)
    }
}

fn report_dir(common: &Common, context: &Context) -> PathBuf {
    match &common.report_dir {
        Some(path) => context.folder.join(path),
        None => project_folder(common, context).join(".windlass"),
    }
}

/// The folder of the policy where there is one, else the working folder.
fn project_folder(common: &Common, context: &Context) -> PathBuf {
    let policy = match &common.config {
        Some(path) => Some(context.folder.join(path)),
        None => nearest(&context.folder),
    };
    policy.and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_else(|| context.folder.clone())
}

/// The digest in `sha256:HEX` or `IMAGE@sha256:HEX`; `None` for a path.
fn by_digest(text: &str) -> Result<Option<Digest>> {
    let Some(at) = text.find("sha256:").filter(|at| *at == 0 || text[..*at].ends_with('@')) else {
        return Ok(None);
    };
    text[at..].parse().map(Some).map_err(|error: windlass_domain::digest::NotADigest| {
        Failure::invalid(&topics::ARTIFACT, "cannot use the artifact's digest").because(error)
    })
}

/// The nearest `windlass.yml` from `folder` upward; a folder with `.git` is the last that is looked into.
fn nearest(folder: &Path) -> Option<PathBuf> {
    for folder in folder.ancestors() {
        let candidate = folder.join("windlass.yml");
        if candidate.is_file() {
            return Some(candidate);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::CiChoice;

    fn session(folder: &Path, vars: &[(&str, &str)], common: Common) -> Session {
        let context = Context {
            args: Vec::new(),
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            folder: folder.to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        };
        Session::open("tool", Common { ci: CiChoice::None, ..common }, context)
    }

    #[test]
    fn policy_is_the_nearest_and_not_beyond_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("repo/.git")).unwrap();
        fs::create_dir_all(root.join("repo/a/b")).unwrap();
        fs::write(root.join("windlass.yml"), "").unwrap();
        assert_eq!(nearest(&root.join("repo/a/b")), None);
        fs::write(root.join("repo/windlass.yml"), "").unwrap();
        assert_eq!(nearest(&root.join("repo/a/b")), Some(root.join("repo/windlass.yml")));
        fs::write(root.join("repo/a/windlass.yml"), "").unwrap();
        assert_eq!(nearest(&root.join("repo/a/b")), Some(root.join("repo/a/windlass.yml")));
        let inner = session(&root.join("repo/a/b"), &[], Common::default());
        assert_eq!(inner.report_dir(), root.join("repo/a/.windlass"));
        assert_eq!(inner.evidence_path(), root.join("repo/a/.windlass/evidence.intoto.jsonl"));
    }

    #[test]
    fn missing_policy_is_invalid_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        let failure = session(folder.path(), &[], Common::default()).policy().unwrap_err();
        assert_eq!(failure.topic.key, "policy.missing");
        assert!(failure.hints[0].contains("windlass init"));
        let common = Common { config: Some("other.yml".into()), ..Common::default() };
        assert_eq!(session(folder.path(), &[], common).policy().unwrap_err().topic.key, "policy.unreadable");
    }

    #[test]
    fn artifact_is_a_path_or_a_digest_and_never_half_of_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app"), "windlass").unwrap();
        let digest = Digest::of(b"windlass");
        let taken = |text: &str| {
            let common = Common { artifact: Some(text.to_owned()), ..Common::default() };
            session(folder.path(), &[], common).artifact(None)
        };
        assert_eq!(taken("app").unwrap().digest, digest);
        assert_eq!(taken(&digest.to_string()).unwrap().digest, digest);
        assert_eq!(taken(&format!("registry/app:1@{digest}")).unwrap().path, None);
        for bad in ["sha256:00", "app@sha256:", "missing", ""] {
            assert!(taken(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signing_key_is_the_flag_then_the_variable_as_text_or_path_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        fs::write(folder.path().join("first.key"), first.to_pem().expose()).unwrap();
        let text = second.to_pem().expose().clone();
        let id = |vars: &[(&str, &str)], flag: Option<&str>| {
            let common = Common { signing_key: flag.map(PathBuf::from), ..Common::default() };
            session(folder.path(), vars, common)
                .signer()
                .map(|signer| signer.map(|signer| signer.public().id()))
        };
        let variable = [("WINDLASS_SIGNING_KEY", text.as_str())];
        assert_eq!(id(&[], None).unwrap(), None);
        assert_eq!(id(&variable, None).unwrap(), Some(second.public().id()));
        assert_eq!(id(&variable, Some("first.key")).unwrap(), Some(first.public().id()));
        assert_eq!(id(&[("WINDLASS_SIGNING_KEY", "first.key")], None).unwrap(), Some(first.public().id()));
        let body = text.lines().nth(1).unwrap();
        for broken in [body.to_owned(), format!("-----BEGIN PRIVATE KEY-----\n{body}")] {
            let failure = id(&[("WINDLASS_SIGNING_KEY", &broken)], None).unwrap_err();
            assert!(!format!("{failure:?}{}", failure.chain()).contains(body), "{}", failure.chain());
        }
    }
}
