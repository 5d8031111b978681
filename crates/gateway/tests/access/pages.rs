//! Pages of other origins, in a browser that shows a certificate by itself.

use super::*;

#[test]
fn a_page_of_another_origin_cannot_use_the_certificate_of_its_reader() {
    run(async {
        let authority = Authority::new("test");
        let provider = Provider::new();
        let own = server_config(&authority.server(), Some(&authority), true);
        let mut options = with_tls(own);
        options.security.tokens = with_tokens(&provider, Policy::default()).security.tokens;
        options.security.policy = rules("shop.Streams/Upload = authenticated").into();
        options.cors = Cors {
            origins: "https://listed.example".parse().unwrap(),
            credentials: true,
        };
        let server = serve(tell(), options).await;
        let person = authority.issue("ann", &["ann.example.org"], 2100);
        let client = secured(server.port, authority.client(Some(&person), &["h2"])).await;
        // What a form or a script of any page can send without being asked: of a type that needs no preflight.
        let upload = async |headers: &[(&str, &str)]| {
            let request = client
                .request("POST", "/upload")
                .header("content-type", "text/plain");
            let request = headers
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value));
            client
                .send(request, &[Bytes::from_static(b"x")])
                .await
                .status
                .as_u16()
        };
        let evil = ("origin", "https://evil.example");
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(upload(&[]).await, 200);
        assert_eq!(upload(&[("sec-fetch-site", "same-origin")]).await, 200);
        assert_eq!(upload(&[("origin", "https://listed.example"), cross]).await, 200);
        assert_eq!(upload(&[evil, cross]).await, 403);
        assert_eq!(upload(&[evil]).await, 403);
        assert_eq!(upload(&[("origin", "null"), cross]).await, 403);
        let token = provider.token(&claims(&json!({})));
        let bearer = format!("Bearer {token}");
        assert_eq!(
            upload(&[evil, ("authorization", &bearer)]).await,
            200,
            "whoever has put in a token has meant it"
        );
        let line = r#"cloudstate_gateway_refused_callers_total{reason="cross_origin"} 3"#;
        assert!(counts(&server, line), "{}", shown(&server));

        // Without a certificate there is nothing to misuse.
        let stranger = secured(server.port, authority.client(None, &["h2"])).await;
        let request = stranger.request("POST", "/upload").header(evil.0, evil.1);
        assert_eq!(stranger.send(request, &["x".into()]).await.status, 401);
    });
}
