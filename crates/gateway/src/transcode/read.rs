//! Reads the body of a request, within limits.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use cloudstate_runtime::Code;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use hyper::body::Incoming;

use crate::options::Options;
use crate::status::Status;

/// All of a body. 413 beyond the limit, 408 when it does not come in time.
pub(super) async fn body(options: &Options, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Status> {
    let limit = options.max_request_bytes;
    let announced = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(announced) = announced.filter(|announced: &u64| *announced > limit as u64) {
        return Err(too_large(&format!("{announced} bytes, "), limit));
    }
    tokio::time::timeout(options.body_read_timeout, collect(body, limit))
        .await
        .map_err(|_| {
            let text = "the request body did not arrive in time";
            Status::new(Code::DeadlineExceeded, text).with_http(StatusCode::REQUEST_TIMEOUT)
        })?
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Status> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame =
            frame.map_err(|error| Status::new(Code::Cancelled, format!("the request broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(too_large("", limit));
        }
        if first.is_empty() && all.is_empty() {
            // Most requests are one piece and need no copy.
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn too_large(found: &str, limit: usize) -> Status {
    let text = format!("the request body has {found}more than the limit of {limit} bytes");
    Status::new(Code::ResourceExhausted, text).with_http(StatusCode::PAYLOAD_TOO_LARGE)
}
