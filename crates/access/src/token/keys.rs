//! The keys of a set that may check signatures.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Header};
use serde_json::Value;

use super::{Algorithms, KeysError};

/// A token without a key id is held against every key, which costs time.
const KEYS_MAX: usize = 100;

/// A key that may check signatures.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// What it may check: what its kind can, the set says, and the configuration accepts.
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl Key {
    /// Whether a token with this header may be signed by it. A key without an id fits all tokens, and a token without one
    /// all keys.
    pub(super) fn may_have_signed(&self, header: &Header) -> bool {
        let same_id = match (&self.id, &header.kid) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        same_id && self.algorithms.contains(&header.alg)
    }
}

/// Reads a key set. Also returns what was left out, and why.
pub(super) fn read(set: &[u8], accepted: Algorithms) -> Result<(Vec<Key>, Vec<String>), KeysError> {
    let found = parse(set).map_err(KeysError::Malformed)?;
    if found.len() > KEYS_MAX {
        return Err(KeysError::TooMany(found.len(), KEYS_MAX));
    }
    let (mut keys, mut left_out) = (Vec::new(), Vec::new());
    for (at, key) in found.into_iter().enumerate() {
        let name = match key.get("kid").and_then(Value::as_str) {
            Some(id) => format!("key [{id}]"),
            None => format!("key {} of the set", at + 1),
        };
        match usable(key, accepted) {
            Ok(key) => keys.push(key),
            Err(reason) => left_out.push(format!("{name} {reason}")),
        }
    }
    if keys.is_empty() {
        return Err(KeysError::NoKey(left_out));
    }
    Ok((keys, left_out))
}

/// The keys one by one, since a key of an unknown kind must not spoil the rest (RFC 7517 §5).
fn parse(set: &[u8]) -> serde_json::Result<Vec<Value>> {
    use serde_json::from_value;
    let mut set: serde_json::Map<String, Value> = serde_json::from_slice(set)?;
    from_value(set.remove("keys").unwrap_or_default())
}

fn usable(key: Value, accepted: Algorithms) -> Result<Key, String> {
    let key: Jwk = serde_json::from_value(key).map_err(|error| format!("cannot be read: {error}"))?;
    let common = &key.common;
    let is_for_checking = match (&common.public_key_use, &common.key_operations) {
        (Some(purpose), _) => *purpose == PublicKeyUse::Signature,
        (None, Some(operations)) => operations.contains(&KeyOperations::Verify),
        (None, None) => true,
    };
    if !is_for_checking {
        return Err("is not for checking signatures".to_owned());
    }
    let of_kind = algorithms(&key.algorithm)?;
    let declared = |algorithm: &Algorithm| {
        let own = common.key_algorithm;
        own.is_none_or(|own| own == KeyAlgorithm::from(*algorithm))
    };
    let algorithms: Vec<_> = of_kind
        .iter()
        .copied()
        .filter(|algorithm| declared(algorithm) && accepted.contains(*algorithm))
        .collect();
    if algorithms.is_empty() {
        return Err("is for algorithms that are not accepted".to_owned());
    }
    let decoding = DecodingKey::from_jwk(&key).map_err(|error| format!("cannot be read: {error}"))?;
    let algorithms = of_sufficient_length(&decoding, algorithms)?;
    Ok(Key {
        id: common.key_id.clone(),
        algorithms,
        key: decoding,
    })
}

/// What a kind of key can check.
fn algorithms(parameters: &AlgorithmParameters) -> Result<&'static [Algorithm], String> {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => Ok(&[RS256, RS384, RS512, PS256, PS384, PS512]),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => Ok(&[ES256]),
            EllipticCurve::P384 => Ok(&[ES384]),
            _ => Err("has a curve that is not known; P-256 and P-384 are".to_owned()),
        },
        AlgorithmParameters::OctetKeyPair(key) => match key.curve {
            EllipticCurve::Ed25519 => Ok(&[EdDSA]),
            _ => Err("has a curve that is not known; Ed25519 is".to_owned()),
        },
        AlgorithmParameters::OctetKey(_) => Ok(&[HS256, HS384, HS512]),
        _ => Err("is of a kind that is not known".to_owned()),
    }
}

/// RFC 7518 §3.2 and §3.3: a shared secret is at least as long as the hash, and an RSA key has 2048 bits, or they can be
/// guessed.
fn of_sufficient_length(key: &DecodingKey, algorithms: Vec<Algorithm>) -> Result<Vec<Algorithm>, String> {
    if let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() {
        let bytes = n.iter().skip_while(|byte| **byte == 0).count();
        return if bytes < 2048 / 8 {
            Err("is too short: RSA keys want 2048 bits".to_owned())
        } else {
            Ok(algorithms)
        };
    }
    let length = key.try_get_as_bytes().map_or(0, <[u8]>::len);
    let bytes_min = |algorithm: &Algorithm| match algorithm {
        Algorithm::HS256 => 32,
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 0,
    };
    let long: Vec<_> = algorithms
        .into_iter()
        .filter(|algorithm| length >= bytes_min(algorithm))
        .collect();
    if long.is_empty() {
        return Err("is too short: HS256 wants 32 bytes, HS384 48, HS512 64".to_owned());
    }
    Ok(long)
}
