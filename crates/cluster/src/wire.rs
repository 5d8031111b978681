//! The messages between nodes, generated from `peer.proto`, and their conversions.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::large_enum_variant,
    reason = "generated; the .proto file documents them"
)]

use std::ops::RangeInclusive;

include!(concat!(env!("OUT_DIR"), "/cloudstate.cluster.v1.rs"));

/// The versions of this protocol that this software speaks: its own and the one before.
pub const PROTOCOL: RangeInclusive<u32> = 1..=1;

/// The highest version that both sides speak.
///
/// # Errors
/// If there is none; then what to do.
pub(crate) fn negotiate(ours: &RangeInclusive<u32>, theirs: &RangeInclusive<u32>) -> Result<u32, String> {
    let highest = *ours.end().min(theirs.end());
    if highest < *ours.start().max(theirs.start()) {
        return Err(format!(
            "this node speaks the versions {} to {} of the cluster's protocol, not {} to {}; update the nodes one release after the other",
            ours.start(),
            ours.end(),
            theirs.start(),
            theirs.end()
        ));
    }
    Ok(highest)
}

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

#[cfg(test)]
mod tests {
    use super::negotiate;

    #[test]
    fn neighbouring_versions_understand_each_other() {
        assert_eq!(negotiate(&(1..=1), &(1..=1)), Ok(1));
        assert_eq!(negotiate(&(3..=4), &(4..=5)), Ok(4));
        assert_eq!(negotiate(&(4..=5), &(3..=4)), Ok(4));
        for (ours, theirs) in [(3..=4, 5..=6), (5..=6, 3..=4)] {
            let text = negotiate(&ours, &theirs).unwrap_err();
            assert!(text.contains("one release after the other"), "{text}");
        }
    }
}
