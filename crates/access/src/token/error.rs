//! Why a token or a key set is refused.

/// Why a token is refused. The text is for the caller: it says nothing about what would have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no signed JSON Web Token, or of an algorithm that nobody knows, `none` included.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed in a way that is not accepted here.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// It is to be processed in a way that is not known here.
    #[error("the token has a critical extension that is not known")]
    Critical,
    /// No key could have signed it.
    #[error("the token is signed by an unknown key")]
    UnknownKey,
    /// No key has signed it.
    #[error("the token's signature is wrong")]
    Signature,
    /// It held until a time that has passed.
    #[error("the token has expired")]
    Expired,
    /// It holds from a time that is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It is by somebody else.
    #[error("the token is of an issuer that is not accepted")]
    Issuer,
    /// A claim is missing or of the wrong type.
    #[error("the token's claim [{0}] is missing or malformed")]
    Claim(String),
}

impl TokenError {
    /// One word for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            TokenError::Malformed | TokenError::Critical => "malformed_token",
            TokenError::Algorithm => "token_algorithm",
            TokenError::UnknownKey => "unknown_key",
            TokenError::Signature => "token_signature",
            TokenError::Expired => "expired_token",
            TokenError::NotYetValid => "early_token",
            TokenError::Audience => "token_audience",
            TokenError::Issuer => "token_issuer",
            TokenError::Claim(_) => "token_claim",
        }
    }
}

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It is not of the form of RFC 7517.
    #[error("it is no JSON Web Key Set: {0}")]
    Malformed(#[source] serde_json::Error),
    /// Too many keys to try.
    #[error("it has {0} keys, more than the limit of {1}")]
    TooMany(usize, usize),
    /// Nothing in it can check a signature.
    #[error("it has no key that can be used{}", list(.0))]
    NoKey(Vec<String>),
}

fn list(left_out: &[String]) -> String {
    if left_out.is_empty() {
        String::new()
    } else {
        format!(": {}", left_out.join("; "))
    }
}
