//! Functions on the SDK, as users write them, in a thread of their own.

use std::thread::JoinHandle;

use cloudstate_sdk::{Listener, ServerOptions, UserFunction};
use tokio_util::sync::CancellationToken;

/// A served function. Dropping it stops it in order.
pub(crate) struct SdkFunction {
    pub(crate) port: u16,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl SdkFunction {
    pub(crate) fn start(function: UserFunction) -> SdkFunction {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (bound, port) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = Listener::tcp("127.0.0.1", 0).expect("a free port");
                let (_, port) = listener.address().rsplit_once(':').map(owned).expect("host:port");
                bound
                    .send(port.parse::<u16>().expect("a port"))
                    .expect("it waits");
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

fn owned((host, port): (&str, &str)) -> (String, String) {
    (host.to_owned(), port.to_owned())
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
