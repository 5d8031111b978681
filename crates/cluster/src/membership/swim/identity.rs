//! An identity as SWIM sees it.

use std::sync::Arc;

use crate::node::Node;

/// A node and its life. Who was taken for dead by mistake begins a new life, since SWIM does not let the dead come back; it stays
/// the same node, with the same writes, unless a majority has ended it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) node: Arc<Node>,
    pub(super) life: u32,
}

impl Identity {
    fn order(&self) -> (u64, u64, u32) {
        (self.node.id.address, self.node.id.generation, self.life)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Identity {}

impl foca::Identity for Identity {
    type Addr = u64;

    fn renew(&self) -> Option<Self> {
        Some(Identity {
            node: self.node.clone(),
            life: self.life.checked_add(1)?,
        })
    }

    fn addr(&self) -> u64 {
        self.node.id.address
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.order() > adversary.order()
    }
}
