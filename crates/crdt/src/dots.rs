//! What one place of a state holds: live writes, each with its payload.

use crate::context::Context;
use crate::node::{Dot, NodeId};

/// Live writes, sorted. `V` is what a write says; nothing for a mere "is there".
///
/// One write says the same everywhere, but for the tally that pruning enlarges: of two, the greater holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dots<V = ()>(Vec<(Dot, V)>);

impl<V> Default for Dots<V> {
    fn default() -> Self {
        Dots(Vec::new())
    }
}

impl<V: Clone + Ord> Dots<V> {
    pub(crate) fn one(dot: Dot, value: V) -> Dots<V> {
        Dots(vec![(dot, value)])
    }

    /// Takes writes that are sorted, without duplicates.
    pub(crate) fn from_sorted(writes: Vec<(Dot, V)>) -> Dots<V> {
        Dots(writes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Dot, V)> + Clone {
        self.0.iter()
    }

    /// The node's writes.
    pub(crate) fn of(&self, node: NodeId) -> impl Iterator<Item = &(Dot, V)> {
        let from = self.0.partition_point(|(dot, _)| dot.node < node);
        self.0[from..].iter().take_while(move |(dot, _)| dot.node == node)
    }

    /// The last write of each node. The others are those of which a lost delta would have said that they were replaced.
    pub(crate) fn last_of_each(&self) -> impl Iterator<Item = &(Dot, V)> {
        let by_node = self.0.chunk_by(|(one, _), (next, _)| one.node == next.node);
        by_node.filter_map(<[_]>::last)
    }

    pub(crate) fn get(&self, dot: Dot) -> Option<&V> {
        let at = self.0.binary_search_by_key(&dot, |(dot, _)| *dot).ok()?;
        Some(&self.0[at].1)
    }

    pub(crate) fn insert(&mut self, dot: Dot, value: V) {
        match self.0.binary_search_by_key(&dot, |(dot, _)| *dot) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (dot, value)),
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(Dot, &V) -> bool) {
        self.0.retain(|(dot, value)| keep(*dot, value));
    }

    /// The join: a write that only one side holds lives on unless the other side knows of it, and so has removed it.
    /// Says whether anything changed.
    pub(crate) fn join(&mut self, theirs: &Dots<V>, known: &Context, their_known: &Context) -> bool {
        let mut changed = false;
        self.0.retain_mut(|(dot, value)| match theirs.get(*dot) {
            Some(other) => {
                if other > value {
                    value.clone_from(other);
                    changed = true;
                }
                true
            }
            None => {
                let lives = !their_known.contains(*dot);
                changed |= !lives;
                lives
            }
        });
        for (dot, value) in theirs.iter() {
            if !known.contains(*dot) && self.get(*dot).is_none() {
                self.insert(*dot, value.clone());
                changed = true;
            }
        }
        changed
    }
}
