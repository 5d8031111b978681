//! Drives the entities of a function.
//!
//! ```text
//!   gateway ──Call──▶ router ──▶ entity (pure machine) ──▶ function link / store ──▶ Replies
//! ```
//!
//! The gateway and the console know this crate by [`Call`], [`Replies`] and [`CallError`] only.

mod call;
mod error;
mod health;

pub use call::{Call, Input, Replies, Reply, ReplyStream, RequestStream, Router};
pub use error::{CallError, Code};
pub use health::{Component, Health, HealthReport, Readiness};
