//! The nodes of a cluster: who is in it, and what they replicate.
//!
//! ```text
//!   Cluster::run ── the node's loop: owns the machine, its links, its clock
//!     │
//!     ├─ Machine      pure
//!     │    ├─ Membership    SWIM (who answers) and views (who is a member)
//!     │    └─ Replication   deltas pushed, digests that repair, majorities  ◀──▶ Replicas (crate `replica`)
//!     ├─ Links        dial other nodes: a bounded queue each
//!     └─ accept       takes links of other nodes
//! ```
//!
//! The loop is one task; a link that is dialled is one, and each connection that is taken. All of them end with
//! [`Cluster::run`]. Absent: serving clients, entities, what is in a CRDT.

mod cluster;
mod link;
mod machine;
mod membership;
mod metrics;
mod node;
mod publisher;
mod replication;
mod seeds;
mod wire;

pub use cluster::{Cluster, Error, Options, State};
pub use link::dial::LinkOptions;
pub use link::net::{Connection, Listener, Net, Pending, Stream, SystemNet};
pub use link::security::{Security, TlsPair};
pub use membership::view::{View, ViewId};
pub use membership::{Detection, Options as MembershipOptions};
pub use metrics::Metrics;
pub use node::{Node, next_generation};
pub use replication::ReplicationOptions;
pub use seeds::{NoSeed, Seed};
