//! Functions on the SDK, as users write them, in a thread of their own.

use std::path::PathBuf;
use std::thread::JoinHandle;

use cloudstate_sdk::{Listener, ServerOptions, UserFunction};
use tokio_util::sync::CancellationToken;

/// A served function. Dropping it stops it in order.
pub(crate) struct SdkFunction {
    /// 0 when it listens on a Unix socket.
    pub(crate) port: u16,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl SdkFunction {
    pub(crate) fn start(function: UserFunction) -> SdkFunction {
        Self::listen(function, || Listener::tcp("127.0.0.1", 0).expect("a free port"))
    }

    /// On a Unix socket.
    pub(crate) fn start_at(socket: PathBuf, function: UserFunction) -> SdkFunction {
        Self::listen(function, move || Listener::unix(socket).expect("a free path"))
    }

    fn listen(function: UserFunction, listener: impl FnOnce() -> Listener + Send + 'static) -> SdkFunction {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (bound, port) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = listener();
                let port = port_of(&listener.address()).unwrap_or_default();
                bound.send(port).expect("it waits");
                let served = function.serve(listener, ServerOptions::default(), stopped.cancelled_owned());
                served.await.expect("it serves");
            });
        });
        SdkFunction {
            port: port.recv().expect("it binds"),
            stop,
            thread: Some(thread),
        }
    }
}

fn port_of(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

impl Drop for SdkFunction {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A failed function has failed its test already.
            let _ = thread.join();
        }
    }
}
