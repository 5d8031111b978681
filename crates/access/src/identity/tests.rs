use std::time::Duration;

use serde_json::{Map, Value, json};

use super::*;
use crate::{Allowed, metadata::of_claims};

fn certificate() -> Arc<Certificate> {
    Arc::new(Certificate {
        subject: "CN=shop,O=Example".into(),
        uris: vec!["spiffe://example.org/shop".into()],
        dns: vec!["shop.example.org".into()],
        not_before: Duration::ZERO,
        not_after: Duration::MAX,
    })
}

fn token(claims: Value) -> Arc<Token> {
    let claims: Map<String, Value> = serde_json::from_value(claims).expect("an object");
    Arc::new(Token {
        subject: claims["sub"].as_str().expect("a subject").to_owned(),
        expires: Duration::MAX,
        entries: of_claims(&claims),
        claims,
    })
}

fn decide(rule: &str, caller: &Identity) -> Result<(), Refusal> {
    Allowed::parse(rule)
        .unwrap_or_else(|| panic!("{rule}"))
        .decide(caller)
}

#[test]
fn a_caller_with_both_is_the_one_of_the_token_and_shows_both() {
    let caller = Identity::new(Some(certificate()), Some(token(json!({"sub": "ann"}))));
    let mut metadata = Metadata::default();
    caller.write(&mut metadata);
    let expected = [
        ("cloudstate-principal", "ann"),
        ("cloudstate-principal-source", "token"),
        ("cloudstate-claim-sub", "ann"),
        ("cloudstate-tls-subject", "CN=shop,O=Example"),
        ("cloudstate-tls-uri", "spiffe://example.org/shop"),
        ("cloudstate-tls-dns", "shop.example.org"),
    ];
    assert_eq!(metadata, expected.into_iter().collect());
    assert!(
        metadata
            .entries
            .iter()
            .all(|entry| crate::is_reserved(&entry.key))
    );
}

#[test]
fn a_caller_with_a_certificate_has_its_name() {
    let caller = Identity::new(Some(certificate()), None);
    let mut metadata = Metadata::default();
    caller.write(&mut metadata);
    assert_eq!(
        metadata.get("cloudstate-principal"),
        Some("spiffe://example.org/shop")
    );
    assert_eq!(metadata.get("cloudstate-principal-source"), Some("certificate"));
}

#[test]
fn of_an_anonymous_caller_nothing_is_told() {
    let mut metadata = Metadata::default();
    Identity::default().write(&mut metadata);
    assert!(metadata.is_empty());
}

#[test]
fn rules_let_in_whom_they_name() {
    let anonymous = Identity::default();
    let with_certificate = Identity::new(Some(certificate()), None);
    let claims = json!({"sub": "ann", "scope": "read write", "roles": ["admin", 7], "realm": {"roles": ["ops"]}, "a.b": true});
    let with_token = Identity::new(None, Some(token(claims)));

    for caller in [&anonymous, &with_certificate, &with_token] {
        assert_eq!(decide("anyone", caller), Ok(()));
        assert_eq!(decide("internal", caller), Err(Refusal::Internal));
    }
    for rule in [
        "authenticated",
        "certificate",
        "token",
        "token:ann",
        "claim:scope=read | certificate",
    ] {
        assert_eq!(decide(rule, &anonymous), Err(Refusal::Unauthenticated), "{rule}");
    }
    for rule in [
        "authenticated",
        "certificate",
        "certificate:spiffe://example.org/shop",
        "certificate:CN=shop,O=Example",
        "token:x | certificate:Shop.example.org",
    ] {
        assert_eq!(decide(rule, &with_certificate), Ok(()), "{rule}");
    }
    for rule in [
        "token",
        "certificate:shop",
        "token:CN=shop,O=Example",
        "claim:sub=ann",
    ] {
        assert_eq!(decide(rule, &with_certificate), Err(Refusal::Forbidden), "{rule}");
    }
    for rule in [
        "authenticated",
        "token",
        "token:ann",
        "claim:sub=ann",
        "claim:scope=write",
        "claim:roles=admin",
        "claim:roles=7",
        "claim:realm.roles=ops",
        "claim:a.b=true",
        "token:bob | claim:roles=admin",
    ] {
        assert_eq!(decide(rule, &with_token), Ok(()), "{rule}");
    }
    for rule in [
        "certificate",
        "certificate:ann",
        "token:Ann",
        "claim:scope=read write",
        "claim:roles=admi",
        "claim:realm=ops",
        "claim:realm.x=ops",
        "claim:none=",
    ] {
        assert_eq!(decide(rule, &with_token), Err(Refusal::Forbidden), "{rule}");
    }
}

#[test]
fn a_caller_is_known_as_long_as_all_that_he_has_shown_holds() {
    let expiring = |of: Shown, seconds| {
        let (mut certificate, mut token) =
            ((*certificate()).clone(), (*token(json!({"sub": "ann"}))).clone());
        match of {
            Shown::Certificate => certificate.not_after = Duration::from_secs(seconds),
            Shown::Token => token.expires = Duration::from_secs(seconds),
        }
        Identity::new(Some(Arc::new(certificate)), Some(Arc::new(token))).expires()
    };
    for of in [Shown::Certificate, Shown::Token] {
        assert_eq!(expiring(of, 5), Some((of, Duration::from_secs(5))));
    }
    assert_eq!(Identity::default().expires(), None);
}
