//! Targets for the suite: environments of one command, with artifacts that are known by their answers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tempfile::TempDir;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::session::Session;
use windlass_ci::topics;
use windlass_domain::digest::Digest;
use windlass_domain::policy::{ExecTarget, Span};
use windlass_domain::release::Sequence;
use windlass_evidence::artifact;
use windlass_target::conformance::{Bench, mark};
use windlass_target::driver::{Driver, DriverError, Package};
use windlass_target::exec::protocol::Told;
use windlass_target::exec::{Exec, Setting};

/// The application of every environment here.
const APP: &str = "conformance";

/// A command on trial.
pub(super) struct Command {
    target: ExecTarget,
    setting: Setting,
    /// What is unlike in every run, so that each begins with empty environments.
    run: String,
    artifacts: Artifacts,
}

impl Command {
    pub(super) fn new(session: &Session, command: &[String]) -> Result<Self> {
        let bug = |error: io::Error| {
            Failure::unknown(&topics::BUG, "cannot make artifacts to release").because(error)
        };
        let mut token = [0; 4];
        getrandom::fill(&mut token).map_err(|error| bug(io::Error::other(error)))?;
        let artifacts = Artifacts {
            folder: tempfile::Builder::new().prefix("windlass-conformance-").tempdir().map_err(bug)?,
            base: session.common.artifact.as_ref().map(|path| session.context.folder.join(path)),
            made: Mutex::default(),
        };
        // The first one shows whether they can be made at all.
        artifacts.make(Sequence(1)).map_err(|error| {
            Failure::invalid(&topics::ARTIFACT, "cannot make an artifact to release").because(error)
        })?;
        Ok(Self {
            target: ExecTarget { command: command.to_vec(), weights: false },
            setting: Setting {
                app: APP.to_owned(),
                environment: String::new(),
                folder: session.context.folder.clone(),
                vars: session.context.vars.keys().cloned().collect(),
                step: Span::minutes(2),
                clock: Arc::new(windlass_moving::now),
            },
            run: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            artifacts,
        })
    }

    /// What the command says of itself.
    pub(super) async fn told(&self) -> Result<Told, DriverError> {
        self.driver("capabilities").told().await
    }

    /// The same command, which is asked for shares where it says that it can split.
    pub(super) fn with_weights(self, weights: bool) -> Self {
        Self { target: ExecTarget { weights, ..self.target }, ..self }
    }

    fn driver(&self, name: &str) -> Exec {
        let environment = format!("{APP}-{}-{name}", self.run);
        Exec::new(&self.target, Setting { environment, ..self.setting.clone() })
    }
}

#[async_trait]
impl Bench for Command {
    async fn fresh(&self, name: &str) -> Result<Arc<dyn Driver>, DriverError> {
        Ok(Arc::new(self.driver(name)))
    }

    fn package(&self, revision: Sequence) -> Package {
        let made = self.artifacts.make(revision);
        // One that cannot be made has another digest than asked for, and the step says so.
        let (path, digest) = made.unwrap_or_else(|_| (PathBuf::from("/nowhere"), Digest::of(b"")));
        Package {
            artifact: digest,
            artifact_path: Some(path),
            config: None,
            config_paths: Vec::new(),
            parameters: serde_json::json!({ "instances": 1 }),
        }
    }
}

/// One artifact a revision: a page that bears its mark, or a copy of what the author gave with the mark beside it.
struct Artifacts {
    folder: TempDir,
    base: Option<PathBuf>,
    made: Mutex<BTreeMap<Sequence, (PathBuf, Digest)>>,
}

impl Artifacts {
    fn make(&self, revision: Sequence) -> io::Result<(PathBuf, Digest)> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(artifact) = made.get(&revision) {
            return Ok(artifact.clone());
        }
        let path = match &self.base {
            Some(base) if !base.is_dir() => base.clone(),
            base => {
                let path = self.folder.path().join(revision.to_string());
                let name = if base.is_some() { "windlass-conformance" } else { "index.html" };
                fs::create_dir_all(&path)?;
                if let Some(base) = base {
                    copy(base, &path)?;
                }
                fs::write(path.join(name), format!("{}\n", mark(revision)))?;
                path
            }
        };
        let digest = artifact::digest(&path).map_err(io::Error::other)?;
        made.insert(revision, (path.clone(), digest));
        Ok((path, digest))
    }
}

/// Copies what is in a folder, links as links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir_all(&place)?;
            copy(&entry.path(), &place)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
