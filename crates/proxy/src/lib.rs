//! The proxy as a whole.
//!
//! ```text
//!   defaults ─▶ file ─▶ environment ─▶ flags ──▶ config::load ──▶ Config ──▶ the rooms' own options
//! ```
//!
//! [`config`] turns what a user wrote into one checked [`config::Config`]. Rooms never see that tree: each gets its
//! own options, made from it here.
//!
//! Absent: parsing of command lines, which belongs to the `cloudstate` binary.

pub mod config;

mod admin;
mod cluster;
mod core_thread;
mod discovery;
mod files;
mod listen;
mod open_store;
mod process_metrics;
mod readiness_metrics;
mod replicas;
mod rooms;
mod run;
mod security;
mod security_metrics;
mod store_metrics;
mod tls;
mod traces;

pub use files::FileError;
pub use listen::ListenError;
pub use run::{Event, Hooks, RunError, run};
pub use traces::TracingError;
