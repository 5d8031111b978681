//! Serves clients on one port: gRPC and gRPC-Web for the function's services straight from their descriptors, HTTP/JSON
//! by `google.api.http`, server reflection and health.
//!
//! ```text
//!   connection ──▶ accept (TLS or not, HTTP/1.1 or HTTP/2) ──▶ dispatch ──┬─ grpc ◀─ gRPC-Web ─┐
//!                                                             ├─ http ─────────────┼──Call──▶ Router ──Replies──▶ response
//!                                                             ├─ builtin: reflection, health
//!                                                             └─ site: static files, OpenAPI
//! ```
//!
//! Everything here lives on one thread: a connection is served wholly by the core that accepted it, and the router of
//! that core takes its calls. What is served is a [`Front`]; a new declaration of the function swaps it, running calls
//! keep the old one.
//!
//! Absent on purpose: entities, stores, and the decision *when* the port opens. gRPC requests are never re-encoded:
//! only HTTP/JSON looks into messages.

mod accept;
mod access;
mod base64;
mod body;
mod builtin;
mod dispatch;
mod end;
mod front;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod grpc;
mod metadata;
mod metrics;
mod options;
mod rewound;
mod send_limit;
mod site;
mod status;
mod tls;
mod trace;
mod transcode;
mod web;

pub use accept::connections;
pub use access::Security;
pub use front::{Front, Routes};
pub use gateway::Gateway;
pub use grpc::{Encoding, FrameDecoder, MalformedFrame};
pub use metrics::Metrics;
pub use options::Options;
pub use site::StaticFiles;
pub use tls::ALPN;
pub use transcode::{
    LineSplitter, LineTooLong, Parameter, Refused, Transcoded, parse_query, transcode, transcode_reply,
};
pub use web::{Cors, MalformedOrigin, MalformedText, Origins, TextDecoder};

/// Generated messages of the protocols that the gateway itself serves.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all)]
mod packages {
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}
