//! The link to the user function.
//!
//! ```text
//!   runtime ──Link::open──▶ StreamSender ──┐                    ┌─▶ connection ─▶┐
//!                     └───▶ StreamReceiver ┴─ h2 stream ────────┼─▶ connection ─▶├─ the function (gRPC, HTTP/2)
//!   Supervisor ─Link::discover─▶ validate ─▶ watch::Sender      └─▶ connection ─▶┘
//! ```
//!
//! A [`Link`] belongs to one thread (a tokio local runtime) and owns its connections. It opens them when streams are
//! wanted, each up to the number of streams that the function's server allows, and ends them when it is dropped.
//! A stream has no task and no channel: its halves poll HTTP/2 directly. The [`discovery`] module asks the function
//! what it serves, again after every loss.
//!
//! Absent: entities, stores, what the messages mean, and retries of commands. This crate says what is known about a
//! failed request ([`Error::is_unavailable`]); the caller decides.

mod connection;
pub mod discovery;
mod error;
mod framing;
mod link;
mod metrics;
mod options;
mod pool;
mod request;
mod status;
mod stream;
mod target;

pub use error::Error;
pub use link::Link;
pub use metrics::Metrics;
pub use options::{Keepalive, LinkOptions};
pub use stream::{StreamReceiver, StreamSender};
pub use target::Target;
