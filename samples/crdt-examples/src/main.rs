//! Counters, sets and presence, each on every node at once.
//!
//! ```text
//!   UpdatePNCounter ──▶ CrdtExampleEntity ── &mut PNCounter ──▶ the other nodes
//!   Connect ══stream══▶                   ── Vote: yes, until the last connection ends
//!   Monitor ══stream══▶                   ◀─ whatever others changed
//! ```

mod entity;

use cloudstate_sdk::{ServeError, UserFunction, log_to_stderr};

use entity::CrdtExampleEntity;
use proto::com::example::crdts::crdt_example;

mod proto {
    cloudstate_sdk::include_protos!();
}

fn main() -> Result<(), ServeError> {
    log_to_stderr();
    UserFunction::new("crdt-examples", env!("CARGO_PKG_VERSION"))
        .with(crdt_example::crdt("crdt-examples", CrdtExampleEntity))
        .run()
}
