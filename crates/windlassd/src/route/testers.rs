//! Testers, who choose the revision that answers them: `X-Windlass-Revision: r3; token=…`.
//!
//! Whoever does not know the token learns nothing, not even that there is one: the header is dropped.

use std::path::PathBuf;

use hyper::header::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;
use windlass_domain::policy;
use windlass_domain::release::Sequence;
use windlass_domain::secret::Secret;

use super::files::{self, Watched};

/// The shortest token, in bytes: one that can be guessed is none.
const SHORTEST: usize = 16;

/// Who may choose.
#[derive(Debug)]
pub(super) struct Testers {
    header: HeaderName,
    token: Watched<Secret<Vec<u8>>>,
}

/// What a tester asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// This revision.
    Revision(Sequence),
    /// Something that is none.
    Nonsense,
}

impl Testers {
    /// As the policy has it; or why that cannot be.
    pub(super) fn open(policy: &policy::Testers) -> Result<Self, String> {
        let token = Watched::open(vec![PathBuf::from(&policy.token)], read)?;
        Ok(Self { header: header(policy)?, token })
    }

    /// The same for an agent that takes up its work again: until the file can be read nobody is a tester.
    pub(super) fn hope(policy: &policy::Testers) -> Result<Self, String> {
        let token = Watched::hope(vec![PathBuf::from(&policy.token)], read);
        Ok(Self { header: header(policy)?, token })
    }

    /// The header that testers use. It never reaches a service.
    pub(super) const fn header(&self) -> &HeaderName {
        &self.header
    }

    pub(super) const fn token(&self) -> &Watched<Secret<Vec<u8>>> {
        &self.token
    }

    /// What is asked for; `None` where nothing is, or by somebody who does not know the token.
    pub(super) fn asked(&self, headers: &HeaderMap) -> Option<Asked> {
        let value = headers.get(&self.header)?.as_bytes();
        let at = value.iter().position(|byte| *byte == b';')?;
        let (revision, rest) = (&value[..at], &value[at + 1..]);
        let given = rest.trim_ascii().strip_prefix(b"token=")?;
        let token = self.token.get();
        let token = token.as_ref()?.expose();
        if !bool::from(given.ct_eq(token)) {
            return None;
        }
        let revision = std::str::from_utf8(revision.trim_ascii()).ok().and_then(|text| text.parse().ok());
        Some(revision.map_or(Asked::Nonsense, Asked::Revision))
    }
}

fn header(policy: &policy::Testers) -> Result<HeaderName, String> {
    HeaderName::try_from(&policy.header)
        .map_err(|_| format!("{:?} cannot be the name of a header", policy.header))
}

fn read(paths: &[PathBuf]) -> Result<Secret<Vec<u8>>, String> {
    let [path] = paths else { return Err("there is not one token".to_owned()) };
    let bytes = files::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let token = bytes.trim_ascii();
    if token.len() < SHORTEST {
        return Err(format!("the token in {} is shorter than {SHORTEST} bytes", path.display()));
    }
    Ok(Secret::new(token.to_vec()))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn only_the_token_opens_and_nothing_else_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let policy =
            policy::Testers { token: path.display().to_string(), header: "X-Windlass-Revision".to_owned() };
        assert!(Testers::open(&policy).unwrap_err().contains("cannot read"));
        std::fs::write(&path, "short\n").unwrap();
        assert!(Testers::open(&policy).unwrap_err().contains("shorter"));
        std::fs::write(&path, "correct horse battery\n").unwrap();
        let testers = Testers::open(&policy).unwrap();
        let asked = |value: &str| {
            let value = HeaderValue::try_from(value).unwrap();
            testers.asked(&HeaderMap::from_iter([(testers.header().clone(), value)]))
        };
        assert_eq!(asked("r3; token=correct horse battery"), Some(Asked::Revision(Sequence(3))));
        assert_eq!(asked("r3;token=correct horse battery"), Some(Asked::Revision(Sequence(3))));
        assert_eq!(asked("what; token=correct horse battery"), Some(Asked::Nonsense));
        for wrong in
            ["r3", "r3;", "r3; token=", "r3; token=correct", "r3; token=correct horse battery!", "; x"]
        {
            assert_eq!(asked(wrong), None, "{wrong}");
        }
        assert!(!format!("{testers:?}").contains("horse"));
    }
}
