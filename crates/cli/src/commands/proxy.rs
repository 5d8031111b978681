//! `cloudstate proxy`: the proxy in production.

use std::io;

use cloudstate_proxy::{Event, Hooks, RunError};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failure};
use crate::logging;
use crate::settings::SettingArguments;
use crate::signals::Signals;

/// Serve a user function: take commands, keep its state
///
/// The function is looked for at `function.host` and `function.port`, and may come, go and change while the proxy runs.
/// Messages go to standard error. SIGTERM or SIGINT lets calls in progress end, for at most `runtime.drain_timeout`, and
/// exits with code 0; a second one ends at once with code 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: SettingArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = arguments.settings.load(Vec::new(), None)?;
    logging::start(&loaded.config.log);
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone()).map_err(|error| Failure::new(Exit::Failure, error))?;
    let hooks = Hooks {
        shutdown,
        events: Box::new(|event| log(&event)),
    };
    cloudstate_proxy::run(&loaded.config, hooks).map_err(|error| failure(&error))
}

/// Says which ports were taken; what happens to the function is logged where it is found out.
fn log(event: &Event) {
    match event {
        Event::AdminListening(address) => tracing::info!(%address, "serving operators"),
        Event::ClientReserved(address) => {
            tracing::info!(%address, "client port taken; it is served when the function has declared itself");
        }
        _ => {}
    }
}

/// How the end of a proxy appears to whoever started it.
pub(crate) fn failure(error: &RunError) -> Failure {
    let exit = match error {
        RunError::Listen(error) if error.source.kind() == io::ErrorKind::AddrInUse => Exit::PortInUse,
        RunError::StaticFiles { .. } | RunError::File(_) | RunError::Tracing(_) => Exit::Usage,
        RunError::Store(_) => Exit::Store,
        _ => Exit::Failure,
    };
    Failure::new(exit, error)
}

/// Cancels at the first signal. The thread ends with the process: it must still hear a second signal during the drain.
fn cancel_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let guard = runtime.enter();
    let mut signals = Signals::take()?;
    drop(guard);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                signals.next().await;
                shutdown.cancel();
                signals.next().await;
                std::process::exit(Exit::Failure as i32);
            });
        })?;
    Ok(())
}
