use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloudstate_test_issuer::{Provider, SECRET, now};
use serde_json::json;

use super::*;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({"sub": "ann", "aud": "shop", "iss": "https://issuer", "exp": now() + 600});
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn options() -> TokenOptions {
    TokenOptions {
        audience: vec!["shop".into(), "store".into()],
        issuer: vec!["https://issuer".into()],
        leeway: Duration::from_secs(60),
        algorithms: Algorithms::from_names(["ES256", "ES384", "EdDSA", "RS256", "PS256"]).expect("known"),
    }
}

fn tokens(provider: &Provider, options: TokenOptions) -> Tokens {
    let set = provider.keys().to_string();
    Tokens::new(set.as_bytes(), options).expect("a key set").0
}

#[test]
fn a_good_token_of_every_kind_of_key_is_accepted() {
    let provider = Provider::new();
    let tokens = tokens(&provider, options());
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let header = json!({"alg": algorithm, "typ": "JWT"});
        let text = provider.sign(&header, &claims(&json!({"role": "admin"})).to_string());
        let token = tokens
            .verify(&text)
            .unwrap_or_else(|error| panic!("{algorithm}: {error}"));
        assert_eq!(token.subject, "ann");
        assert!(token.has_claim("role", "admin"));
        assert!(token.expires > Duration::from_secs(now() + 600));
    }
}

#[test]
fn what_a_token_must_say_is_checked() {
    let provider = Provider::new();
    let tokens = tokens(&provider, options());
    let cases = [
        (json!({"exp": now() - 61}), TokenError::Expired),
        (json!({"exp": "soon"}), TokenError::Claim("exp".into())),
        (json!({"exp": -1}), TokenError::Claim("exp".into())),
        (json!({"exp": null}), TokenError::Claim("exp".into())),
        (json!({"nbf": now() + 120}), TokenError::NotYetValid),
        (json!({"nbf": "now"}), TokenError::Claim("nbf".into())),
        (json!({"aud": "other"}), TokenError::Audience),
        (json!({"aud": ["other", "another"]}), TokenError::Audience),
        (json!({"aud": []}), TokenError::Audience),
        (json!({"aud": null}), TokenError::Claim("aud".into())),
        (json!({"iss": "https://issuer/"}), TokenError::Issuer),
        (json!({"iss": null}), TokenError::Claim("iss".into())),
        (json!({"sub": null}), TokenError::Claim("sub".into())),
        (json!({"sub": ""}), TokenError::Claim("sub".into())),
        (json!({"sub": 7}), TokenError::Claim("sub".into())),
    ];
    for (change, expected) in cases {
        let refused = tokens
            .verify(&provider.token(&claims(&change)))
            .expect_err("it is not good");
        assert_eq!(refused, expected, "{change}");
    }
    // Within the leeway, and one of several audiences.
    for change in [
        json!({"exp": now() - 30}),
        json!({"nbf": now() + 30}),
        json!({"aud": ["other", "store"]}),
    ] {
        tokens
            .verify(&provider.token(&claims(&change)))
            .unwrap_or_else(|error| panic!("{change}: {error}"));
    }
}

#[test]
fn a_claim_that_comes_twice_is_refused() {
    let provider = Provider::new();
    let text = format!(
        r#"{{"sub":"ann","aud":"other","aud":"shop","iss":"https://issuer","exp":{}}}"#,
        now() + 60
    );
    let text = provider.sign(&json!({"alg": "ES256"}), &text);
    assert_eq!(
        tokens(&provider, options()).verify(&text),
        Err(TokenError::Malformed)
    );
}

#[test]
fn an_issuer_is_checked_only_if_one_is_configured() {
    let provider = Provider::new();
    let tokens = tokens(
        &provider,
        TokenOptions {
            issuer: vec![],
            ..options()
        },
    );
    for change in [json!({"iss": "anybody"}), json!({"iss": null})] {
        tokens
            .verify(&provider.token(&claims(&change)))
            .unwrap_or_else(|error| panic!("{change}: {error}"));
    }
}

#[test]
fn only_a_signature_by_the_key_that_is_named_counts() {
    let provider = Provider::new();
    let tokens = tokens(&provider, options());
    let text = claims(&json!({})).to_string();
    let sign = |header: Value| provider.sign(&header, &text);
    let good = sign(json!({"alg": "ES256", "kid": "P-256"}));
    let stranger = Provider::new().token(&claims(&json!({})));
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, _) = message.split_once('.').expect("three parts");
    let other_claims = format!(
        "{header}.{}.{signature}",
        encode(claims(&json!({"sub": "bob"})).to_string())
    );
    for (token, expected) in [
        (stranger, TokenError::Signature),
        (other_claims, TokenError::Signature),
        (format!("{message}."), TokenError::Signature),
        (
            sign(json!({"alg": "ES256", "kid": "gone"})),
            TokenError::UnknownKey,
        ),
        (sign(json!({"alg": "ES256", "kid": "ed"})), TokenError::UnknownKey),
        (
            sign(json!({"alg": "EdDSA", "kid": "P-256"})),
            TokenError::UnknownKey,
        ),
        (sign(json!({"alg": "RS256"})), TokenError::UnknownKey),
        (
            sign(json!({"alg": "ES256", "crit": ["b64"], "b64": false})),
            TokenError::Critical,
        ),
        (sign(json!({"alg": "ES256", "crit": []})), TokenError::Critical),
        (sign(json!({"alg": "none"})), TokenError::Malformed),
        (sign(json!({"kid": "P-256"})), TokenError::Malformed),
        (message.to_owned(), TokenError::Malformed),
        (format!("{good}.x"), TokenError::Malformed),
        (format!("{good}="), TokenError::Malformed),
        (String::new(), TokenError::Malformed),
        ("ü.ü.ü".to_owned(), TokenError::Malformed),
    ] {
        assert_eq!(tokens.verify(&token), Err(expected), "{token}");
    }
    tokens
        .verify(&good)
        .expect("the one that was changed above is good");
}

#[test]
fn a_shared_secret_counts_only_if_it_is_configured() {
    let provider = Provider::new();
    let text = provider.sign(&json!({"alg": "HS256"}), &claims(&json!({})).to_string());
    let asymmetric = tokens(&provider, options());
    assert_eq!(asymmetric.key_count(), 3);
    assert_eq!(asymmetric.verify(&text), Err(TokenError::Algorithm));

    let algorithms = Algorithms::from_names(["HS256", "ES256"]).expect("known");
    let both = tokens(
        &provider,
        TokenOptions {
            algorithms,
            ..options()
        },
    );
    both.verify(&text).expect("it is configured");
}

#[test]
fn a_public_key_never_serves_as_a_shared_secret() {
    let provider = Provider::new();
    let algorithms = Algorithms::from_names(["HS256", "ES256"]).expect("known");
    let tokens = tokens(
        &provider,
        TokenOptions {
            algorithms,
            ..options()
        },
    );
    let forged = provider.confused(&claims(&json!({})));
    assert_eq!(tokens.verify(&forged), Err(TokenError::UnknownKey));
}

#[test]
fn keys_that_cannot_be_used_are_left_out_and_named() {
    let provider = Provider::new();
    let mut set = provider.keys();
    let keys = set["keys"].as_array_mut().expect("an array");
    let good = keys[0].clone();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    *keys = vec![
        with("use", json!("enc")),
        with("alg", json!("ES384")),
        with("crv", json!("P-521")),
        with("kty", json!("new")),
        json!({"kty": "oct", "k": "c2hvcnQ", "alg": "HS256"}),
        json!("no key"),
        good.clone(),
    ];
    let algorithms = Algorithms::from_names(Algorithms::names()).expect("all");
    let (tokens, left_out) = Tokens::new(
        set.to_string().as_bytes(),
        TokenOptions {
            algorithms,
            ..options()
        },
    )
    .expect("one is good");
    assert_eq!(tokens.key_count(), 1);
    let left_out = left_out.join("\n");
    for text in [
        "key [P-256] is not for checking signatures",
        "key [P-256] has a curve that is not known; P-256 and P-384 are",
        "key [P-256] is of a kind that is not known",
        "key 5 of the set is too short: HS256 wants 32 bytes, HS384 48, HS512 64",
        "key 6 of the set cannot be read",
    ] {
        assert!(left_out.contains(text), "{text} is missing in\n{left_out}");
    }
    assert_eq!(left_out.lines().count(), 6, "{left_out}");
}

#[test]
fn what_is_no_key_set_is_refused() {
    let error = |set: &str| {
        Tokens::new(set.as_bytes(), options())
            .expect_err("it is none")
            .to_string()
    };
    assert!(error("").contains("no JSON Web Key Set"));
    assert!(error("[]").contains("no JSON Web Key Set"));
    assert!(error("{}").contains("no JSON Web Key Set"));
    assert!(error(r#"{"keys": []}"#).contains("no key that can be used"));
    let secret = json!({"keys": [{"kty": "oct", "k": encode(SECRET), "kid": "s"}]}).to_string();
    assert!(error(&secret).contains("key [s] is for algorithms that are not accepted"));
    let many = json!({"keys": vec![json!({}); 101]}).to_string();
    assert!(error(&many).contains("101 keys"));
}

#[test]
fn no_text_makes_it_panic() {
    let provider = Provider::new();
    let tokens = tokens(&provider, options());
    proptest::proptest!(|(text in "[a-zA-Z0-9._=-]{0,60}|.{0,30}")| {
        proptest::prop_assert!(tokens.verify(&text).is_err());
    });
    proptest::proptest!(|(header in "[{}\":a-z0-9,]{0,30}", claims in "[{}\":a-z0-9,]{0,30}")| {
        let text = format!("{}.{}.AA", encode(header), encode(claims));
        proptest::prop_assert!(tokens.verify(&text).is_err());
    });
}
