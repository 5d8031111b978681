//! Real proxies, functions and clients on real sockets.
//!
//! ```text
//!   Client | Http ──▶ Proxy (its own threads) ──▶ Function (its own thread): scripted, frame by frame
//!                                            ├──▶ SdkFunction (its own thread): as a user writes it
//!                                            └──▶ Process: a program, in any language
//! ```

pub(crate) mod cart;
pub(crate) mod client;
pub(crate) mod declaration;
pub(crate) mod function;
pub(crate) mod messages;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod scrape;
pub(crate) mod sdk;
pub(crate) mod watch;

pub(crate) use client::{Answer, Client, Http};
pub(crate) use declaration::*;
pub(crate) use function::Function;
pub(crate) use proxy::Proxy;
pub(crate) use watch::Watch;

use std::time::Duration;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test on a thread of its own, with its clients as local tasks.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, test)
            .await
            .expect("the test hangs")
    })
}

/// A started proxy in front of a scripted function, and a client of it.
pub(crate) async fn start(flags: &[(&str, &str)]) -> (Proxy, Function, Client) {
    let function = Function::start(whole());
    let proxy = Proxy::start(function.port, flags);
    let client = proxy.client().await;
    (proxy, function, client)
}
