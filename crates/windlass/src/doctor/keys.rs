//! `keys`: the public keys can be used, and the signing key is one of them where signed evidence counts.

use windlass_domain::policy::EvidenceDemand;

use super::Line;
use super::facts::Facts;

pub(super) async fn judge(facts: &Facts<'_>) -> Vec<Line> {
    let Ok(located) = &facts.located else {
        return vec![Line::nothing("without a policy there are no keys")];
    };
    let trusted = match facts.session.trusted_keys(located) {
        Ok(trusted) => trusted,
        Err(failure) => {
            return vec![Line::wrong(
                failure.chain(),
                "correct it under `keys` in windlass.yml, or make one with `windlass keygen`",
            )];
        }
    };
    let signer = match facts.session.signer() {
        Ok(signer) => signer,
        Err(failure) => {
            return vec![Line::wrong(
                failure.chain(),
                "set WINDLASS_SIGNING_KEY to the PEM that `windlass keygen` made",
            )];
        }
    };
    let signed: Vec<&str> = facts
        .environments()
        .iter()
        .filter(|one| one.evidence == EvidenceDemand::Signed)
        .map(|one| one.name.as_str())
        .collect();
    if signed.is_empty() {
        return vec![Line::nothing("every environment accepts unsigned evidence")];
    }
    let signed = signed.join(", ");
    if trusted.is_empty() {
        return vec![Line::wrong(
            format!("{signed} count signed evidence alone, and no key is listed"),
            "make a key with `windlass keygen` and list it under `keys` in windlass.yml",
        )];
    }
    let Some(signer) = signer else {
        return vec![Line::unknown(
            format!("no signing key is set here, and {signed} count signed evidence alone"),
            "set WINDLASS_SIGNING_KEY from the CI system's secrets: `env: { WINDLASS_SIGNING_KEY: \"${{ secrets.WINDLASS_SIGNING_KEY }}\" }`",
        )];
    };
    let id = signer.public().id();
    match trusted.iter().find(|one| one.key.id() == id) {
        Some(one) => vec![Line::good(format!("the signing key is {:?} of windlass.yml", one.name))],
        None => vec![Line::wrong(
            format!("the signing key {id} is not listed, so that nothing that it signs counts"),
            "list its public half under `keys` in windlass.yml, or use the key that is listed",
        )],
    }
}
