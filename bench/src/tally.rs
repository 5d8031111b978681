//! An entity that adds up events and takes no snapshots, so that every activation replays all of them.

use bytes::Bytes;
use cloudstate_protocol::Any;
use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::{EventSourced, Failure, NoSnapshot, Reply, UserFunction};

use crate::wire;
use proto::cloudstate::bench::{AddEvents, Added, GetSum, SumOfEvents, tally};

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod proto {
    cloudstate_sdk::include_protos!();
}

/// The service's full name.
pub const SERVICE: &str = "cloudstate.bench.Tally";
/// Path of `Add`.
pub const ADD: &str = "/cloudstate.bench.Tally/Add";
/// Path of `Sum`.
pub const SUM: &str = "/cloudstate.bench.Tally/Sum";

/// The user function.
pub fn function() -> UserFunction {
    UserFunction::new("tally", env!("CARGO_PKG_VERSION")).with(tally::event_sourced("tally", Handler))
}

/// A frame that makes the entity emit events.
pub fn add(id: &str, events: i32) -> Bytes {
    wire::frame(&AddEvents {
        id: id.to_owned(),
        events,
    })
}

/// A frame that asks for the sum.
pub fn sum(id: &str) -> Bytes {
    wire::frame(&GetSum { id: id.to_owned() })
}

/// The same question as the payload of a command.
pub fn sum_payload(id: &str) -> Any {
    wire::any("cloudstate.bench.GetSum", &GetSum { id: id.to_owned() })
}

/// The event as a payload.
pub fn event() -> Any {
    wire::any("cloudstate.bench.Added", &added())
}

fn added() -> Added {
    Added {
        amount: 1,
        text: "as long as an event commonly is, or a little longer".to_owned(),
    }
}

/// The answer to [`sum`], from the message's bytes.
///
/// # Errors
/// They are no such message.
pub fn read_sum(message: Bytes) -> Result<i64, prost::DecodeError> {
    Ok(<SumOfEvents as prost::Message>::decode(message)?.sum)
}

#[derive(Debug, Default)]
struct Sum {
    sum: i64,
}

impl EventSourced for Sum {
    type Event = Added;
    type Snapshot = NoSnapshot;

    fn apply(&mut self, event: Added) {
        self.sum += event.amount;
    }
}

struct Handler;

impl tally::EventSourcedEntity for Handler {
    type State = Sum;

    fn add(&self, command: AddEvents, ctx: &mut Context<Sum>) -> Result<Reply<()>, Failure> {
        for _ in 0..command.events {
            ctx.emit(added());
        }
        Ok(Reply::empty())
    }

    fn sum(&self, _: GetSum, ctx: &mut Context<Sum>) -> Result<Reply<SumOfEvents>, Failure> {
        Ok(Reply::new(SumOfEvents { sum: ctx.state().sum }))
    }
}
