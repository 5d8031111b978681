//! The files of a directory, over HTTP.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cloudstate_runtime::Code;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    RANGE,
};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;
use tower_http::services::ServeDir;
use tower_http::services::fs::{DefaultServeDirFallback, ServeFileSystemResponseBody};

use super::rooted::Rooted;
use super::{code_of, write_policy};
use crate::body::{Body, BrokenOff, Piece};
use crate::metrics::{InFlight, MethodCounters};
use crate::status::Status;

/// A directory whose files are served. Clones share the limit.
#[derive(Debug, Clone)]
pub struct StaticFiles {
    directory: ServeDir<DefaultServeDirFallback, Rooted>,
    open: Arc<Semaphore>,
}

impl StaticFiles {
    /// Serves what is below `directory`, at most `max_open` files at once, over all cores.
    ///
    /// # Errors
    /// If the directory cannot be found or read, or is none.
    pub fn new(directory: &Path, max_open: usize) -> io::Result<Self> {
        let rooted = Rooted::new(directory)?;
        let root = rooted.root().to_owned();
        Ok(StaticFiles {
            directory: ServeDir::with_backend(root, rooted).ignore_multi_range_requests(true),
            open: Arc::new(Semaphore::new(max_open.min(Semaphore::MAX_PERMITS))),
        })
    }

    /// Answers GET and HEAD; `None` if there is no such file. A client that takes nothing for `send_timeout` gets no more.
    pub(super) async fn answer(
        &self,
        head: &Parts,
        counters: &Arc<MethodCounters>,
        send_timeout: Duration,
    ) -> Result<Option<Response<Body>>, Status> {
        let Some(request) = plain(head) else {
            return Ok(None);
        };
        let Ok(permit) = self.open.clone().try_acquire_owned() else {
            let text = "too many static files are being sent; see http.static.max_open";
            return Err(Status::new(Code::Unavailable, text));
        };
        let mut directory = self.directory.clone();
        match directory
            .try_call::<_, ServeFileSystemResponseBody>(request)
            .await
        {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => Ok(None),
            Ok(response) => {
                let in_flight = InFlight::begin(counters);
                Ok(Some(finish(response, in_flight, permit, send_timeout)))
            }
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => {
                let path = head.uri.path();
                tracing::error!(%error, path, "a static file cannot be read");
                let text = format!("the file of [{path}] cannot be read");
                Err(Status::new(Code::Internal, text))
            }
        }
    }
}

/// The part of a request that says which file is wanted and what the client has of it. `None` for paths that name no
/// file.
fn plain(head: &Parts) -> Option<Request<()>> {
    let path = head.uri.path();
    // Redirected to, such a path would name another host.
    if path.contains("//") {
        return None;
    }
    let mut request = Request::new(());
    request.method_mut().clone_from(&head.method);
    *request.uri_mut() = head.uri.path_and_query()?.clone().into();
    for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
        request
            .headers_mut()
            .extend(head.headers.get(&name).cloned().map(|value| (name, value)));
    }
    // A part of another version than the client has is worse than all of this one.
    if !head.headers.contains_key(IF_RANGE) {
        request
            .headers_mut()
            .extend(head.headers.get(RANGE).cloned().map(|value| (RANGE, value)));
    }
    Some(request)
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        NotFound | NotADirectory | PermissionDenied | InvalidFilename
    )
}

fn finish(
    response: Response<ServeFileSystemResponseBody>,
    mut in_flight: InFlight,
    permit: OwnedSemaphorePermit,
    send_timeout: Duration,
) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    write_policy(&mut head.headers);
    if let Some(content_type) = head.headers.get_mut(CONTENT_TYPE) {
        name_charset(content_type);
    }
    let code = code_of(head.status);
    let length = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if body.is_end_stream() || length == Some(0) {
        in_flight.outcome(code);
        return Response::from_parts(head, Body::Empty);
    }
    let open = Rc::new(RefCell::new(Some(Open {
        body,
        is_wanted: false,
        _permit: permit,
    })));
    let closing = close_when_unwanted(Rc::downgrade(&open), send_timeout);
    let file = FileBody {
        open,
        rest: length.unwrap_or(u64::MAX),
        code,
        in_flight,
        _closing: AbortOnDropHandle::new(tokio::task::spawn_local(closing)),
    };
    Response::from_parts(head, Body::Streamed(Box::pin(file)))
}

/// Text is UTF-8 nowadays; without being told, browsers take it for something else.
fn name_charset(content_type: &mut HeaderValue) {
    if let Ok(text) = content_type.to_str()
        && text.starts_with("text/")
        && !text.contains(';')
        && let Ok(with_charset) = HeaderValue::try_from(format!("{text}; charset=utf-8"))
    {
        *content_type = with_charset;
    }
}

/// A file that is open, and its place among them.
struct Open {
    body: ServeFileSystemResponseBody,
    /// Whether anybody asked for more of it lately.
    is_wanted: bool,
    _permit: OwnedSemaphorePermit,
}

/// Closes a file of which nobody took anything for so long. Whoever sends it does not ask while its client takes nothing, so
/// the file cannot notice by itself; and a client of HTTP/2 can open many at once without taking any.
async fn close_when_unwanted(open: Weak<RefCell<Option<Open>>>, after: Duration) {
    loop {
        tokio::time::sleep(after).await;
        let Some(open) = open.upgrade() else { return };
        let mut open = open.borrow_mut();
        match &mut *open {
            Some(file) if file.is_wanted => file.is_wanted = false,
            _ => return *open = None,
        }
    }
}

/// A file on its way to a client. Dropping it closes the file.
struct FileBody {
    /// `None` once it was closed early.
    open: Rc<RefCell<Option<Open>>>,
    /// Bytes still to come. Whoever sends them stops asking at the last one.
    rest: u64,
    code: Option<Code>,
    in_flight: InFlight,
    _closing: AbortOnDropHandle<()>,
}

impl http_body::Body for FileBody {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let next = match &mut *self.open.borrow_mut() {
            None => return Poll::Ready(Some(Err(BrokenOff("nothing of it was taken in time".to_owned())))),
            Some(open) => {
                open.is_wanted = true;
                ready!(Pin::new(&mut open.body).poll_frame(cx))
            }
        };
        if let Some(Ok(frame)) = &next {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.rest = self.rest.saturating_sub(length);
        }
        if next.is_none() || self.rest == 0 {
            let code = self.code;
            self.in_flight.outcome(code);
        }
        Poll::Ready(next.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(Piece::raw)),
            Err(error) => Err(BrokenOff(error.to_string())),
        }))
    }

    fn is_end_stream(&self) -> bool {
        let is_at_end = |open: &Open| open.body.is_end_stream();
        self.rest == 0 || self.open.borrow().as_ref().is_some_and(is_at_end)
    }
}
