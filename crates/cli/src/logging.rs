//! Messages to standard error.

use cloudstate_proxy::config::{Level, Log, LogFormat};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Begins to write messages. Called once, at the start of a command that serves.
pub(crate) fn start(log: &Log) {
    let level = match log.level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // Every frame of every connection is a message of the libraries below us from `debug` on.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("cloudstate", level);
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        LogFormat::Human => layer
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    // Fails only when called twice, and then the first one goes on.
    let _ = registry().with(layer.with_filter(filter)).try_init();
}
