//! Who this node is, and who votes.

use cloudstate_crdt::{NodeId, Voters};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) own: NodeId,
    /// Sorted, each once, this node among them.
    up: Vec<NodeId>,
}

impl Members {
    pub(crate) fn new(own: NodeId, members: &[NodeId]) -> Members {
        let mut up = members.to_vec();
        up.push(own);
        up.sort_unstable();
        up.dedup();
        Members { own, up }
    }

    pub(crate) fn voters(&self) -> Voters<'_> {
        Voters {
            own: self.own,
            members: &self.up,
        }
    }
}
