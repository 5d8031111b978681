//! Requests to end.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Some signals, from now on.
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    /// Takes SIGTERM and SIGINT over from the system, which would end the process. Needs a tokio runtime.
    pub(crate) fn take() -> io::Result<Self> {
        Self::of(&[SignalKind::terminate(), SignalKind::interrupt()])
    }

    /// Takes also SIGHUP, for a command that belongs to a terminal and must not leave children behind when that closes.
    pub(crate) fn take_with_hangup() -> io::Result<Self> {
        Self::of(&[
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ])
    }

    fn of(kinds: &[SignalKind]) -> io::Result<Self> {
        kinds
            .iter()
            .map(|kind| signal(*kind))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        poll_fn(|context| {
            // Every one is asked, so that every one wakes this task.
            let polled = self
                .0
                .iter_mut()
                .map(|signal| signal.poll_recv(context).is_ready());
            let any = polled.fold(false, |any, ready| any | ready);
            if any { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
