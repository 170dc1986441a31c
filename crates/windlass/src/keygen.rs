//! `windlass keygen`: a key that signs evidence, and the lines of `windlass.yml` that trust it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use windlass_ci::context::Context;
use windlass_ci::fail::{Failure, Result};
use windlass_ci::{tool, topics};
use windlass_evidence::sign::Signer;

/// Make a key that signs evidence
///
/// Writes windlass.key (PKCS#8 PEM, readable by you alone) and windlass.pub, and prints the lines of windlass.yml
/// that trust it. Neither file is ever overwritten.
#[derive(Debug, Parser)]
#[command(name = "keygen", version)]
pub(crate) struct Arguments {
    /// Write both files into DIR
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Call the key NAME in windlass.yml
    #[arg(long, value_name = "NAME", default_value = "pipeline")]
    name: String,
}

pub(crate) fn run(context: Context) -> ExitCode {
    match tool::arguments::<Arguments>(&context) {
        Ok(arguments) => tool::finish("keygen", keygen(&context.folder, &arguments)),
        Err(code) => code,
    }
}

fn keygen(folder: &Path, arguments: &Arguments) -> Result<String> {
    // As people write paths, not as they are joined: `/home/ana/windlass.key`, never `/home/ana/./windlass.key`.
    let out: PathBuf = arguments.out.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let folder = if out.as_os_str().is_empty() { folder.to_owned() } else { folder.join(&out) };
    let (private, public) = (folder.join("windlass.key"), folder.join("windlass.pub"));
    for path in [&private, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(Failure::invalid(
                &topics::KEY,
                format!("{} exists and is not overwritten", path.display()),
            )
            .hint("name another folder with --out"));
        }
    }
    let failed = |path: &Path, error| {
        Failure::unknown(&topics::KEY, format!("cannot write {}", path.display())).because(error)
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
    let signer = Signer::generate()
        .map_err(|error| Failure::unknown(&topics::KEY, "cannot make a key").because(error))?;
    create(&private, 0o600, signer.to_pem().expose()).map_err(|error| failed(&private, error))?;
    create(&public, 0o644, &signer.public().to_pem()).map_err(|error| failed(&public, error))?;
    Ok(format!(
        "wrote {} (keep it secret) and {} (commit it)\n\
         key id {}\n\n\
         In windlass.yml:\n\n\
         keys:\n  {}:\n    public: {}\n    signs: [tests, scan, gate, deploy, health, rollback]\n\n\
         Give the private key to the tools as --signing-key FILE, or its text as the variable WINDLASS_SIGNING_KEY:\n\
         in CI a secret of the protected environment, whose job runs no code of a pull request.\n\
         A key that signs approvals belongs to a person, with `signs: [approval]` and `owner: NAME@EXAMPLE`.\n",
        private.display(),
        public.display(),
        signer.public().id(),
        arguments.name,
        out.join("windlass.pub").display(),
    ))
}

/// Makes a new file that only `mode` may read, synced.
fn create(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, mode);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(mode);
}

#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: u32) {}
