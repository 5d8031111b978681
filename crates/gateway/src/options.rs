//! Limits, time-outs and access of the client port.

use std::time::Duration;

use cloudstate_telemetry::trace::Tracer;

use crate::access::Security;
use crate::site::StaticFiles;
use crate::web::Cors;

/// Limits, time-outs and access of the client port, and what it serves beside the function. All counts are per core.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest request message in bytes, after decompression; larger ones are refused with RESOURCE_EXHAUSTED or 413.
    pub max_request_bytes: usize,
    /// Connections served at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Calls open at once on one HTTP/2 connection; announced to the client, which waits.
    pub max_concurrent_streams: u32,
    /// Largest set of request headers in bytes; larger ones are answered with 431.
    pub max_header_bytes: u32,
    /// How long the TLS handshake of a new connection may take.
    pub handshake_timeout: Duration,
    /// How long a new connection may take to say which protocol it speaks, and a request to send its headers.
    pub header_read_timeout: Duration,
    /// How long the single message of a unary request may take to arrive.
    pub body_read_timeout: Duration,
    /// How long a client may take nothing of what is to be sent to it: its connection is closed then, a static file too.
    pub send_timeout: Duration,
    /// After this long without a frame, an HTTP/2 client is asked whether it is still there.
    pub keep_alive_interval: Duration,
    /// How long it may take to answer that.
    pub keep_alive_timeout: Duration,
    /// At shutdown, how long running calls may go on before they are cut off.
    pub drain_timeout: Duration,
    /// Replies of at least this many bytes are compressed for gRPC clients that accept gzip; `None` compresses nothing,
    /// which is right inside a data centre: many clients announce gzip without needing it, and it costs more CPU than the
    /// rest of the call.
    pub compress_replies_from: Option<usize>,
    /// A stream of server-sent events on which nothing happened for this long gets a comment, so that nobody in between takes
    /// it for dead; `None` sends none.
    pub sse_heartbeat: Option<Duration>,
    /// Which pages of other origins may read answers; none by default.
    pub cors: Cors,
    /// Who may connect and call; by default anyone, without TLS.
    pub security: Security,
    /// Whether `/openapi.json` describes what the function serves, unless the function or a static file is there.
    pub openapi: bool,
    /// Files that are served where the function serves nothing.
    pub static_files: Option<StaticFiles>,
    /// Begins the traces of calls; `None` traces nothing.
    pub tracer: Option<Tracer>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_request_bytes: 8 * 1024 * 1024,
            max_connections: 8192,
            max_concurrent_streams: 4096,
            max_header_bytes: 32 * 1024,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(60),
            keep_alive_interval: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(10),
            compress_replies_from: None,
            sse_heartbeat: Some(Duration::from_secs(15)),
            cors: Cors::default(),
            security: Security::default(),
            openapi: true,
            static_files: None,
            tracer: None,
        }
    }
}
