//! Tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// The secret in the key set, for tokens that are signed with a shared one.
pub const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// Who issues tokens, with a key of each kind that can be made quickly: `P-256`, `P-384`, `ed` and the shared `secret`.
pub struct Provider {
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Default for Provider {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider {
    /// One with new keys.
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let ecdsa = |how| {
            let key = EcdsaKeyPair::generate_pkcs8(how, &random).expect("a key");
            EcdsaKeyPair::from_pkcs8(how, key.as_ref(), &random).expect("a key")
        };
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        Provider {
            p256: ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).expect("a key"),
        }
    }

    /// The key set, in the order of the names above.
    pub fn keys(&self) -> Value {
        let curve = |key: &EcdsaKeyPair, name: &str| {
            let point = &key.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({"kty": "EC", "crv": name, "x": encode(x), "y": encode(y), "kid": name, "use": "sig"})
        };
        json!({"keys": [
            curve(&self.p256, "P-256"),
            curve(&self.p384, "P-384"),
            {"kty": "OKP", "crv": "Ed25519", "x": encode(self.ed25519.public_key()), "kid": "ed"},
            {"kty": "oct", "k": encode(SECRET), "kid": "secret"},
        ]})
    }

    /// A token with this header, signed by the key that its algorithm wants; unsigned if there is none.
    pub fn sign(&self, header: &Value, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims));
        let random = SystemRandom::new();
        let bytes = message.as_bytes();
        let signature = match header["alg"].as_str() {
            Some("ES256") => self.p256.sign(&random, bytes).expect("signed").as_ref().to_vec(),
            Some("ES384") => self.p384.sign(&random, bytes).expect("signed").as_ref().to_vec(),
            Some("EdDSA") => self.ed25519.sign(bytes).as_ref().to_vec(),
            Some("HS256") => hmac_sha256(SECRET, bytes),
            _ => Vec::new(),
        };
        format!("{message}.{}", encode(signature))
    }

    /// A token with these claims, signed with ES256.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": "P-256"}), &claims.to_string())
    }

    /// A token that takes the bytes of the public key `P-256` for a shared secret.
    pub fn confused(&self, claims: &Value) -> String {
        let header = json!({"alg": "HS256", "kid": "P-256"});
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = hmac_sha256(self.p256.public_key().as_ref(), message.as_bytes());
        format!("{message}.{}", encode(signature))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}
