//! Transcoding without a server, for tests and fuzz targets: the same decisions, as functions of their arguments.

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_catalog::Catalog;
use cloudstate_catalog::http::{HttpBinding, Route};
use cloudstate_runtime::Code;
use http::request::Parts;

use super::{content, reply, request};
use crate::status::Status;

/// The call that a request would make.
#[derive(Debug)]
pub struct Transcoded {
    /// The binding that takes the request, and with it the method.
    pub binding: Arc<HttpBinding>,
    /// The request message in wire format. Of a method that streams its requests, the only one or that of one line.
    pub message: Vec<u8>,
}

/// What a request would be answered with before any call is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct Refused {
    /// The HTTP status, such as 400.
    pub status: u16,
    /// The message of the `google.rpc.Status`.
    pub message: String,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Refused {
            status: status.http_status().as_u16(),
            message: status.message.into_owned(),
        }
    }
}

/// Finds the binding of a request and builds its message, of head and whole body. Any input has an answer.
///
/// # Errors
/// What the client would be told.
pub fn transcode(catalog: &Catalog, head: &Parts, body: &[u8]) -> Result<Transcoded, Refused> {
    let refused = |code, text: String| Err(Status::new(code, text).into());
    let found = match catalog.routes().find(head.method.as_str(), head.uri.path()) {
        Route::Found(found) => found,
        Route::MethodNotAllowed { allow } => {
            return Err(super::not_allowed(&head.method, head.uri.path(), &allow).into());
        }
        Route::NotFound => return refused(Code::NotFound, super::nothing_at(head.uri.path())),
        Route::Malformed { reason } => return refused(Code::InvalidArgument, reason),
    };
    let content = content::of(found.binding, &head.headers)?;
    let message = request::assemble(&found, &content, body, head.uri.query())?;
    Ok(Transcoded {
        binding: found.binding.clone(),
        message,
    })
}

/// The body of the response to a reply message in wire format.
///
/// # Errors
/// The message is not what the method declares, or JSON has no form for it.
pub fn transcode_reply(binding: &HttpBinding, payload: Bytes) -> Result<Bytes, Refused> {
    Ok(reply::Written::of(binding, payload)?.body)
}
