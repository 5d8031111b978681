//! Who calls.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_protocol::Metadata;

use crate::{Certificate, Token, metadata};

/// What a caller has shown of himself: a certificate with the connection, a token with the request, both, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    certificate: Option<Arc<Certificate>>,
    token: Option<Arc<Token>>,
}

/// What a caller can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A certificate, with the connection.
    Certificate,
    /// A token, with the request.
    Token,
}

/// Why a caller may not call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// He has shown nothing, and somebody who has might call.
    Unauthenticated,
    /// He is known, but it is not for him.
    Forbidden,
    /// It is for no client.
    Internal,
}

impl Identity {
    /// A caller who has shown these, both of which were checked.
    pub fn new(certificate: Option<Arc<Certificate>>, token: Option<Arc<Token>>) -> Self {
        Identity { certificate, token }
    }

    /// Whether nothing is known.
    pub fn is_anonymous(&self) -> bool {
        self.certificate.is_none() && self.token.is_none()
    }

    /// The certificate of the connection.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// The token of the request.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_deref()
    }

    /// What ceases to hold first of all that he has shown, and when, since 1970.
    pub fn expires(&self) -> Option<(Shown, Duration)> {
        let token = self.token.iter().map(|token| (Shown::Token, token.expires));
        let certificate = self.certificate.iter();
        let certificate = certificate.map(|certificate| (Shown::Certificate, certificate.not_after));
        token.chain(certificate).min_by_key(|(_, expires)| *expires)
    }

    /// Who calls, in one word: the subject of the token, else the name of the certificate.
    ///
    /// The token comes first: of a gateway that calls for a person, the certificate names the gateway.
    pub fn principal(&self) -> Option<&str> {
        match (&self.token, &self.certificate) {
            (Some(token), _) => Some(&token.subject),
            (None, Some(certificate)) => Some(certificate.name()).filter(|name| !name.is_empty()),
            (None, None) => None,
        }
    }

    /// Tells the function who calls. What clients sent under these keys must be gone already.
    pub fn write(&self, metadata: &mut Metadata) {
        if self.is_anonymous() {
            return;
        }
        if let Some(principal) = self.principal() {
            metadata.push(metadata::PRINCIPAL, principal);
        }
        let source = if self.token.is_some() {
            "token"
        } else {
            "certificate"
        };
        metadata.push(metadata::SOURCE, source);
        if let Some(token) = &self.token {
            for (key, value) in &token.entries {
                metadata.push(key, value);
            }
        }
        if let Some(certificate) = &self.certificate {
            if !certificate.subject.is_empty() {
                metadata.push(metadata::SUBJECT, &certificate.subject);
            }
            let uris = certificate.uris.iter().map(|uri| (metadata::URI, uri));
            let names = certificate.dns.iter().map(|name| (metadata::DNS, name));
            for (key, value) in uris.chain(names) {
                metadata.push(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
