//! Names the writes of one change, and gathers what its delta must know.

use crate::context::Context;
use crate::dots::Dots;
use crate::error::Error;
use crate::node::{Dot, NodeId};
use crate::seen::Seen;

/// Makes the context of one delta: its new writes, and those that it removes or replaces.
pub(crate) struct Writer<'a> {
    node: NodeId,
    /// The context of the state that is about to change.
    pub(crate) known: &'a Context,
    pub(crate) covered: Context,
    last: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(node: NodeId, known: &'a Context) -> Writer<'a> {
        Writer {
            node,
            known,
            covered: Context::default(),
            last: known.seen(node).map_or(0, Seen::greatest),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// A write that never was.
    pub(crate) fn fresh(&mut self) -> Result<Dot, Error> {
        self.last = self.last.checked_add(1).ok_or(Error::SequenceLimit)?;
        let dot = Dot::new(self.node, self.last);
        self.covered.insert(dot);
        Ok(dot)
    }

    /// A mere "is there".
    pub(crate) fn mark(&mut self) -> Result<Dots, Error> {
        Ok(Dots::one(self.fresh()?, ()))
    }

    /// Removes these writes, as far as the delta does not hold them.
    pub(crate) fn cover<V: Clone + Ord>(&mut self, dots: &Dots<V>) {
        dots.iter().for_each(|(dot, _)| self.covered.insert(*dot));
    }

    /// Removes one write.
    pub(crate) fn cover_dot(&mut self, dot: Dot) {
        self.covered.insert(dot);
    }

    /// A writer for a part that may yet fail. [`Writer::absorb`] makes it count.
    pub(crate) fn part(&self) -> Writer<'a> {
        Writer {
            node: self.node,
            known: self.known,
            covered: Context::default(),
            last: self.last,
        }
    }

    /// Takes over what a part has written.
    pub(crate) fn absorb(&mut self, part: &Writer<'_>) {
        self.last = part.last;
        self.covered.merge(&part.covered);
    }
}
