//! Pages of other origins, on real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use cloudstate_gateway::{Cors, Options};
use cloudstate_runtime::{Replies, Reply};
use common::http1;
use common::raw::frame;
use common::{Script, Server, one, run, serve};

const BINARY: &str = "application/grpc-web+proto";

async fn with_cors(origins: &str) -> Server {
    let options = Options {
        cors: Cors {
            origins: origins.parse().unwrap(),
            credentials: false,
        },
        ..Options::default()
    };
    let router = Script::new(|_| async move {
        let metadata = [("x-tag", "a")].into_iter().collect();
        Ok(Replies::One(Reply {
            payload: Some("".into()),
            metadata,
        }))
    });
    serve(router, options).await
}

#[test]
fn a_page_may_read_what_its_origin_is_allowed_in_json_and_grpc_web() {
    run(async {
        let server = with_cors("https://a.example").await;
        let preflight = [
            ("origin", "https://a.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-grpc-web"),
        ];
        let answer = http1::send(server.port, "OPTIONS", "/shop.Cart/Plain", &preflight, b"").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        assert_eq!(
            answer.headers["access-control-allow-headers"],
            "content-type,x-grpc-web"
        );

        let page = ("origin", "https://a.example");
        for (content_type, body, exposed) in [
            ("application/json", &b"{\"cartId\":\"c\"}"[..], "x-tag"),
            (BINARY, &frame(b""), "x-tag"),
            ("text/plain", b"", ""),
            ("application/grpc-web+json", b"", ""),
        ] {
            let headers = [page, ("content-type", content_type)];
            let answer = http1::send(server.port, "POST", "/shop.Cart/Plain", &headers, body).await;
            assert_eq!(answer.headers["access-control-allow-origin"], "https://a.example");
            assert_eq!(answer.headers["vary"], "Origin");
            let header = answer.headers.get("access-control-expose-headers");
            assert_eq!(
                header.map_or("", |names| names.to_str().unwrap()),
                exposed,
                "{content_type}"
            );
        }
        let missing = http1::send(
            server.port,
            "POST",
            "/shop.Cart/Nope",
            &[page, ("content-type", BINARY)],
            b"",
        )
        .await;
        let exposed = missing.headers["access-control-expose-headers"].to_str().unwrap();
        assert!(
            exposed.contains("grpc-status") && exposed.contains("grpc-message"),
            "{exposed}"
        );
        let other = [("origin", "https://b.example"), ("content-type", BINARY)];
        let answer = http1::send(server.port, "POST", "/shop.Cart/Plain", &other, &frame(b"")).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        assert_eq!(answer.headers["vary"], "Origin");
    });
}

#[test]
fn without_origins_pages_get_no_leave() {
    run(async {
        let server = serve(Script::new(|_| async { one("") }), Options::default()).await;
        let preflight = [
            ("origin", "https://a.example"),
            ("access-control-request-method", "POST"),
        ];
        let answer = http1::send(server.port, "OPTIONS", "/shop.Cart/Plain", &preflight, b"").await;
        assert_eq!(answer.status, 405);
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    });
}
