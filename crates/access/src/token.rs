//! Tokens: JSON Web Tokens (RFC 7519), signed (RFC 7515) by a key of a set (RFC 7517).
//!
//! ```text
//!   file ─▶ Keys ─┐
//!                 ├─▶ Tokens ── verify(text) ──▶ Token { subject, claims, metadata entries }
//!   TokenOptions ─┘                     └──────▶ TokenError
//! ```

mod algorithms;
mod error;
mod keys;
mod signature;

use std::collections::HashSet;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation};
use serde_json::{Map, Value};

pub use self::algorithms::Algorithms;
pub use self::error::{KeysError, TokenError};
use self::keys::Key;
use crate::metadata;

/// What a token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOptions {
    /// For whom it is: one of these must stand in `aud`. An empty list accepts no token.
    pub audience: Vec<String>,
    /// By whom it is: `iss` must be one of these; an empty list leaves `iss` unchecked.
    pub issuer: Vec<String>,
    /// How far the clocks of issuer and proxy may differ when `exp` and `nbf` are checked.
    pub leeway: Duration,
    /// How it may be signed.
    pub algorithms: Algorithms,
}

/// The keys and conditions by which tokens are judged.
#[derive(Debug)]
pub struct Tokens {
    options: TokenOptions,
    keys: Vec<Key>,
}

/// A token that was found good.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Whom it is about.
    pub subject: String,
    /// All that it says.
    pub claims: Map<String, Value>,
    /// Until when it may be used, since 1970, the leeway included.
    pub expires: Duration,
    /// The claims as metadata.
    pub(crate) entries: Vec<(String, String)>,
}

impl Tokens {
    /// Reads a key set (RFC 7517 §5). Also returns what was left out of it, to be logged.
    ///
    /// # Errors
    /// If it is no key set, or no key in it can be used.
    pub fn new(set: &[u8], options: TokenOptions) -> Result<(Self, Vec<String>), KeysError> {
        signature::install();
        let (keys, left_out) = keys::read(set, options.algorithms)?;
        Ok((Tokens { options, keys }, left_out))
    }

    /// How many keys tokens may be signed by.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// Judges a token at this moment of the system's clock.
    ///
    /// # Errors
    /// The first reason not to trust it.
    pub fn verify(&self, token: &str) -> Result<Token, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        // RFC 7515 §4.1.11: who does not know an extension that is critical must refuse. We know none.
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        if !self.options.algorithms.contains(header.alg) {
            return Err(TokenError::Algorithm);
        }
        let mut refused = TokenError::UnknownKey;
        for key in self.keys.iter().filter(|key| key.may_have_signed(&header)) {
            match self.verify_by(key, &header, token) {
                // Keys without an id, or a token that names none: another one may fit.
                Err(TokenError::Signature) => refused = TokenError::Signature,
                outcome => return outcome,
            }
        }
        Err(refused)
    }

    fn verify_by(&self, key: &Key, header: &Header, token: &str) -> Result<Token, TokenError> {
        let verified = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &self.validation(header))
            .map_err(|error| refusal(error.kind()))?;
        self.accept(verified.claims)
    }

    fn validation(&self, header: &Header) -> Validation {
        let mut validation = Validation::new(header.alg);
        validation.leeway = self.options.leeway.as_secs();
        validation.validate_nbf = true;
        validation.aud = Some(self.options.audience.iter().cloned().collect());
        let required = ["exp", "sub", "aud"].into_iter();
        if self.options.issuer.is_empty() {
            validation.required_spec_claims = required.map(str::to_owned).collect();
        } else {
            validation.iss = Some(HashSet::from_iter(self.options.issuer.iter().cloned()));
            validation.required_spec_claims = required.chain(["iss"]).map(str::to_owned).collect();
        }
        validation
    }

    fn accept(&self, claims: Map<String, Value>) -> Result<Token, TokenError> {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if subject.is_empty() {
            return Err(TokenError::Claim("sub".to_owned()));
        }
        // Checked above to be a number that is not negative; fractions of a second do not matter here.
        let seconds = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        let expires = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Ok(Token {
            subject: subject.to_owned(),
            expires: expires.saturating_add(self.options.leeway),
            entries: metadata::of_claims(&claims),
            claims,
        })
    }
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => TokenError::Algorithm,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
            TokenError::Claim(name.clone())
        }
        _ => TokenError::Malformed,
    }
}

impl Token {
    /// Whether the claim has this value: as text, as a member of an array, or as a word of a `scope`.
    ///
    /// `name` is the name of a claim, else a path of names joined with dots into nested objects.
    pub fn has_claim(&self, name: &str, value: &str) -> bool {
        let Some(found) = self.claims.get(name).or_else(|| self.nested(name)) else {
            return false;
        };
        match found {
            Value::Array(items) => items.iter().any(|item| metadata::text(item) == value),
            Value::String(words) if name == "scope" => words.split(' ').any(|word| word == value),
            found => metadata::text(found) == value,
        }
    }

    fn nested(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let first = self.claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }
}

#[cfg(test)]
mod tests;
