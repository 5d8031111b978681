//! The port of operators and probes.
//!
//! ```text
//!   GET /metrics, /   ─▶ Registry ─▶ Prometheus text (or OpenMetrics, if asked for)
//!   GET /ready        ─▶ Health   ─▶ 200 OK, or 503 and one line for each thing that is missing
//!   GET /alive        ─▶ 200 OK while the process can answer at all
//!   other paths       ─▶ routes that other rooms added
//! ```
//!
//! Not ready is 503, not the 500 of earlier implementations: the process is not broken, it is not to be sent traffic now, and
//! probes treat every status from 400 the same.
//!
//! Absent: what stands behind the added routes, and the decision which ports are opened. It knows nothing of the client
//! port and runs on a thread of its own, so that it answers also when the data path does not.

mod exposition;
mod respond;
mod server;

pub use respond::{Admin, AdminRequest, AdminResponse, text};
