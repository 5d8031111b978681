//! The metadata keys that tell a function who calls. Only the proxy writes them.
//!
//! | key | value | entries |
//! |---|---|---|
//! | `cloudstate-principal` | who calls: the token's subject, else the name of the certificate | 1 |
//! | `cloudstate-principal-source` | `token` or `certificate` | 1 |
//! | `cloudstate-claim-NAME` | the token's claim of that name: text as it is, else as JSON; an entry for each item of an array | any |
//! | `cloudstate-tls-subject` | the certificate's subject, as RFC 4514 writes it | 0 or 1 |
//! | `cloudstate-tls-uri`, `cloudstate-tls-dns` | its alternative names of that kind, such as a SPIFFE id | any |

use serde_json::{Map, Value};

/// What begins every such key.
const PREFIX: &[u8] = b"cloudstate-";

pub(crate) const PRINCIPAL: &str = "cloudstate-principal";
pub(crate) const SOURCE: &str = "cloudstate-principal-source";
pub(crate) const CLAIM: &str = "cloudstate-claim-";
pub(crate) const SUBJECT: &str = "cloudstate-tls-subject";
pub(crate) const URI: &str = "cloudstate-tls-uri";
pub(crate) const DNS: &str = "cloudstate-tls-dns";

/// Whether a key belongs to the proxy, so that what a client sends under it must not reach a function.
///
/// All keys that begin with `cloudstate-` do, whatever follows, in any case; so that a function may compare without
/// regard to case. `_` counts as `-`, since some frameworks make no difference.
pub fn is_reserved(key: &str) -> bool {
    let as_written = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    key.len() >= PREFIX.len()
        && key
            .bytes()
            .zip(PREFIX)
            .all(|(byte, prefix)| as_written(byte) == *prefix)
}

/// The entries of all claims, in their order.
pub(crate) fn of_claims(claims: &Map<String, Value>) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    for (name, value) in claims {
        let key = [CLAIM, name].concat();
        match value {
            Value::Null => {}
            Value::Array(items) => entries.extend(items.iter().map(|item| (key.clone(), text(item)))),
            value => entries.push((key, text(value))),
        }
    }
    entries
}

/// Text as it is, anything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_prefix_is_reserved() {
        for key in [
            "cloudstate-principal",
            "Cloudstate-Principal",
            "CLOUDSTATE-CLAIM-ROLE",
            "cloudstate-principal-bin",
            "cloudstate_principal",
            "cloudstate-",
            "cloudstate-whatever-comes",
        ] {
            assert!(is_reserved(key), "{key}");
        }
        for key in [
            "",
            "cloudstate",
            "x-cloudstate-principal",
            "cloudstat-e",
            "principal",
            "cloud",
        ] {
            assert!(!is_reserved(key), "{key}");
        }
    }

    #[test]
    fn claims_become_entries() {
        let claims = serde_json::json!({
            "sub": "ann", "admin": true, "level": 3, "roles": ["a", "b"], "address": {"city": "X"}, "none": null, "empty": []
        });
        let Value::Object(claims) = claims else {
            unreachable!("it is written as an object")
        };
        let mut entries = of_claims(&claims);
        entries.sort();
        let expected = [
            ("cloudstate-claim-address", r#"{"city":"X"}"#),
            ("cloudstate-claim-admin", "true"),
            ("cloudstate-claim-level", "3"),
            ("cloudstate-claim-roles", "a"),
            ("cloudstate-claim-roles", "b"),
            ("cloudstate-claim-sub", "ann"),
        ];
        assert_eq!(
            entries,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }
}
