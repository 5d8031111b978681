//! Floods of HTTP/2 frames.

use std::time::Duration;

use super::common::frames::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PING,
    REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, call, connect, encode, header,
};
use super::common::raw::frame;
use super::common::{Script, run, serve};
use super::{Options, assert_serves, fill, serve_counting};

const PATH: &str = "/shop.Cart/Plain";

/// A whole call on a stream of this number.
fn whole_call(stream: u32) -> Vec<u8> {
    [
        encode(HEADERS, END_HEADERS, stream, &call(PATH)),
        encode(DATA, END_STREAM, stream, &frame(b"")),
    ]
    .concat()
}

/// The numbers of the streams that a client may open.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|index| 2 * index + 1)
}

#[test]
fn calls_that_are_reset_at_once_end_the_connection() {
    run(async {
        let (server, calls) = serve_counting(Options::default()).await;
        let mut attacker = connect(server.port).await;
        let cancel = CANCEL.to_be_bytes();
        let flood: Vec<u8> = streams(2000)
            .flat_map(|stream| [whole_call(stream), encode(RST_STREAM, 0, stream, &cancel)].concat())
            .collect();
        attacker.send(&flood).await;
        let goaway = attacker.next_of(GOAWAY).await.expect("it is told to calm down");
        assert_eq!(goaway.reason(), ENHANCE_YOUR_CALM);
        assert!(attacker.next_of(GOAWAY).await.is_none(), "and cut off");
        assert!(calls.get() < 100, "{} calls reached the function", calls.get());
        assert_serves(&server).await;
    });
}

#[test]
fn a_client_that_makes_the_server_reset_calls_is_cut_off() {
    run(async {
        let (server, _) = serve_counting(Options::default()).await;
        let mut attacker = connect(server.port).await;
        // A window over 2^31-1 bytes is an error of the stream. Source: RFC 9113 §6.9.1.
        let too_much = 0x7fff_ffff_u32.to_be_bytes();
        let flood: Vec<u8> = streams(3000)
            .flat_map(|stream| {
                [
                    encode(HEADERS, END_HEADERS, stream, &call(PATH)),
                    encode(WINDOW_UPDATE, 0, stream, &too_much),
                ]
                .concat()
            })
            .collect();
        attacker.send(&flood).await;
        let frames = attacker.rest().await;
        let resets = frames.iter().filter(|frame| frame.kind == RST_STREAM).count();
        assert!(resets <= 1024, "{resets} streams were reset");
        let goaway = frames.iter().find(|frame| frame.kind == GOAWAY);
        assert_eq!(
            goaway.expect("it is told to calm down").reason(),
            ENHANCE_YOUR_CALM
        );
        assert_serves(&server).await;
    });
}

#[test]
fn calls_over_the_limit_of_a_connection_are_refused_and_the_others_go_on() {
    run(async {
        let options = Options {
            max_concurrent_streams: 5,
            ..Options::default()
        };
        let server = serve(Script::new(|_| std::future::pending()), options).await;
        let mut attacker = connect(server.port).await;
        let settings = attacker.next_of(SETTINGS).await.unwrap();
        let told = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]);
        assert_eq!(told.expect("the limit is announced")[2..], [0, 0, 0, 5]);
        let calls: Vec<u8> = streams(8).flat_map(whole_call).collect();
        attacker.send(&calls).await;
        for stream in [11, 13, 15] {
            let reset = attacker.next_of(RST_STREAM).await.unwrap();
            assert_eq!((reset.stream, reset.reason()), (stream, REFUSED_STREAM));
        }
        // The connection lives.
        attacker.send(&encode(PING, 0, 0, b"12345678")).await;
        assert_eq!(attacker.next_of(PING).await.unwrap().payload, b"12345678");
    });
}

#[test]
fn headers_without_an_end_are_cut_off() {
    run(async {
        let (server, _) = serve_counting(Options::default()).await;
        for piece in [vec![], header("x", "y"), header("x", &"y".repeat(10_000))] {
            let mut attacker = connect(server.port).await;
            attacker.send(&encode(HEADERS, 0, 1, &call(PATH))).await;
            let more = encode(CONTINUATION, 0, 1, &piece).repeat(100);
            let taken = fill(&mut attacker.io, &more, 1 << 30).await;
            assert!(taken < 16 << 20, "{taken} bytes of headers were taken");
            while attacker.next().await.is_some() {}
        }
        assert_serves(&server).await;
    });
}

#[test]
fn a_set_of_headers_over_the_limit_is_answered_with_431() {
    run(async {
        let options = Options {
            max_header_bytes: 8192,
            ..Options::default()
        };
        let (server, calls) = serve_counting(options).await;
        let mut client = connect(server.port).await;
        let large = [call(PATH), header("x-large", &"x".repeat(9000))].concat();
        client
            .send(&encode(HEADERS, END_HEADERS | END_STREAM, 1, &large))
            .await;
        let answer = client.next_of(HEADERS).await.expect("it is answered");
        // A status that is in no table: its name by number, its value as text.
        let text = String::from_utf8_lossy(&answer.payload).into_owned();
        let is_431 = text.contains("431") || answer.payload.windows(3).any(|bytes| bytes == HUFFMAN_431);
        assert!(is_431, "{answer:?}");
        // The connection lives.
        client.send(&whole_call(3)).await;
        assert_eq!(client.next_of(HEADERS).await.unwrap().stream, 3);
        assert_eq!(calls.get(), 1);
    });
}

/// `431` in the code of RFC 7541, appendix B: 011010 011001 00001, padded with ones.
const HUFFMAN_431: &[u8] = &[0b0110_1001, 0b1001_0000, 0b1111_1111];

#[test]
fn pings_and_settings_are_answered_only_as_fast_as_the_client_reads() {
    run(async {
        let (server, _) = serve_counting(Options::default()).await;
        let settings = encode(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]);
        for flood in [encode(PING, 0, 0, b"12345678"), settings] {
            let mut attacker = connect(server.port).await;
            // What is taken lies in the buffers of two sockets: nothing is kept for a client that does not read.
            let taken = fill(&mut attacker.io, &flood.repeat(1000), 1 << 30).await;
            assert!(
                taken < 64 << 20,
                "{taken} bytes were taken without an answer being read"
            );
            assert_serves(&server).await;
        }
    });
}

#[test]
fn empty_pieces_of_a_request_do_not_go_on_for_ever() {
    run(async {
        let options = Options {
            body_read_timeout: Duration::from_millis(100),
            ..Options::default()
        };
        let (server, calls) = serve_counting(options).await;
        let mut attacker = connect(server.port).await;
        attacker.send(&encode(HEADERS, END_HEADERS, 1, &call(PATH))).await;
        let flood = encode(DATA, 0, 1, &[]).repeat(1000);
        let mut answered = false;
        for _ in 0..100_000 {
            attacker.send(&flood).await;
            if let Ok(Some(frame)) = tokio::time::timeout(Duration::ZERO, attacker.next()).await {
                answered |= frame.kind == HEADERS || frame.kind == GOAWAY;
            }
            if answered {
                break;
            }
        }
        assert!(answered, "the call ends at its time, or the connection does");
        assert_eq!(calls.get(), 0);
        assert_serves(&server).await;
    });
}
