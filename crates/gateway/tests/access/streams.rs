//! Calls that go on after what the caller has shown has expired.

use std::rc::Rc;

use cloudstate_runtime::Replies;
use futures_util::StreamExt;
use tokio::sync::Notify;

use super::common::reply;
use super::*;

/// Streams one reply and then nothing; answers unary calls when told.
fn endless(go: Rc<Notify>) -> Script {
    Script::new(move |call: Call| {
        let go = go.clone();
        async move {
            match call.input {
                _ if call.method.server_streaming => {
                    let first = futures_util::stream::iter([Ok(reply(""))]);
                    Ok(Replies::Stream(Box::pin(
                        first.chain(futures_util::stream::pending()),
                    )))
                }
                Input::Stream(_) => std::future::pending().await,
                Input::One(_) => {
                    go.notified().await;
                    one("")
                }
            }
        }
    })
}

#[test]
fn a_stream_ends_with_the_token_and_a_single_call_does_not() {
    run(async {
        let provider = Provider::new();
        let go = Rc::new(Notify::new());
        let server = serve(endless(go.clone()), with_tokens(&provider, Policy::default())).await;
        let client = connect(server.port).await;
        let bearer = format!("Bearer {}", provider.token(&claims(&json!({"exp": now() + 2}))));
        let with_token = |request: http::request::Builder| request.header("authorization", &bearer);
        let web = |path: &str| {
            client
                .request("POST", path)
                .header("content-type", "application/grpc-web")
        };
        let get = |accept: &str| client.request("GET", "/follow/a").header("accept", accept);
        const WATCH: &str = "/grpc.health.v1.Health/Watch";
        let message = [frame(b"")];

        let (single, mut request) = client
            .open_request(with_token(client.grpc("/shop.Cart/Plain")))
            .await;
        request.send_data(frame(b""), true).unwrap();
        let (input, _open) = client
            .open_request(with_token(client.grpc("/shop.Streams/In")))
            .await;
        let (out, watch, text, lines, events, input) = tokio::join!(
            client.send(with_token(client.grpc("/shop.Streams/Out")), &message),
            client.send(with_token(client.grpc(WATCH)), &message),
            client.send(with_token(web("/shop.Streams/Out")), &message),
            client.send(with_token(get("application/x-ndjson")), &[]),
            client.send(with_token(get("text/event-stream")), &[]),
            input,
        );
        let expected = "the token has expired while the call ran; call again with a new one";
        for answer in [&out, &watch] {
            assert_eq!((answer.code(), answer.message()), ("16", expected));
            assert_eq!(answer.messages().len(), 1);
        }
        let contains = |answer: &Answer, text: &str| String::from_utf8_lossy(&answer.body).contains(text);
        assert!(contains(&text, "grpc-status: 16"), "{text:?}");
        assert!(contains(&lines, r#"{"error":{"code":16,"#), "{lines:?}");
        assert!(
            contains(&events, "event: error\ndata: {\"code\":16,"),
            "{events:?}"
        );
        assert_eq!(input.unwrap().headers()["grpc-status"], "16");

        go.notify_one();
        let single = common::raw::read(single.await.unwrap()).await.unwrap();
        assert_eq!(single.code(), "0", "it was let in");
    });
}
