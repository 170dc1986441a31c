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
use crate::host::{self, Host};
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
        let host = host::detect(common.ci, &context);
        let progress = Progress::new(&common, &context);
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
            (None, _) => Err(Failure::invalid(&topics::ENVIRONMENT, "which environment? windlass.yml has several")
                .hint(format!("name one with --environment: {names}"))),
        }
    }

    /// The artifact: `--artifact`, or the policy's. A path is read whole to digest it.
    ///
    /// # Errors
    /// Invalid (2) when it is not given, or cannot be read whole.
    pub fn artifact(&self, located: Option<&Located>) -> Result<Artifact> {
        let path = match (&self.common.artifact, located) {
            (Some(text), _) => {
                if let Some(digest) = text.rsplit('@').next().and_then(|digest| digest.parse().ok()) {
                    return Ok(Artifact { digest, path: None });
                }
                self.context.folder.join(text)
            }
            (None, Some(Located { policy, folder, .. })) if policy.release.artifact.is_some() => {
                let text = policy.release.artifact.as_deref().unwrap_or_default();
                if let Some(digest) = text.rsplit('@').next().and_then(|digest| digest.parse().ok()) {
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
            None => self.project_folder().join(".windlass/evidence.intoto.jsonl"),
        }
    }

    /// The evidence so far.
    ///
    /// # Errors
    /// Unknown (3) when the file is there and cannot be read.
    pub fn evidence(&self) -> Result<Store> {
        Store::read(&self.evidence_path())
            .map_err(|error| Failure::unknown(&topics::EVIDENCE_FILE, "cannot read the evidence").because(error))
    }

    /// Appends a statement, signed where there is a key.
    ///
    /// # Errors
    /// Invalid (2) for a bad key, unknown (3) when the file cannot be written.
    pub fn attest(&self, statement: &Statement) -> Result<()> {
        let envelope = Envelope::seal(statement, self.signer()?.as_ref());
        Store::append(&self.evidence_path(), &envelope)
            .map_err(|error| Failure::unknown(&topics::EVIDENCE_FILE, "cannot append the evidence").because(error))
    }

    /// The signing key: the file of `--signing-key`, or the PEM in `WINDLASS_SIGNING_KEY`, or none.
    ///
    /// # Errors
    /// Invalid (2) when it is given and cannot be used.
    pub fn signer(&self) -> Result<Option<Signer>> {
        let (pem, place) = match (&self.common.signing_key, self.context.var("WINDLASS_SIGNING_KEY")) {
            (Some(path), _) => {
                let path = self.context.folder.join(path);
                let pem = fs::read_to_string(&path).map_err(|error| {
                    Failure::invalid(&topics::KEY, format!("cannot read the signing key at {}", path.display()))
                        .because(error)
                })?;
                (Secret::new(pem), path.display().to_string())
            }
            (None, Some(pem)) => (Secret::new(pem.to_owned()), "WINDLASS_SIGNING_KEY".to_owned()),
            (None, None) => return Ok(None),
        };
        Signer::from_pem(&pem).map(Some).map_err(|error| {
            Failure::invalid(&topics::KEY, format!("cannot use the signing key in {place}"))
                .because(error)
                .hint("make one with `windlass keygen`")
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
                        Failure::invalid(&topics::KEY, format!("cannot read key {name:?} at {}", path.display()))
                            .because(error)
                    })?
                };
                let public = PublicKey::from_pem(&pem).map_err(|error| {
                    Failure::invalid(&topics::KEY, format!("cannot use key {name:?} of windlass.yml")).because(error)
                })?;
                Ok(TrustedKey { name: name.clone(), key: public, signs: key.signs.clone() })
            })
            .collect()
    }

    /// Where reports go.
    #[must_use]
    pub fn report_dir(&self) -> PathBuf {
        match &self.common.report_dir {
            Some(path) => self.context.folder.join(path),
            None => self.project_folder().join(".windlass"),
        }
    }

    /// The folder of the policy where there is one, else the working folder.
    fn project_folder(&self) -> PathBuf {
        let policy = match &self.common.config {
            Some(path) => Some(self.context.folder.join(path)),
            None => nearest(&self.context.folder),
        };
        policy.and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_else(|| self.context.folder.clone())
    }
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
