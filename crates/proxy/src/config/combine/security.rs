//! Settings of TLS, tokens and access that do not hold together: each would leave a port open, or closed to everybody,
//! against what its author believes.

use cloudstate_access::{Allowed, Who};

use super::values;
use crate::config::{Error, Loaded};

/// An error for each key that lacks another one.
pub(super) fn check(loaded: &Loaded) -> Vec<Error> {
    let lacks = |(key, missing, fix)| Error::Lacks {
        values: values(loaded, &[key]),
        missing,
        fix,
    };
    lacking(loaded)
        .into_iter()
        .chain(closed(loaded))
        .map(lacks)
        .collect()
}

/// A key, the one that it lacks, and why.
type Lack = (&'static str, &'static str, &'static str);

fn lacking(loaded: &Loaded) -> Vec<Lack> {
    let (tls, jwt) = (&loaded.config.tls, &loaded.config.jwt);
    let has_audience = !jwt.audience.items().is_empty();
    let lacks: [(bool, Lack); 6] = [
        (
            tls.cert.is_some() && tls.key.is_none(),
            (
                "http.tls.cert",
                "http.tls.key",
                "a certificate is of use only with its private key",
            ),
        ),
        (
            tls.key.is_some() && tls.cert.is_none(),
            (
                "http.tls.key",
                "http.tls.cert",
                "a private key is of use only with its certificate",
            ),
        ),
        (
            tls.client_ca.is_some() && tls.cert.is_none(),
            (
                "http.tls.client_ca",
                "http.tls.cert",
                "clients show certificates only where TLS is spoken",
            ),
        ),
        (
            jwt.keys.is_some() && !has_audience,
            (
                "http.jwt.keys",
                "http.jwt.audience",
                "say for whom tokens must be, or those made for another service would be good here",
            ),
        ),
        (
            jwt.keys.is_none() && has_audience,
            (
                "http.jwt.audience",
                "http.jwt.keys",
                "without keys, tokens are not looked at",
            ),
        ),
        (
            jwt.keys.is_none() && !jwt.issuer.items().is_empty(),
            (
                "http.jwt.issuer",
                "http.jwt.keys",
                "without keys, tokens are not looked at",
            ),
        ),
    ];
    lacks
        .into_iter()
        .filter(|(lacks, _)| *lacks)
        .map(|(_, lack)| lack)
        .collect()
}

/// Keys with a rule that asks for what nobody can show; each once.
fn closed(loaded: &Loaded) -> Vec<Lack> {
    let access = &loaded.config.access;
    let keys = [
        ("access.default", access.default.as_ref()),
        ("access.reflection", access.reflection.as_ref()),
        ("access.health", Some(&access.health)),
        ("access.openapi", access.openapi.as_ref()),
        ("access.static_files", Some(&access.static_files)),
    ];
    let single = keys
        .into_iter()
        .filter_map(|(key, allowed)| Some((key, allowed?)));
    let rules = access.rules.iter().map(|(_, allowed)| ("access.rules", allowed));
    let mut lacks: Vec<Lack> = single
        .chain(rules)
        .filter_map(|(key, allowed)| missing(loaded, allowed).map(|(missing, why)| (key, missing, why)))
        .collect();
    lacks.dedup_by_key(|(key, ..)| *key);
    lacks
}

/// The key without which one of the ways lets nobody in.
fn missing(loaded: &Loaded, allowed: &Allowed) -> Option<(&'static str, &'static str)> {
    let tokens = loaded.config.jwt.keys.is_some();
    let certificates = loaded.config.tls.client_ca.is_some();
    allowed.ways().iter().find_map(|way| match way {
        Who::Authenticated if !tokens && !certificates => Some((
            "http.jwt.keys or http.tls.client_ca",
            "without either, callers cannot show who they are",
        )),
        Who::Token(_) | Who::Claim { .. } if !tokens => {
            Some(("http.jwt.keys", "without keys, tokens are not looked at"))
        }
        Who::Certificate(_) if !certificates => Some((
            "http.tls.client_ca",
            "without it, clients are not asked for certificates",
        )),
        _ => None,
    })
}
