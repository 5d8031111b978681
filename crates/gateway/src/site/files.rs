//! The files of a directory, over HTTP.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use cloudstate_runtime::Code;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    RANGE,
};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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

    /// Answers GET and HEAD; `None` if there is no such file.
    pub(super) async fn answer(
        &self,
        head: &Parts,
        counters: &Arc<MethodCounters>,
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
            Ok(response) => Ok(Some(finish(response, InFlight::begin(counters), permit))),
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
    let file = FileBody {
        body,
        rest: length.unwrap_or(u64::MAX),
        code,
        in_flight,
        _permit: permit,
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

/// A file on its way to a client. Dropping it closes the file.
struct FileBody {
    body: ServeFileSystemResponseBody,
    /// Bytes still to come. Whoever sends them stops asking at the last one.
    rest: u64,
    code: Option<Code>,
    in_flight: InFlight,
    _permit: OwnedSemaphorePermit,
}

impl http_body::Body for FileBody {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let next = ready!(Pin::new(&mut self.body).poll_frame(cx));
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
        self.rest == 0 || self.body.is_end_stream()
    }
}
