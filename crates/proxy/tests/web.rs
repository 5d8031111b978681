//! Clients of the web before a real function: streams over HTTP, gRPC-Web, pages of other origins. All over HTTP/1.1.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};
use cloudstate_sdk::stream;
use http::{Request, Response};

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::harness::client::frame;
use crate::harness::{Do, Done, Function, Http, LOG, Proxy, add, ask, read, run, start, whole_with_get};

/// Long enough for a fault to show; a slow machine only makes a faulty proxy pass.
const A_WHILE: Duration = Duration::from_millis(300);

async fn start_with_get(flags: &[(&str, &str)]) -> (Proxy, Function, Http) {
    let function = Function::start(whole_with_get());
    let proxy = Proxy::start(function.port, flags);
    let http = proxy.http().await;
    (proxy, function, http)
}

async fn get(http: &Http, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::default()).unwrap();
    http.begin(request).await
}

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

async fn rest(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The next piece of a body, as the proxy flushed it.
async fn piece(response: &mut Response<Incoming>) -> Bytes {
    let frame = response.frame().await.expect("the body goes on").unwrap();
    frame.into_data().unwrap()
}

#[test]
fn a_stream_goes_on_after_the_event_that_the_client_has() {
    run(async {
        let (_proxy, _function, http) = start_with_get(&[]).await;
        let response = get(&http, "/out/events/3", &[EVENTS]).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let event = |number: u32| format!("id: {number}\ndata: {{\"text\":\"{number}\"}}\n\n");
        let end = "event: end\ndata: {}\n\n";
        assert_eq!(
            rest(response).await,
            [&event(1), &event(2), &event(3), end].concat()
        );
        let response = get(&http, "/out/events/3", &[EVENTS, ("last-event-id", "2")]).await;
        assert_eq!(rest(response).await, [&event(3), end].concat());
        let response = get(&http, "/out/events/3", &[EVENTS, ("last-event-id", "3")]).await;
        assert_eq!(response.status(), 204);
        let lines = get(&http, "/out/count/2", &[]).await;
        assert_eq!(rest(lines).await, "{\"text\":\"0\"}\n{\"text\":\"1\"}\n");
        let broken = get(&http, "/out/break/gone", &[EVENTS]).await;
        let text = rest(broken).await;
        assert!(
            text.contains("event: error\ndata: {\"code\":5,") && text.contains("gone"),
            "{text}"
        );
    });
}

#[test]
fn a_client_that_goes_cancels_its_stream_at_the_function() {
    run(async {
        let (_proxy, function, http) = start_with_get(&[("http.sse-heartbeat", "0s")]).await;
        for (times, headers) in [(1, &[EVENTS][..]), (2, &[])] {
            let mut silent = get(&http, "/out/silence/x", headers).await;
            piece(&mut silent).await;
            drop(silent);
            function.saw_times("call Out cut off", times).await;
        }
    });
}

#[test]
fn a_client_that_does_not_read_makes_the_function_wait() {
    run(async {
        let (_proxy, function, http) = start_with_get(&[]).await;
        for (times, headers) in [(1, &[EVENTS][..]), (2, &[])] {
            let flood = get(&http, "/out/flood/400", headers).await;
            let flooded = function.saw_times("flooded", times);
            assert!(timeout(A_WHILE, flooded).await.is_err(), "25 MiB went nowhere");
            assert!(rest(flood).await.len() > 400 << 16);
            function.saw_times("flooded", times).await;
        }
    });
}

#[test]
fn heartbeats_come_while_the_function_is_silent() {
    run(async {
        let (_proxy, _function, http) = start_with_get(&[("http.sse-heartbeat", "5ms")]).await;
        let mut silent = get(&http, "/out/silence/x", &[EVENTS]).await;
        assert_eq!(piece(&mut silent).await, "data: {\"text\":\"0\"}\n\n");
        assert_eq!(piece(&mut silent).await, ":\n\n");
    });
}

/// A request whose body is sent bit by bit; dropping the sender ends it.
fn upload(
    path: &str,
) -> (
    mpsc::UnboundedSender<&'static str>,
    Request<impl Body<Data = Bytes, Error = std::io::Error>>,
) {
    let (sender, receiver) = mpsc::unbounded_channel::<&'static str>();
    let pieces = stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?;
        Some((Ok(Frame::data(Bytes::from(piece))), receiver))
    });
    let request = Request::post(path)
        .header("content-type", "application/x-ndjson")
        .body(StreamBody::new(Box::pin(pieces)))
        .unwrap();
    (sender, request)
}

#[test]
fn lines_reach_the_function_as_they_come() {
    run(async {
        let (_proxy, function, http) = start_with_get(&[]).await;
        let (lines, request) = upload("/whole.Job/In");
        let sending = tokio::task::spawn_local(async move { http.begin(request).await });
        lines.send("{\"text\":\"a\"}\n{\"te").unwrap();
        function.saw("item a").await;
        lines.send("xt\":\"b\"}\n").unwrap();
        function.saw("item b").await;
        drop(lines);
        assert_eq!(rest(sending.await.unwrap()).await, "{\"text\":\"a,b\"}");

        let (lines, request) = upload("/whole.Job/Both");
        let sending = tokio::task::spawn_local(async move { http.begin(request).await });
        lines.send("{\"text\":\"ping\"}\n").unwrap();
        let mut both = sending.await.unwrap();
        assert_eq!(piece(&mut both).await, "{\"text\":\"ping\"}\n");
        lines.send("\n{\"text\":\"pong\"}\n").unwrap();
        assert_eq!(piece(&mut both).await, "{\"text\":\"pong\"}\n");
        lines.send("{\"nope\":1}\n").unwrap();
        let error = rest(both).await;
        assert!(error.contains("field [nope] at line 4, column 7"), "{error}");
        function.saw("call Both cut off").await;
    });
}

#[test]
fn an_upload_that_breaks_off_is_cancelled_at_the_function() {
    run(async {
        let (_proxy, function, http) = start_with_get(&[]).await;
        let (lines, request) = upload("/whole.Job/In");
        let sending = tokio::task::spawn_local(async move { http.begin(request).await });
        lines.send("{\"text\":\"a\"}\n").unwrap();
        function.saw("item a").await;
        sending.abort();
        function.saw("call In cut off").await;
        drop(lines);
    });
}

/// Messages and trailers of a gRPC-Web body.
fn frames(mut body: Bytes) -> (Vec<String>, String) {
    let mut texts = Vec::new();
    loop {
        let flag = body.get_u8();
        let length = body.get_u32() as usize;
        let frame = body.split_to(length);
        match flag {
            0 => texts.push(Done::decode(frame).unwrap().text),
            0x80 => {
                assert!(body.is_empty(), "trailers are the last");
                return (texts, String::from_utf8(frame.to_vec()).unwrap());
            }
            flag => panic!("flag {flag}"),
        }
    }
}

async fn grpc_web(http: &Http, path: &str, headers: &[(&str, &str)], request: &Do) -> Response<Bytes> {
    let mut head = Request::post(path);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    let is_text = headers.iter().any(|(_, value)| value.contains("-text"));
    let body = match is_text {
        true => STANDARD.encode(frame(request)).into(),
        false => frame(request),
    };
    let response = http.begin(head.body(Full::new(body)).unwrap()).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = match is_text {
        true => body
            .chunks(4)
            .flat_map(|group| STANDARD.decode(group).unwrap())
            .collect(),
        false => body,
    };
    Response::from_parts(head, body)
}

const BINARY: (&str, &str) = ("content-type", "application/grpc-web+proto");
const TEXT: (&str, &str) = ("content-type", "application/grpc-web-text");

#[test]
fn entities_and_streams_are_called_by_grpc_web() {
    run(async {
        let (proxy, _function, client) = start(&[]).await;
        let http = proxy.http().await;
        for (form, expected) in [(BINARY, "x"), (TEXT, "x,x")] {
            let answer = grpc_web(&http, LOG, &[form], &add("a", "x")).await;
            assert_eq!(
                frames(answer.into_body()),
                (vec![expected.into()], "grpc-status: 0\r\n".into())
            );
            let answer = grpc_web(&http, "/whole.Job/Out", &[form], &ask("", "count", "3")).await;
            let texts = ["0", "1", "2"].map(String::from).to_vec();
            assert_eq!(frames(answer.into_body()), (texts, "grpc-status: 0\r\n".into()));
            let answer = grpc_web(&http, "/whole.Job/Out", &[form], &ask("", "break", "gone")).await;
            let trailers = "grpc-status: 5\r\ngrpc-message: gone\r\n";
            assert_eq!(frames(answer.into_body()), (vec!["0".into()], trailers.into()));
        }
        assert_eq!(client.text(LOG, read("a")).await, "x,x");
        let failed = grpc_web(&http, LOG, &[BINARY], &read("")).await;
        assert_eq!(
            (&failed.headers()["grpc-status"], failed.body().len()),
            (&"3".parse().unwrap(), 0)
        );
    });
}

#[test]
fn pages_of_listed_origins_may_call() {
    run(async {
        let (_proxy, _function, http) = start_with_get(&[("http.cors.origins", "localhost")]).await;
        let page = ("origin", "http://localhost:5173");
        let answer = grpc_web(&http, LOG, &[BINARY, page], &read("")).await;
        assert_eq!(answer.headers()["access-control-allow-origin"], page.1);
        let exposed = answer.headers()["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains("grpc-message"), "{exposed}");
        let answer = get(&http, "/out/events/1", &[EVENTS, page]).await;
        assert_eq!(answer.headers()["access-control-allow-origin"], page.1);
        let preflight = Request::options(LOG)
            .header(page.0, page.1)
            .header("access-control-request-method", "POST")
            .body(Full::<Bytes>::default())
            .unwrap();
        assert_eq!(http.begin(preflight).await.status(), 204);
        let answer = get(&http, "/out/events/1", &[("origin", "http://elsewhere")]).await;
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    });
}
