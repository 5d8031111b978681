//! TLS and client certificates.

use super::*;

#[test]
fn both_protocols_are_served_over_tls_as_agreed_or_as_they_come() {
    run(async {
        let authority = Authority::new("test");
        let server = serve(tell(), with_tls(server_config(&authority.server(), None, false))).await;
        for (protocols, agreed) in [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&[], None)] {
            let io = shake(server.port, authority.client(None, protocols))
                .await
                .unwrap();
            assert_eq!(io.get_ref().1.alpn_protocol(), agreed);
            let client = connect_over(io, server.port).await;
            assert_eq!(text(&client.unary("/shop.Streams/Unary", b"").await), "");
        }
        for (protocols, agreed) in [(&["http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
            let mut io = shake(server.port, authority.client(None, protocols))
                .await
                .unwrap();
            assert_eq!(io.get_ref().1.alpn_protocol(), agreed);
            io.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = String::new();
            io.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
    });
}

#[test]
fn a_client_that_offers_other_protocols_only_is_refused() {
    run(async {
        let authority = Authority::new("test");
        let server = serve(tell(), with_tls(server_config(&authority.server(), None, false))).await;
        shake(server.port, authority.client(None, &["spdy/3"]))
            .await
            .unwrap_err();
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="incompatible"} 1"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn plain_http_is_told_to_speak_tls() {
    run(async {
        let authority = Authority::new("test");
        let server = serve(tell(), with_tls(server_config(&authority.server(), None, false))).await;
        for request in [
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.write_all(request.as_bytes()).await.unwrap();
            io.shutdown().await.unwrap();
            let mut answer = String::new();
            io.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 400"), "{head}");
            assert!(
                head.contains(&format!("Content-Length: {}", body.len())),
                "{head}"
            );
            assert!(body.contains("speaks TLS"), "{body}");
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="plain_text"} 2"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn a_handshake_that_does_not_end_is_cut() {
    run(async {
        let authority = Authority::new("test");
        let options = Options {
            handshake_timeout: Duration::from_millis(20),
            ..with_tls(server_config(&authority.server(), None, false))
        };
        let server = serve(tell(), options).await;
        // Nothing; the beginning of a record.
        for start in [&b""[..], &[22, 3, 1]] {
            let mut io = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
            io.write_all(start).await.unwrap();
            let mut rest = Vec::new();
            io.read_to_end(&mut rest).await.unwrap();
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="timeout"} 2"#;
        until_counted(&server, line).await;
        // A load balancer that only looks whether the port is open is no failure.
        drop(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
        shake(server.port, authority.client(None, &["h2"])).await.unwrap();
        assert!(counts(
            &server,
            r#"cloudstate_gateway_tls_handshake_failures_total{reason="broken_off"} 0"#
        ));
    });
}

#[test]
fn a_client_certificate_is_demanded_checked_and_told_to_the_function() {
    run(async {
        let (authority, stranger) = (Authority::new("test"), Authority::new("stranger"));
        let config = server_config(&authority.server(), Some(&authority), false);
        let server = serve(tell(), with_tls(config)).await;
        let names = ["spiffe://example.org/shop", "shop.example.org"];
        let good = authority.issue("shop", &names, 2100);
        let client = secured(server.port, authority.client(Some(&good), &["h2"])).await;
        let request = client
            .grpc("/shop.Streams/Unary")
            .header("cloudstate-principal", "root")
            .header("Cloudstate-Tls-Uri", "spiffe://example.org/root")
            .header("cloudstate-tls-uri-bin", "AAAA")
            .header("x-own", "kept");
        let expected = [
            "x-own=kept",
            "cloudstate-principal=spiffe://example.org/shop",
            "cloudstate-principal-source=certificate",
            "cloudstate-tls-subject=CN=shop,O=Example",
            "cloudstate-tls-uri=spiffe://example.org/shop",
            "cloudstate-tls-dns=shop.example.org",
        ];
        assert_eq!(
            text(&client.send(request, &[frame(b"")]).await),
            expected.join("\n")
        );
        // Entities that did not ask for metadata get none.
        assert_eq!(text(&client.unary("/shop.Cart/Plain", b"").await), "");

        let expired = authority.issue("shop", &names, 2020);
        let foreign = stranger.issue("shop", &names, 2100);
        for own in [None, Some(&expired), Some(&foreign)] {
            // In TLS 1.3 the client is done before the server has looked at its certificate.
            if let Ok(mut io) = shake(server.port, authority.client(own, &["http/1.1"])).await {
                let _ = io.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
                io.read_u8().await.unwrap_err();
            }
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="client_certificate"} 3"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn an_optional_certificate_lets_in_where_a_rule_asks_for_it() {
    run(async {
        let authority = Authority::new("test");
        let mut options = with_tls(server_config(&authority.server(), Some(&authority), true));
        options.security.policy = rules("shop.Streams/Unary = certificate:spiffe://example.org/shop").into();
        let server = serve(tell(), options).await;
        let call = async |own: Option<&Issued>, path: &str| {
            let client = secured(server.port, authority.client(own, &["h2"])).await;
            client.unary(path, b"").await
        };
        let shop = authority.issue("a", &["spiffe://example.org/shop"], 2100);
        let other = authority.issue("b", &["spiffe://example.org/other"], 2100);
        assert_eq!(call(Some(&shop), "/shop.Streams/Unary").await.code(), "0");
        let answer = call(Some(&other), "/shop.Streams/Unary").await;
        assert_eq!(
            (answer.code(), answer.message()),
            ("7", "this caller may not use it")
        );
        let answer = call(None, "/shop.Streams/Unary").await;
        assert_eq!(answer.code(), "16");
        assert!(
            answer.message().contains("client certificate"),
            "{}",
            answer.message()
        );
        assert_eq!(call(None, "/shop.Cart/Plain").await.code(), "0");

        // HTTP cannot ask for a certificate, so 401, which has to ask for something, would be wrong.
        let client = secured(server.port, authority.client(None, &["h2"])).await;
        let answer = post(&client, "/shop.Streams/Unary", &[]).await;
        assert_eq!(answer.status, 403);
        assert_eq!(json(&answer)["status"], "UNAUTHENTICATED");
    });
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    run(async {
        let (old, new) = (Authority::new("old"), Authority::new("new"));
        let (change, tls) = watch::channel(server_config(&old.server(), None, false));
        let security = Security {
            tls: Some(tls),
            ..Security::default()
        };
        let server = serve(
            tell(),
            Options {
                security,
                ..Options::default()
            },
        )
        .await;
        let before = secured(server.port, old.client(None, &["h2"])).await;
        change.send_replace(server_config(&new.server(), None, false));
        shake(server.port, old.client(None, &["h2"])).await.unwrap_err();
        let after = secured(server.port, new.client(None, &["h2"])).await;
        for client in [before, after] {
            assert_eq!(text(&client.unary("/shop.Streams/Unary", b"").await), "");
        }
        let line = r#"cloudstate_gateway_tls_handshake_failures_total{reason="refused_by_client"} 1"#;
        until_counted(&server, line).await;
    });
}

#[test]
fn who_was_let_in_by_other_roots_is_looked_at_again() {
    run(async {
        let (authority, other) = (Authority::new("test"), Authority::new("other"));
        let own = authority.server();
        let (change, tls) = watch::channel(server_config(&own, Some(&authority), true));
        let security = Security {
            tls: Some(tls),
            policy: rules("shop.Streams/Unary = certificate").into(),
            ..Security::default()
        };
        let options = Options {
            security,
            ..Options::default()
        };
        let server = serve(tell(), options).await;
        let shop = authority.issue("shop", &["spiffe://example.org/shop"], 2100);
        let known = secured(server.port, authority.client(Some(&shop), &["h2"])).await;
        let anonymous = secured(server.port, authority.client(None, &["h2"])).await;
        assert_eq!(known.unary("/shop.Streams/Unary", b"").await.code(), "0");
        change.send_replace(server_config(&own, Some(&other), true));
        // The connection says that it ends; whatever still gets through was sent before that came.
        let call = |client: &Client| client.grpc("/shop.Streams/Unary");
        while known.try_send(call(&known), &[frame(b"")]).await.is_ok() {
            tokio::task::yield_now().await;
        }
        // Nobody looked at anything of this one.
        assert_eq!(anonymous.unary("/shop.Cart/Plain", b"").await.code(), "0");
        let again = shake(server.port, authority.client(Some(&shop), &["http/1.1"])).await;
        if let Ok(mut io) = again {
            let _ = io.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            io.read_u8().await.unwrap_err();
        }
    });
}
