//! The requests of a client-streaming method over HTTP, read only as fast as the function takes them.
//!
//! ```text
//!   body ─┬─ newline-delimited JSON ─▶ LineSplitter ─▶ a message a line
//!         └─ content of google.api.HttpBody ─────────▶ a message a piece, as the network brings them
//! ```
//!
//! Path variables and query parameters are set in every message.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use cloudstate_catalog::http::{Capture, HttpBinding, RouteMatch};
use cloudstate_runtime::{CallError, Code};
use futures_core::Stream;
use http::StatusCode;
use http_body::Body;
use hyper::body::Incoming;

use super::content::Content;
use super::lines::{LineSplitter, LineTooLong};
use super::request;
use crate::status::Status;

/// All of a request but its body.
pub(super) struct Reader {
    binding: Arc<HttpBinding>,
    /// What the variables of the template matched.
    values: Vec<String>,
    query: Option<String>,
    content: Content,
}

impl Reader {
    pub(super) fn new(found: &RouteMatch<'_>, query: Option<&str>, content: Content) -> Self {
        Reader {
            binding: found.binding.clone(),
            values: found
                .variables
                .iter()
                .map(|variable| variable.value.clone())
                .collect(),
            query: query.map(str::to_owned),
            content,
        }
    }

    /// The message of one part of the body.
    fn message(&self, part: &[u8]) -> Result<Bytes, Status> {
        let captures = self.binding.variables.iter().zip(&self.values);
        let found = RouteMatch {
            binding: &self.binding,
            variables: captures
                .map(|(fields, value)| Capture {
                    fields,
                    value: value.clone(),
                })
                .collect(),
        };
        Ok(request::assemble(&found, &self.content, part, self.query.as_deref())?.into())
    }
}

/// Where a fault of the request is kept in full: an error of the call has no room for all of it.
#[derive(Clone, Default)]
pub(super) struct Fault(Rc<RefCell<Option<Status>>>);

impl Fault {
    /// The fault that a call ended with, if that was its end; else the status as it is.
    pub(super) fn explain(&self, status: Status) -> Status {
        let fault = self.0.borrow_mut().take();
        fault
            .filter(|fault| fault.code == status.code && fault.message == status.message)
            .unwrap_or(status)
    }

    fn keep(&self, status: Status) -> CallError {
        *self.0.borrow_mut() = Some(status.clone());
        status.into()
    }
}

/// How a body is cut into messages.
enum Cut {
    Lines(LineSplitter),
    Pieces {
        /// Whether any came.
        begun: bool,
    },
}

/// The messages of a body, as the router takes them; ends after the first error.
pub(super) struct Requests {
    reader: Reader,
    cut: Cut,
    fault: Fault,
    /// `None` once the end was told.
    body: Option<Incoming>,
}

impl Requests {
    /// Of a body whose lines have at most `limit` bytes.
    pub(super) fn new(reader: Reader, body: Incoming, limit: usize, fault: Fault) -> Self {
        let cut = match reader.content {
            Content::Raw { .. } => Cut::Pieces { begun: false },
            _ => Cut::Lines(LineSplitter::new(limit)),
        };
        Requests {
            reader,
            cut,
            fault,
            body: Some(body),
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Cut::Lines(lines) = &mut self.cut {
                while let Some(line) = lines.next_line()? {
                    if let Some(message) = message_of_line(&self.reader, &line, lines.number()) {
                        return Poll::Ready(Some(message));
                    }
                }
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let Some(frame) = ready!(Pin::new(body).poll_frame(cx)?) else {
                self.body = None;
                return Poll::Ready(self.last());
            };
            // Trailers of a request mean nothing here.
            let Ok(data) = frame.into_data() else { continue };
            match &mut self.cut {
                Cut::Lines(lines) => lines.push(data),
                Cut::Pieces { .. } if data.is_empty() => {}
                Cut::Pieces { begun } => {
                    *begun = true;
                    return Poll::Ready(Some(self.reader.message(&data)));
                }
            }
        }
    }

    /// What is left at the end of the body. Content without a byte is one message, for what the path says.
    fn last(&mut self) -> Option<Result<Bytes, Status>> {
        match &mut self.cut {
            Cut::Lines(lines) => {
                let line = lines.finish()?;
                message_of_line(&self.reader, &line, lines.number())
            }
            Cut::Pieces { begun: false } => Some(self.reader.message(&[])),
            Cut::Pieces { begun: true } => None,
        }
    }
}

/// `None` if the line is blank.
fn message_of_line(reader: &Reader, line: &[u8], number: usize) -> Option<Result<Bytes, Status>> {
    if line.trim_ascii().is_empty() {
        return None;
    }
    Some(reader.message(line).map_err(|status| in_line(number, status)))
}

/// Says which line is at fault. Within a line, the parser counts it as the first.
fn in_line(number: usize, mut status: Status) -> Status {
    const FIRST: &str = "line 1, column";
    let place = |text: &str| text.replacen(FIRST, &format!("line {number}, column"), 1);
    status.message = match status.message.contains(FIRST) {
        true => place(&status.message).into(),
        false => format!("line {number}: {}", status.message).into(),
    };
    status.violation = status.violation.map(|(field, why)| (field, place(&why)));
    status
}

impl From<LineTooLong> for Status {
    fn from(error: LineTooLong) -> Self {
        // Not RESOURCE_EXHAUSTED, which would say that nothing was executed: lines before it may have been.
        let status = Status::new(Code::InvalidArgument, error.to_string());
        status.with_http(StatusCode::PAYLOAD_TOO_LARGE)
    }
}

impl Stream for Requests {
    type Item = Result<Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.poll_message(cx));
        Poll::Ready(next.map(|message| {
            message.map_err(|status| {
                self.body = None;
                self.cut = Cut::Pieces { begun: true };
                self.fault.keep(status)
            })
        }))
    }
}
