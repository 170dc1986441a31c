//! Clients that stay on a revision: by a cookie of ours, or by a header that names them.
//!
//! A client's key and the weights alone say which revision is its own, so every worker, every host and every later
//! agent says the same. It is the weighted form of rendezvous hashing: each revision draws a number for the key, by a
//! distribution that its weight shapes, and the smallest wins. When weights move, only those keys change that must.

use std::hash::{BuildHasher as _, RandomState};

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use windlass_domain::policy;
use windlass_domain::release::Sequence;

/// What keeps a client on a revision.
#[derive(Clone, Debug)]
pub(super) enum Sticky {
    /// The cookie of this name.
    Cookie(String),
    /// The value of this header.
    Header(HeaderName),
}

/// The revision's choice for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// By its turn.
    Turn,
    /// By a key that the client brought.
    Key(u64),
    /// By a key that the client is given with the answer.
    NewKey(u64),
}

impl Sticky {
    /// As the policy has it; or why that cannot be.
    pub(super) fn of(policy: &policy::Sticky) -> Result<Self, String> {
        match policy {
            policy::Sticky::Cookie(name) if HeaderName::try_from(name).is_ok() => {
                Ok(Self::Cookie(name.clone()))
            }
            policy::Sticky::Cookie(name) => Err(format!("{name:?} cannot be the name of a cookie")),
            policy::Sticky::Header(name) => HeaderName::try_from(name)
                .map(Self::Header)
                .map_err(|_| format!("{name:?} cannot be the name of a header")),
        }
    }

    /// Whose request this is.
    pub(super) fn choice(&self, headers: &HeaderMap, keys: &Keys) -> Choice {
        match self {
            Self::Cookie(name) => match cookie(headers, name) {
                Some(key) => Choice::Key(key),
                None => Choice::NewKey(keys.next()),
            },
            Self::Header(name) => {
                headers.get(name).map_or(Choice::Turn, |value| Choice::Key(digest(value.as_bytes())))
            }
        }
    }

    /// The cookie that gives a client its key.
    pub(super) fn set_cookie(&self, key: u64, is_secure: bool) -> Option<HeaderValue> {
        let Self::Cookie(name) = self else { return None };
        let secure = if is_secure { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{name}={key:016x}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok()
    }
}

/// Keys for clients that have none.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: RandomState,
    given: std::cell::Cell<u64>,
}

impl Keys {
    fn next(&self) -> u64 {
        let given = self.given.replace(self.given.get().wrapping_add(1));
        self.state.hash_one(given)
    }
}

/// A key of ours, from the first cookie of that name. Whatever else stands there is as if there were none.
fn cookie(headers: &HeaderMap, name: &str) -> Option<u64> {
    let value = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(of, value)| (of == name).then_some(value))?;
    let is_ours = value.len() == 16 && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_ours.then(|| u64::from_str_radix(value, 16).ok()).flatten()
}

/// FNV-1a: the same on every machine and in every version.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finalizer of SplitMix64: every bit of the input concerns every bit of the output.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// What a revision draws for a key: exponentially distributed with its weight as the rate, so that it is the smallest
/// among several with the probability of its share.
#[expect(clippy::cast_precision_loss, reason = "53 bits of 64 are kept, as many as there are in the number")]
pub(super) fn draw(key: u64, revision: Sequence, weight: u16) -> f64 {
    let bits = mix(mix(key).wrapping_add(mix(revision.0.wrapping_add(0x9e37_79b9_7f4a_7c15))));
    let uniform = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / f64::from(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u64 = 20_000;

    fn place(key: u64, weights: &[(u64, u16)]) -> u64 {
        let draws = weights
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(revision, weight)| (draw(key, Sequence(*revision), *weight), *revision));
        draws.min_by(|one, other| one.0.total_cmp(&other.0)).unwrap().1
    }

    fn keys() -> impl Iterator<Item = u64> {
        (0..KEYS).map(|index| digest(&index.to_le_bytes()))
    }

    #[test]
    fn shares_are_the_weights() {
        for weights in [[(1, 5000), (2, 5000)], [(1, 9900), (2, 100)], [(7, 3000), (8, 7000)]] {
            let second = keys().filter(|key| place(*key, &weights) == weights[1].0).count();
            let expected = KEYS as usize * usize::from(weights[1].1) / 10_000;
            assert!(second.abs_diff(expected) < KEYS as usize / 100, "{second}, not {expected}");
        }
    }

    #[test]
    fn when_weights_move_only_those_keys_move_that_must() {
        let steps = [(10_000, 0), (9_900, 100), (9_000, 1_000), (5_000, 5_000), (0, 10_000), (3_000, 7_000)];
        for pair in steps.windows(2) {
            let [(old, new), (less, more)] = [pair[0], pair[1]];
            let (mut there, mut back) = (0, 0);
            for key in keys() {
                match (place(key, &[(1, old), (2, new)]), place(key, &[(1, less), (2, more)])) {
                    (1, 2) => there += 1,
                    (2, 1) => back += 1,
                    _ => {}
                }
            }
            let (must, mustnt) = if more > new { (there, back) } else { (back, there) };
            assert_eq!(mustnt, 0, "nobody leaves a revision whose share grows");
            let needed = KEYS as usize * usize::from(more.abs_diff(new)) / 10_000;
            assert!(must <= needed + KEYS as usize / 100, "{must} moved, {needed} had to");
        }
    }

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(cookie).unwrap())])
    }

    #[test]
    fn only_a_cookie_of_ours_is_a_key() {
        let sticky = Sticky::of(&policy::Sticky::Cookie("pin".to_owned())).unwrap();
        let keys = Keys::default();
        let found = headers("a=b; pin=00000000000000ff; c=d");
        assert_eq!(sticky.choice(&found, &keys), Choice::Key(255));
        for none in
            ["", "pin=ff", "pin=00000000000000FF", "pin=00000000000000fg", "xpin=00000000000000ff", "pin"]
        {
            assert!(matches!(sticky.choice(&headers(none), &keys), Choice::NewKey(_)), "{none}");
        }
        let Choice::NewKey(one) = sticky.choice(&HeaderMap::new(), &keys) else { panic!("a new one") };
        assert_ne!(sticky.choice(&HeaderMap::new(), &keys), Choice::NewKey(one));
        let cookie = sticky.set_cookie(255, true).unwrap();
        assert_eq!(cookie, "pin=00000000000000ff; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert!(Sticky::of(&policy::Sticky::Cookie("a b".to_owned())).is_err());
    }
}
