//! gRPC-Web: gRPC for clients that see neither HTTP/2 frames nor trailers. Source: `PROTOCOL-WEB.md` of gRPC.
//!
//! A call runs as a native one does; only its ends differ. In the text form the request is base64, and so is each piece
//! of the reply. Trailers are the last frame of the body, marked by the highest bit of its flag. A call that fails before
//! its first message has its status in the headers, as in native gRPC.
//!
//! Deviation: binary metadata stays base64 also within the text form. Bytes as they are could hold the line break that
//! parts one trailer from the next, and no published client expects them.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use cloudstate_runtime::Router;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use hyper::body::Incoming;

use super::text::Decoded;
use crate::body::{Body, BrokenOff, PREFIX, Piece};
use crate::front::CoreFront;
use crate::gateway::Core;
use crate::grpc;

/// The flag of a frame that holds trailers, not compressed.
const TRAILERS: u8 = 0x80;

/// Whether the bytes of a direction are base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Binary,
    Text,
}

/// How a gRPC-Web call is written, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    request: Coding,
    reply: Coding,
}

impl Form {
    /// Of a request that is gRPC-Web with protobuf messages; else `None`.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let request = coding(headers.get(CONTENT_TYPE)?.to_str().ok()?)?;
        let accepted = headers.get_all(ACCEPT).iter();
        let accepted: Vec<Coding> = accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(coding)
            .collect();
        let reply = match accepted.as_slice() {
            [] => request,
            codings if codings.contains(&Coding::Text) => Coding::Text,
            _ => Coding::Binary,
        };
        Some(Form { request, reply })
    }
}

/// The coding of a media type; `None` if it is not gRPC-Web with protobuf messages.
fn coding(media_type: &str) -> Option<Coding> {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/grpc-web" | "application/grpc-web+proto" => Some(Coding::Binary),
        "application/grpc-web-text" | "application/grpc-web-text+proto" => Some(Coding::Text),
        _ => None,
    }
}

/// Answers one gRPC-Web request.
pub(crate) async fn serve<R: Router>(
    core: Rc<Core<R>>,
    front: Rc<CoreFront>,
    form: Form,
    request: Request<Incoming>,
) -> Response<Body> {
    let response = match form.request {
        Coding::Binary => grpc::serve(core, &front, request).await,
        Coding::Text => grpc::serve(core, &front, request.map(Decoded::new)).await,
    };
    form.reply.translate(response)
}

impl Coding {
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Coding::Binary => "application/grpc-web+proto",
            Coding::Text => "application/grpc-web-text+proto",
        })
    }

    /// From a native answer.
    fn translate(self, response: Response<Body>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        head.headers.insert(CONTENT_TYPE, self.content_type());
        let body = match body {
            Body::Empty => Body::Empty,
            Body::Full(bytes) => Body::Full(self.encode(bytes)),
            Body::Unary { piece, trailers } => {
                let trailers = trailers
                    .map(|trailers| trailers_frame(&trailers))
                    .unwrap_or_default();
                let size = piece.as_ref().map_or(0, Buf::remaining) + trailers.len();
                let mut bytes = BytesMut::with_capacity(size);
                piece.into_iter().for_each(|piece| bytes.put(piece));
                bytes.put(trailers);
                Body::Full(self.encode(bytes.freeze()))
            }
            body @ Body::Streamed(_) => Body::Streamed(Box::pin(Translated { coding: self, body })),
        };
        Response::from_parts(head, body)
    }

    fn encode(self, bytes: Bytes) -> Bytes {
        match self {
            Coding::Binary => bytes,
            Coding::Text => STANDARD.encode(bytes).into(),
        }
    }

    fn frame(self, frame: Frame<Piece>) -> Piece {
        let native = match frame.into_data() {
            Ok(piece) => piece,
            // What is no data is trailers.
            Err(frame) => Piece::raw(trailers_frame(&frame.into_trailers().unwrap_or_default())),
        };
        match self {
            Coding::Binary => native,
            Coding::Text => {
                let mut native = native;
                Piece::raw(self.encode(native.copy_to_bytes(native.remaining())))
            }
        }
    }
}

/// Trailers as a frame of the body: lines `name: value`, each with its line break.
fn trailers_frame(trailers: &HeaderMap) -> Bytes {
    let mut bytes = BytesMut::with_capacity(128);
    bytes.put_u8(TRAILERS);
    bytes.put_u32(0);
    for (name, value) in trailers {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    // Trailers are our own status and far below 4 GiB.
    let length = u32::try_from(bytes.len() - PREFIX).unwrap_or(u32::MAX);
    bytes[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    bytes.freeze()
}

/// A streamed answer. Dropping it cancels the call.
struct Translated {
    coding: Coding,
    body: Body,
}

impl http_body::Body for Translated {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)?);
        Poll::Ready(frame.map(|frame| Ok(Frame::data(self.coding.frame(frame)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(content_type: &'static str, accept: &'static str) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if !accept.is_empty() {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        Form::of(&headers)
    }

    #[test]
    fn the_reply_is_as_accepted_or_as_the_request() {
        use Coding::{Binary, Text};
        for (content_type, accept, request, reply) in [
            ("application/grpc-web", "", Binary, Binary),
            ("application/grpc-web+proto", "*/*", Binary, Binary),
            ("Application/gRPC-Web-Text; charset=utf-8", "", Text, Text),
            ("application/grpc-web-text+proto", "*/*", Text, Text),
            ("application/grpc-web", "application/grpc-web-text", Binary, Text),
            (
                "application/grpc-web-text",
                "application/grpc-web+proto",
                Text,
                Binary,
            ),
        ] {
            let expected = Some(Form { request, reply });
            assert_eq!(form(content_type, accept), expected, "{content_type}, {accept}");
        }
        for other in [
            "application/grpc",
            "application/grpc-web+json",
            "application/grpc-webx",
        ] {
            assert_eq!(form(other, ""), None, "{other}");
        }
    }

    #[test]
    fn trailers_are_lines_behind_their_flag_and_length() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        trailers.insert("grpc-message", HeaderValue::from_static("no %25"));
        assert_eq!(
            &trailers_frame(&trailers)[..],
            b"\x80\0\0\0\x26grpc-status: 5\r\ngrpc-message: no %25\r\n"
        );
    }
}
