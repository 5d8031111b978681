//! Puts load on a shopping cart service by gRPC and measures its latency.
//!
//! ```text
//!   schedule (open loop) │ workers (closed loop) ─▶ connections ─HTTP/2─▶ service
//!                │ intended time of sending             │ grpc-status, time of the answer
//!                └──────────────▶ statistics ◀──────────┘ ─▶ progress on stderr, report as JSON
//! ```
//!
//! In an open loop, requests are due at times that do not depend on the answers, and latency counts from the time a
//! request was due: a service that stalls cannot hide it by slowing the load down.

mod client;
mod config;
mod load;
mod messages;
mod random;
mod report;
mod schedule;
mod stats;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    let config = config::Config::parse();
    let report = load::run(&config).context("the load could not be run")?;
    report::write(&report, config.report.as_deref())?;
    let failed = config.fail_on_error && (report.failures > 0 || report.successes == 0);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
