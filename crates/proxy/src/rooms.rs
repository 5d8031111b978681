//! From the one configuration to each room's own options.

use std::path::PathBuf;
use std::time::Duration;

use cloudstate_function::{LinkOptions, Target};
use cloudstate_gateway::{Cors, Security, StaticFiles};
use cloudstate_telemetry::trace::Sampler;

use crate::config::{Config, TraceSampler};
use crate::run::RunError;
use crate::traces::TracingError;

pub(crate) fn runtime(config: &Config) -> cloudstate_runtime::Options {
    cloudstate_runtime::Options {
        passivation_timeout: config.entity.passivation_timeout,
        turn_timeout: config.entity.turn_timeout,
        queue_commands: config.entity.queue_commands,
        queue_bytes: config.entity.queue_bytes.bytes(),
        max_active: config.entity.max_active,
        max_in_flight: config.runtime.max_in_flight,
        max_in_flight_bytes: config.runtime.max_queued_bytes.bytes(),
        max_delay: config.runtime.max_delay,
        min_in_flight: config.runtime.min_in_flight,
        stream_messages: config.crdt.stream_messages,
        forward_limit: config.runtime.forward_limit as usize,
        ..cloudstate_runtime::Options::default()
    }
}

/// The files to serve, opened once for all cores.
pub(crate) fn static_files(config: &Config) -> Result<Option<StaticFiles>, RunError> {
    let settings = &config.static_files;
    let Some(directory) = &settings.dir else {
        return Ok(None);
    };
    let files = StaticFiles::new(directory, settings.max_open);
    files.map(Some).map_err(|source| RunError::StaticFiles {
        directory: directory.clone(),
        source,
    })
}

/// The gateway counts per core; the configuration counts for the process.
pub(crate) fn gateway(
    config: &Config,
    cores: usize,
    static_files: Option<StaticFiles>,
    security: Security,
) -> cloudstate_gateway::Options {
    cloudstate_gateway::Options {
        max_request_bytes: config.http.max_request_bytes.bytes(),
        max_connections: config.http.max_connections.div_ceil(cores),
        max_concurrent_streams: config.http.max_concurrent_streams,
        max_header_bytes: u32::try_from(config.http.max_header_bytes.bytes()).unwrap_or(u32::MAX),
        handshake_timeout: config.tls.handshake_timeout,
        header_read_timeout: config.http.header_timeout,
        body_read_timeout: config.http.body_timeout,
        send_timeout: config.http.send_timeout,
        drain_timeout: config.runtime.drain_timeout,
        sse_heartbeat: Some(config.http.sse_heartbeat).filter(|every| !every.is_zero()),
        cors: Cors {
            origins: config.cors.origins.clone(),
            credentials: config.cors.credentials,
        },
        openapi: config.http.openapi,
        static_files,
        security,
        ..cloudstate_gateway::Options::default()
    }
}

pub(crate) fn link(config: &Config) -> LinkOptions {
    LinkOptions {
        max_message_bytes: config.function.max_message_bytes.bytes(),
        max_connections: config.function.max_connections,
        close_timeout: config.runtime.drain_timeout.min(Duration::from_secs(5)),
        ..LinkOptions::default()
    }
}

pub(crate) fn target(config: &Config) -> Target {
    match &config.function.socket {
        Some(path) => Target::Unix(path.clone()),
        None => Target::Tcp {
            host: config.function.host.to_string(),
            port: config.function.port,
        },
    }
}

pub(crate) fn store(config: &Config) -> cloudstate_store::Options {
    cloudstate_store::Options {
        shards: config.store.shards,
        queue_commits: config.store.queue_commits,
        queue_bytes: config.store.queue_bytes.bytes(),
        ..cloudstate_store::Options::default()
    }
}

/// Where spans go; `None` if nobody wants any.
pub(crate) fn otlp(config: &Config) -> Result<Option<cloudstate_otlp::Options>, TracingError> {
    let tracing = &config.tracing;
    let Some(endpoint) = &tracing.endpoint else {
        return Ok(None);
    };
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| TracingError::Roots {
            path: path.clone(),
            source,
        })
    };
    let mut resource = vec![
        ("service.name".to_owned(), tracing.service_name.clone()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    resource.extend(tracing.attributes.items().iter().cloned());
    Ok(Some(cloudstate_otlp::Options {
        endpoint: endpoint.url().to_owned(),
        headers: tracing.headers.items().to_vec(),
        roots: tracing.ca.as_ref().map(read).transpose()?,
        resource,
        batch: tracing.batch,
        interval: tracing.interval,
        timeout: tracing.timeout,
        ..cloudstate_otlp::Options::default()
    }))
}

pub(crate) fn sampler(config: &Config) -> Sampler {
    use TraceSampler::{AlwaysOff, AlwaysOn, ParentOff, ParentOn, ParentRatio, Ratio};
    let sampler = config.tracing.sampler;
    Sampler {
        by_caller: matches!(sampler, ParentOn | ParentOff | ParentRatio),
        ratio: match sampler {
            AlwaysOn | ParentOn => 1.0,
            AlwaysOff | ParentOff => 0.0,
            Ratio | ParentRatio => config.tracing.ratio,
        },
    }
}

/// Threads that run entities.
pub(crate) fn cores(config: &Config) -> usize {
    match config.runtime.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}
