//! Secrets of a release: files on the host whose contents its instances get as variables. The content goes to the
//! instance's environment and nowhere else; what is told of it is a version, which changes when the content does and
//! says nothing of it to anyone without the host's key.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use windlass_domain::release::SecretVersion;
use windlass_domain::secret::Secret;

/// The key's name in the agent's root; its mode is 0600.
pub const KEY: &str = "secrets.key";

/// The largest secret, in bytes: all variables of a process together must fit into some hundred kilobytes.
const LARGEST: u64 = 64 * 1024;

/// The host's key, by which contents become versions. Without it, a version cannot be compared with a guess.
#[derive(Clone, Debug)]
pub struct Key(Secret<[u8; 32]>);

impl Key {
    /// Reads the key of a root; `None` where none was made yet.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn read(root: &Path) -> io::Result<Option<Self>> {
        let path = root.join(KEY);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(&error, "cannot read", &path)),
        };
        match bytes.try_into() {
            Ok(key) => Ok(Some(Self(Secret::new(key)))),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is not a key of 32 bytes: remove it, and a new one is made", path.display()),
            )),
        }
    }

    /// Reads the key of a root, or makes one.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn of(root: &Path) -> io::Result<Self> {
        if let Some(key) = Self::read(root)? {
            return Ok(key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        let path = root.join(KEY);
        let making = root.join(format!("{KEY}.{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&making)
            .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))
            // A link fails where another has just made one, and then that is the key.
            .and_then(|()| fs::hard_link(&making, &path).or_else(|error| there_already(&error)));
        let _ = fs::remove_file(&making);
        written.map_err(|error| named(&error, "cannot write", &path))?;
        Self::read(root)?.ok_or_else(|| io::Error::other(format!("{} vanished", path.display())))
    }

    /// The version of a content under a name. The name is part of it, so that two secrets of one content differ.
    fn version(&self, name: &str, content: &[u8]) -> String {
        let mut hash = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("a key may have any length");
        hash.update(name.as_bytes());
        hash.update(&[0]);
        hash.update(content);
        let digest = hash.finalize().into_bytes();
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("hmac-sha256:{hex}")
    }
}

fn there_already(error: &io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists {
        Ok(())
    } else {
        Err(io::Error::new(error.kind(), error.to_string()))
    }
}

/// The contents of secrets, by variable, each without its final newline.
///
/// # Errors
/// A sentence that names the variable and the file, and never what is in it: the file is missing, unreadable, none,
/// too large, open to all users, or holds a zero byte.
pub fn contents(secrets: &BTreeMap<String, String>) -> Result<BTreeMap<String, Secret<Vec<u8>>>, String> {
    secrets
        .iter()
        .map(|(name, path)| {
            let content = content(Path::new(path))
                .map_err(|why| format!("the secret {name} cannot be given: {path}: {why}"))?;
            Ok((name.clone(), Secret::new(content)))
        })
        .collect()
}

/// The versions of secrets as they are now, by name.
///
/// # Errors
/// As [`contents`].
pub fn versions(key: &Key, secrets: &BTreeMap<String, String>) -> Result<Vec<SecretVersion>, String> {
    let version = |(name, content): (String, Secret<Vec<u8>>)| {
        let version = key.version(&name, content.expose());
        SecretVersion { name, version }
    };
    Ok(contents(secrets)?.into_iter().map(version).collect())
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    if !path.is_absolute() {
        return Err("a secret's path is absolute".to_owned());
    }
    // Not blocking: a pipe that nobody writes is found to be one, not waited for.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = file.map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
    if metadata.mode() & 0o007 != 0 {
        return Err("open to all users; `chmod o= FILE` closes it".to_owned());
    }
    let mut content = read(file).map_err(|error| error.to_string())?;
    if content.len() as u64 > LARGEST {
        return Err(format!("larger than {LARGEST} bytes"));
    }
    if content.last() == Some(&b'\n') {
        content.pop();
    }
    if content.contains(&0) {
        return Err("a variable cannot hold its zero byte".to_owned());
    }
    Ok(content)
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn named(error: &io::Error, attempt: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{attempt} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(folder: &Path, name: &str, content: &[u8], mode: u32) -> (String, String) {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (name.to_owned(), path.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_secret_is_its_files_content_without_one_final_newline() {
        let folder = tempfile::tempdir().unwrap();
        for (content, given) in [("pass", "pass"), ("pass\n", "pass"), ("pa\nss\n\n", "pa\nss\n"), ("", "")] {
            let secrets = [file(folder.path(), "A", content.as_bytes(), 0o640)].into();
            let read = contents(&secrets).unwrap();
            assert_eq!(read["A"].expose(), given.as_bytes());
            assert_eq!(format!("{read:?}"), "{\"A\": ***}");
        }
    }

    #[test]
    fn what_cannot_be_given_is_refused_with_its_path_and_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("PIPE");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::set_permissions(&pipe, fs::Permissions::from_mode(0o600)).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let cases = [
            (file(folder.path(), "OPEN", b"hunter2", 0o604), "open to all users; `chmod o= FILE` closes it"),
            (file(folder.path(), "WRITE", b"hunter2", 0o602), "open to all users"),
            (file(folder.path(), "ZERO", b"hunter2\0", 0o600), "a variable cannot hold its zero byte"),
            (file(folder.path(), "LARGE", &[b'x'; 65 * 1024], 0o600), "larger than 65536 bytes"),
            (("GONE".to_owned(), path("GONE")), "No such file or directory"),
            (("FOLDER".to_owned(), path("")), "not a file"),
            (("PIPE".to_owned(), path("PIPE")), "not a file"),
            (("NEAR".to_owned(), "near".to_owned()), "a secret's path is absolute"),
        ];
        for ((name, path), why) in cases {
            let refused = contents(&[(name.clone(), path.clone())].into()).unwrap_err();
            assert!(refused.contains(why) && refused.contains(&path) && refused.contains(&name), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_version_changes_with_content_name_and_key_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(Key::read(root.path()).unwrap().is_none(), "looking makes none");
        let key = Key::of(root.path()).unwrap();
        let mode = fs::metadata(root.path().join(KEY)).unwrap().mode() & 0o777;
        assert_eq!((mode, fs::read_dir(root.path()).unwrap().count()), (0o600, 1));
        let of = |key: &Key, name: &str, content: &str| {
            let (_, path) = file(folder.path(), "FILE", content.as_bytes(), 0o600);
            versions(key, &[(name.to_owned(), path)].into()).unwrap().remove(0).version
        };
        let version = of(&key, "A", "pass");
        assert_eq!(of(&Key::of(root.path()).unwrap(), "A", "pass\n"), version);
        assert!(version.starts_with("hmac-sha256:") && version.len() == 12 + 32, "{version}");
        assert_ne!(of(&key, "A", "word"), version);
        assert_ne!(of(&key, "B", "pass"), version);
        assert_ne!(of(&Key::of(other.path()).unwrap(), "A", "pass"), version);
        fs::write(root.path().join(KEY), "short").unwrap();
        assert!(Key::of(root.path()).unwrap_err().to_string().contains("not a key of 32 bytes"));
    }

    #[test]
    fn a_version_is_the_keyed_hash_of_rfc_2104() {
        // openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '07%.0s' $(seq 32)) <(printf 'A\0pass')
        let key = Key(Secret::new([7; 32]));
        assert_eq!(key.version("A", b"pass"), "hmac-sha256:3ea2c757598a3236a1f442fbbd850427");
    }
}
