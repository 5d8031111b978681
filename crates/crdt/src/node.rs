//! Who writes, and which of their writes.

use std::fmt;

/// The identity of a node: one start of one process.
///
/// Ordered by address, then generation. That order breaks ties between concurrent writes of a register, so it is the same
/// everywhere and for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// A hash of the node's name or address, equal for every start of that node.
    pub address: u64,
    /// Rises with every start.
    pub generation: u64,
}

impl NodeId {
    /// The identity with these parts.
    pub const fn new(address: u64, generation: u64) -> NodeId {
        NodeId { address, generation }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}/{}", self.address, self.generation)
    }
}

/// One write of one node: its name for ever. It lives at one place of a state, or was removed from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Dot {
    pub(crate) node: NodeId,
    /// Counted from 1, for each node and entity.
    pub(crate) sequence: u64,
}

impl Dot {
    pub(crate) const fn new(node: NodeId, sequence: u64) -> Dot {
        Dot { node, sequence }
    }
}
