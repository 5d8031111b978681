//! The causal context: every write that a state knows of, live or removed.

use crate::node::{Dot, NodeId};
use crate::seen::Seen;

/// What was seen of each node, sorted by node; nobody stands in it with nothing.
///
/// A write that is in the context but not in the state was removed. That is why removals leave no tombstones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Context(Vec<(NodeId, Seen)>);

impl Context {
    /// Takes entries that are sorted by node, without duplicates and empty ones.
    pub(crate) fn from_sorted(entries: Vec<(NodeId, Seen)>) -> Context {
        Context(entries)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(NodeId, Seen)> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn seen(&self, node: NodeId) -> Option<&Seen> {
        self.position(node).ok().map(|at| &self.0[at].1)
    }

    /// The node's place in the order of [`Context::iter`], or where it would be.
    pub(crate) fn position(&self, node: NodeId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&node, |(node, _)| *node)
    }

    pub(crate) fn contains(&self, dot: Dot) -> bool {
        self.seen(dot.node)
            .is_some_and(|seen| seen.contains(dot.sequence))
    }

    pub(crate) fn insert(&mut self, dot: Dot) {
        self.entry(dot.node).insert(dot.sequence, dot.sequence);
    }

    /// Adds all that another context knows. Says whether this one grew.
    pub(crate) fn merge(&mut self, other: &Context) -> bool {
        let mut grew = false;
        for (node, seen) in &other.0 {
            grew |= self.entry(*node).merge(seen);
        }
        grew
    }

    /// Drops all knowledge about the other nodes.
    pub(crate) fn retain(&mut self, keep: impl Fn(NodeId) -> bool) {
        self.0.retain(|(node, _)| keep(*node));
    }

    fn entry(&mut self, node: NodeId) -> &mut Seen {
        let at = self.position(node).unwrap_or_else(|at| {
            self.0.insert(at, (node, Seen::default()));
            at
        });
        &mut self.0[at].1
    }
}
