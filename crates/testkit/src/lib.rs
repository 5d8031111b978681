//! Drives the entities of a user function in unit tests, without network; with the feature `proxy` also a whole function
//! against a real proxy in the same process (`ProxyTest`).
//!
//! ```text
//!   test ─▶ EventSourcedTest │ ValueTest │ CrdtTest │ ActionTest ─protocol messages─▶ the SDK's machine ─▶ your handlers
//!              └─ stores what the proxy would store, restarts what the proxy would restart, replicates what it would replicate
//! ```
//!
//! The messages are those of the protocol, so codecs, snapshots, rollback and restarts are tested as they will run:
//!
//! ```
//! use cloudstate_testkit::ValueTest;
//! # use cloudstate_sdk::doc_example::{Count, Increase, Read, counter};
//! # use cloudstate_sdk::{Failure, Reply, value::Context};
//! # struct CounterEntity;
//! # impl counter::ValueEntity for CounterEntity {
//! #     type State = Count;
//! #     fn increase(&self, command: Increase, ctx: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
//! #         let value = ctx.state().map_or(0, |count| count.value) + command.by;
//! #         ctx.update(Count { value });
//! #         Ok(Count { value }.into())
//! #     }
//! #     fn read(&self, _: Read, ctx: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
//! #         Ok(ctx.state().copied().unwrap_or_default().into())
//! #     }
//! # }
//!
//! let mut counter = ValueTest::new(counter::value("counter", CounterEntity));
//! let outcome = counter.call(counter::calls::increase(Increase { by: 3, ..Default::default() }));
//! assert_eq!(outcome.reply(), Count { value: 3 });
//! counter.restart();
//! assert_eq!(counter.call(counter::calls::read(Read::default())).reply(), Count { value: 3 });
//! ```
//!
//! Absent: entity keys. A test drives one entity, whatever ids its commands carry; which entity a command goes to is
//! the proxy's business.

mod action;
mod crdt;
mod event_sourced;
mod outcome;
#[cfg(feature = "proxy")]
mod proxy;
mod value;

pub use action::ActionTest;
pub use crdt::{CrdtTest, OpenStream};
pub use event_sourced::EventSourcedTest;
pub use outcome::Outcome;
#[cfg(feature = "proxy")]
pub use proxy::{ProxyTest, ProxyTestError};
pub use value::ValueTest;

/// The entity id of tests that choose none.
pub const ENTITY_ID: &str = "test-entity";
