//! When a call must have ended, whatever the function does: at the caller's deadline; and, of a call that streams, when what
//! the caller has shown of himself ceases to hold, since it would go on for ever otherwise.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cloudstate_access::Shown;
use cloudstate_runtime::Code;
use http::StatusCode;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::status::{Challenge, Status};

/// When a call must have ended, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    at: Instant,
    why: Why,
}

#[derive(Debug, Clone, Copy)]
enum Why {
    Deadline,
    Expired(Shown),
}

impl End {
    /// At the deadline.
    pub(crate) fn deadline(at: Instant) -> Self {
        End {
            at,
            why: Why::Deadline,
        }
    }

    /// When this expires, so long from now. `None` beyond what clocks can tell.
    pub(crate) fn expiry(of: Shown, after: Duration) -> Option<Self> {
        let at = Instant::now().checked_add(after)?;
        let why = Why::Expired(of);
        Some(End { at, why })
    }

    /// The earlier of two.
    pub(crate) fn first(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|end| end.at)
    }

    fn status(self) -> Status {
        match self.why {
            Why::Deadline => {
                let text = "the caller's deadline passed before the call was answered";
                Status::new(Code::DeadlineExceeded, text)
            }
            Why::Expired(Shown::Token) => {
                let text = "the token has expired while the call ran; call again with a new one";
                Status::new(Code::Unauthenticated, text).with_challenge(Challenge::BetterToken)
            }
            Why::Expired(Shown::Certificate) => {
                let text =
                    "the client certificate has expired while the call ran; connect anew with a valid one";
                Status::new(Code::Unauthenticated, text).with_http(StatusCode::FORBIDDEN)
            }
        }
    }

    /// Tells when it is there.
    pub(crate) fn alarm(self) -> Alarm {
        let sleep = Box::pin(sleep_until(self.at));
        Alarm { sleep, end: self }
    }
}

/// Rings at the end of a call.
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    end: End,
}

impl Alarm {
    /// The status to end with.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        ready!(self.sleep.as_mut().poll(cx));
        Poll::Ready(self.end.status())
    }
}

/// Does the work until the end, if there is one.
pub(crate) async fn within<T>(
    end: Option<End>,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let mut work = std::pin::pin!(work);
    match end {
        None => work.as_mut().await,
        // In a box, because a timer is large and most calls have none.
        Some(end) => Box::pin(timeout_at(end.at, work.as_mut()))
            .await
            .unwrap_or_else(|_| Err(end.status())),
    }
}
