//! Write Cloudstate user functions in Rust.
//!
//! A user function is a process that holds no database connection: the proxy beside it keeps the state durable, hands
//! the function *state in*, and takes *events, values and replies out*.
//!
//! ```text
//!   .proto ──build.rs: cloudstate_sdk_build::compile──▶ messages, traits, calls
//!                                                               │ you implement a trait on a plain struct
//!                                                               ▼
//!   proxy ──HTTP/2──▶ server ──▶ event sourced │ value │ CRDT │ action ──▶ your handlers
//! ```
//!
//! # An event sourced entity
//!
//! State changes by events only, and handlers see it by shared reference, so the log tells the whole truth:
//!
//! ```
//! use cloudstate_sdk::event_sourced::Context;
//! use cloudstate_sdk::{EventSourced, Failure, NoSnapshot, Reply};
//! # use cloudstate_sdk::doc_example::{Counted, Count, Increase, Read, counter};
//!
//! // In your project: mod proto { cloudstate_sdk::include_protos!(); }
//!
//! #[derive(Default)]
//! struct Counter {
//!     count: i64,
//! }
//!
//! impl EventSourced for Counter {
//!     type Event = Counted; // a message of the .proto file
//!     type Snapshot = NoSnapshot;
//!
//!     fn apply(&mut self, event: Counted) {
//!         self.count += event.by;
//!     }
//! }
//!
//! struct CounterEntity;
//!
//! impl counter::EventSourcedEntity for CounterEntity {
//!     type State = Counter;
//!
//!     fn increase(&self, command: Increase, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
//!         if command.by <= 0 {
//!             return Err("a counter only grows".into());
//!         }
//!         ctx.emit(Counted { by: command.by });
//!         Ok(Count { value: ctx.state().count }.into())
//!     }
//!
//!     fn read(&self, _: Read, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
//!         Ok(Count { value: ctx.state().count }.into())
//!     }
//! }
//!
//! let entity = counter::event_sourced("counter", CounterEntity).snapshot_every(0);
//! let function = cloudstate_sdk::UserFunction::new("counters", "1.0").with(entity);
//! // function.run() serves it on HOST:PORT or SOCKET until SIGTERM.
//! ```
//!
//! A missing handler does not compile:
//!
//! ```compile_fail,E0046
//! # use cloudstate_sdk::event_sourced::Context;
//! # use cloudstate_sdk::{EventSourced, Failure, NoSnapshot, Reply};
//! # use cloudstate_sdk::doc_example::{Counted, Count, Increase, Read, counter};
//! # #[derive(Default)]
//! # struct Counter;
//! # impl EventSourced for Counter {
//! #     type Event = Counted;
//! #     type Snapshot = NoSnapshot;
//! #     fn apply(&mut self, _: Counted) {}
//! # }
//! # struct CounterEntity;
//! impl counter::EventSourcedEntity for CounterEntity {
//!     type State = Counter;
//!
//!     fn read(&self, _: Read, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
//!         Ok(Count::default().into())
//!     }
//! } // error[E0046]: not all trait items implemented, missing: `increase`
//! ```
//!
//! Value entities ([`value`]), CRDT entities ([`crdt`]) and actions ([`action`]) work the same way: implement the trait
//! `ValueEntity`, `CrdtEntity` or `Action` of the service's module, register with `value(…)`, `crdt(…)` or `action(…)`.
//!
//! # What happens when
//!
//! * `Err(Failure)` declines the command: the client gets the text, nothing is stored. After an emitted event the
//!   entity is reloaded, since its state has run ahead of the log.
//! * A panic ends this one activation: the client gets an error without details, the log gets the details, the next
//!   command loads the entity afresh.
//! * Handlers of entities run one at a time for each entity. They must not block: one thread serves many entities.
//!
//! Absent: TLS (the proxy runs beside the function).

mod call;
mod descriptors;
pub mod dispatch;
mod function;
mod log;
mod payload;
mod reply;
mod server;
mod service;
mod wire;

pub mod action;
pub mod crdt;
pub mod event_sourced;
pub mod value;

pub use call::Call;
pub use event_sourced::{EventSourced, NoSnapshot, Snapshot};
pub use function::{Declaration, DeclarationError, Registration, UserFunction};
pub use log::log_to_stderr;
pub use payload::{Json, JsonType, Payload, PayloadError, Primitive, Raw};
pub use reply::{Failure, Reply};
pub use server::{Listener, ServeError, ServerOptions};
pub use service::Service;

pub use bytes::Bytes;
pub use cloudstate_protocol::cloud_event::CloudEvent;
pub use cloudstate_protocol::{Any, Metadata};
pub use futures_core::Stream;
pub use futures_util::stream;
pub use {cloudstate_protocol as protocol, prost, prost_types};

/// Includes what `cloudstate_sdk_build::compile` generated: the protobuf packages as modules.
#[macro_export]
macro_rules! include_protos {
    () => {
        include!(concat!(env!("OUT_DIR"), "/cloudstate.rs"));
    };
}

// Generated code names this crate from outside.
extern crate self as cloudstate_sdk;

mod generated {
    include!(concat!(env!("OUT_DIR"), "/cloudstate.rs"));
}

/// The service of the examples in this documentation.
#[doc(hidden)]
pub mod doc_example {
    pub use crate::generated::cloudstate_sdk_example::*;
}
