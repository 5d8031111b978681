//! Tokens, and what the function learns.

use super::*;

#[test]
fn a_token_is_told_to_the_function_and_what_a_client_says_of_itself_is_not() {
    run(async {
        let provider = Provider::new();
        let server = serve(tell(), with_tokens(&provider, Policy::default())).await;
        let client = connect(server.port).await;
        let token = provider.token(&claims(&json!({"roles": ["admin", "ops"], "level": 3})));
        let bearer = format!("bearer {token}");
        let forged = [
            ("authorization", bearer.as_str()),
            ("cloudstate-principal", "root"),
            ("cloudstate-claim-roles", "root"),
            ("cloudstate-claim-roles-bin", "!"),
            ("cloudstate_claim_roles", "root"),
        ];
        let request = forged
            .iter()
            .fold(client.grpc("/shop.Streams/Unary"), |request, (name, value)| {
                request.header(*name, *value)
            });
        let told = text(&client.send(request, &[frame(b"")]).await);
        for line in [
            "cloudstate-principal=ann",
            "cloudstate-principal-source=token",
            "cloudstate-claim-sub=ann",
            "cloudstate-claim-roles=admin,ops",
            "cloudstate-claim-level=3",
        ] {
            assert!(
                told.lines().any(|told| told == line),
                "{line} is missing in\n{told}"
            );
        }
        assert!(!told.contains("root") && !told.contains("cloudstate_"), "{told}");

        let anonymous = client
            .grpc("/shop.Streams/Unary")
            .header("cloudstate-principal", "root")
            .header("authorization", "Basic YTpi");
        assert_eq!(
            text(&client.send(anonymous, &[frame(b"")]).await),
            "authorization=Basic YTpi"
        );
        let answer = grpc_web(&client, "/shop.Streams/Unary", &forged[1..]).await;
        assert!(
            !answer.body.windows(4).any(|bytes| bytes == b"root"),
            "{answer:?}"
        );
        let answer = grpc_web(&client, "/shop.Streams/Unary", &forged).await;
        assert!(answer.body.windows(3).any(|bytes| bytes == b"ann"), "{answer:?}");
    });
}

#[test]
fn a_bad_token_is_refused_even_where_anyone_may_call() {
    run(async {
        let provider = Provider::new();
        let server = serve(tell(), with_tokens(&provider, Policy::default())).await;
        let client = connect(server.port).await;
        let bearer = |claims: &Value| format!("Bearer {}", provider.token(claims));
        for (token, reason, text) in [
            (
                bearer(&claims(&json!({"exp": now() - 1}))),
                "expired_token",
                "the token has expired",
            ),
            (
                bearer(&claims(&json!({"nbf": now() + 60}))),
                "early_token",
                "the token is not valid yet",
            ),
            (
                bearer(&claims(&json!({"aud": "x"}))),
                "token_audience",
                "the token is for another audience",
            ),
            (
                bearer(&claims(&json!({"sub": 1}))),
                "token_claim",
                "the token's claim [sub] is missing or malformed",
            ),
            ("Bearer x".to_owned(), "malformed_token", "the token is malformed"),
            (
                format!("Bearer {}", Provider::new().token(&claims(&json!({})))),
                "token_signature",
                "the token's signature is wrong",
            ),
            (
                format!(
                    "Bearer {}",
                    provider.sign(&json!({"alg": "HS256"}), &claims(&json!({})).to_string())
                ),
                "token_algorithm",
                "the token's algorithm is not accepted",
            ),
        ] {
            let headers = [("authorization", token.as_str())];
            let request = client.grpc("/shop.Cart/Plain").header("authorization", &token);
            let answer = client.send(request, &[frame(b"")]).await;
            assert_eq!((answer.code(), answer.message()), ("16", text));
            let answer = grpc_web(&client, "/shop.Cart/Plain", &headers).await;
            assert_eq!(answer.headers["grpc-status"], "16");
            let answer = post(&client, "/shop.Cart/Plain", &headers).await;
            assert_eq!(answer.status, 401);
            assert_eq!(
                (&json(&answer)["message"], &json(&answer)["status"]),
                (&json!(text), &json!("UNAUTHENTICATED"))
            );
            let challenge = format!(r#"Bearer error="invalid_token", error_description="{text}""#);
            assert_eq!(answer.headers["www-authenticate"], challenge);
            assert!(counts(
                &server,
                &format!(r#"cloudstate_gateway_refused_callers_total{{reason="{reason}"}} 3"#)
            ));
        }
        let good = bearer(&claims(&json!({})));
        let twice = client
            .grpc("/shop.Cart/Plain")
            .header("authorization", &good)
            .header("authorization", &good);
        assert_eq!(client.send(twice, &[frame(b"")]).await.code(), "16");
    });
}

#[test]
fn new_keys_hold_at_once_also_for_tokens_that_were_good() {
    run(async {
        let (old, new) = (Provider::new(), Provider::new());
        let mut options = with_tokens(&old, Policy::default());
        let tokens = |provider: &Provider| {
            with_tokens(provider, Policy::default())
                .security
                .tokens
                .unwrap()
                .borrow()
                .clone()
        };
        let (change, receiver) = watch::channel(tokens(&old));
        options.security.tokens = Some(receiver);
        let client = connect(serve(tell(), options).await.port).await;
        let call = async |provider: &Provider| {
            let bearer = format!("Bearer {}", provider.token(&claims(&json!({}))));
            let request = client.grpc("/shop.Cart/Plain").header("authorization", bearer);
            client.send(request, &[frame(b"")]).await.code().to_owned()
        };
        assert_eq!(
            (call(&old).await, call(&new).await),
            ("0".to_owned(), "16".to_owned())
        );
        change.send_replace(tokens(&new));
        assert_eq!(
            (call(&old).await, call(&new).await),
            ("16".to_owned(), "0".to_owned())
        );
    });
}
