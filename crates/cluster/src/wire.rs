//! The messages between nodes, generated from `peer.proto`, and their conversions.

#![allow(missing_docs, reason = "generated; the .proto file documents them")]

include!(concat!(env!("OUT_DIR"), "/cloudstate.cluster.v1.rs"));

/// The versions of this protocol that this software speaks: its own and the one before.
pub const PROTOCOL: std::ops::RangeInclusive<u32> = 1..=1;

/// A message that says less than it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of a peer lacks its {0}")]
pub struct Lacks(pub &'static str);

impl From<cloudstate_crdt::NodeId> for NodeId {
    fn from(id: cloudstate_crdt::NodeId) -> Self {
        NodeId {
            address: id.address,
            generation: id.generation,
        }
    }
}

impl From<NodeId> for cloudstate_crdt::NodeId {
    fn from(id: NodeId) -> Self {
        cloudstate_crdt::NodeId::new(id.address, id.generation)
    }
}
