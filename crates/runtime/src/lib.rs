//! Drives the entities of a function.
//!
//! ```text
//!   gateway ──Call──▶ Core (one a thread)
//!                      │ entity id → owner core ──hand-over──▶ other Core
//!                      ▼
//!                 registry ▶ drive(Activation) ──▶ function link (stream per active entity)
//!                      │                      └──▶ store (group commit)
//!                      ▼ answer, after the commit
//!                 side effects ▶ forward or reply ▶ Replies
//! ```
//!
//! CRDT entities have no commits: their changes go to the node's replicas, which others change too.
//!
//! An entity lives on the core that its key hashes to; everything about it happens on that thread, without locks. An
//! idle entity is a map entry and its stream: there is a task only while it has something to do.
//!
//! This crate executes what the pure machines of `cloudstate-entity` decide. It knows neither the wire format of
//! clients nor any store backend.

mod admission;
mod call;
mod context;
mod core;
mod crdt;
mod delay_limit;
mod deliver;
mod drive;
mod error;
mod function_call;
mod health;
mod method_limit;
mod metrics;
mod options;
mod passivation;
mod registry;
mod route;
mod stored;
mod streams;
mod traced;

pub use call::{Call, Input, Replies, Reply, ReplyStream, RequestStream, Router};
pub use core::{Core, Inbox, Shared};
pub use error::{CallError, Code};
pub use health::{Component, Health, HealthReport, Readiness};
pub use metrics::Metrics;
pub use options::Options;
