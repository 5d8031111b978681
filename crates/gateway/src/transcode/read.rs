//! Reads the body of a request, within limits.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cloudstate_runtime::Code;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use hyper::body::Incoming;

use crate::options::Options;
use crate::status::Status;

/// How much of a body that nobody wants is read, and for how long.
const DISCARD_BYTES_MAX: usize = 64 * 1024;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(1);

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

/// Reads what nobody wanted, up to a limit of size and time, before the answer is sent: some clients take it for a failure
/// when they are answered while they are still sending.
///
/// Not from a client that asks whether it may send: the answer tells it not to.
pub(super) async fn discard(headers: &HeaderMap, mut body: Incoming) {
    if body.is_end_stream() || headers.contains_key(http::header::EXPECT) {
        return;
    }
    let to_the_end = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // What is not read by then is cut off, which is all that can be done.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, to_the_end).await;
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
