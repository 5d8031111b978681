//! States and deltas, and what is done with them.

use std::fmt;

use crate::apply::{self, Turn};
use crate::change::Change;
use crate::context::Context;
use crate::error::Error;
use crate::join::Join;
use crate::kind::Kind;
use crate::limits::Limits;
use crate::node::NodeId;
use crate::slot::Slot;
use crate::writer::Writer;

/// A replica of one CRDT: all that a node knows of it.
///
/// Two replicas that have seen the same changes are equal, whatever the way and the order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) context: Context,
    pub(crate) root: Slot,
}

/// What one change, or several merged ones, did to a state. It may be merged in any order and any number of times.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Delta {
    pub(crate) context: Context,
    pub(crate) root: Slot,
}

/// Who makes a change, and when.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    /// The identity of this node. No two nodes may ever write under one.
    pub node: NodeId,
    /// Its wall clock in milliseconds since 1970, for registers. It may jump.
    pub now_ms: i64,
}

impl State {
    /// A replica of what does not exist yet. The first change gives it its type.
    pub fn new() -> State {
        State::default()
    }

    /// Whether nothing exists: nobody has made a change yet.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// The type that is visible.
    ///
    /// When nodes that did not know of each other create the same CRDT with different types, it is the one with the lowest
    /// number, on every node. It can thereby change.
    pub fn kind(&self) -> Option<Kind> {
        Some(self.root.visible()?.kind())
    }

    /// Makes a change of the user function: applies it, and returns what the other nodes have to merge. The first change
    /// creates the CRDT.
    ///
    /// # Errors
    /// If the change does not fit; then nothing has changed.
    pub fn apply(&mut self, change: &Change, author: Author, limits: &Limits) -> Result<Delta, Error> {
        let turn = Turn {
            now_ms: author.now_ms,
            limits: *limits,
        };
        let mut writer = Writer::new(author.node, &self.context);
        let root = apply::slot(Some(&self.root), change, &turn, &mut writer, 0)?;
        let delta = Delta {
            context: writer.covered,
            root,
        };
        self.merge_delta(&delta);
        Ok(delta)
    }

    /// Merges another replica. Says whether this one has learned anything.
    pub fn merge(&mut self, other: &State) -> bool {
        self.join(&other.root, &other.context, true)
    }

    /// Merges a delta, at a cost that goes with the size of the delta. Says whether this replica has learned anything.
    pub fn merge_delta(&mut self, delta: &Delta) -> bool {
        self.join(&delta.root, &delta.context, false)
    }

    /// The nodes of which something is missing: a delta came before an earlier one. That may still come; if it was lost,
    /// merging the state of the node that sent the later one closes the gap. Until then a replica may show what was removed,
    /// but counts nothing twice. What nobody has any more of a node that ended stays missing.
    pub fn gaps(&self) -> impl Iterator<Item = NodeId> {
        let with_gap = self.context.iter().filter(|(_, seen)| !seen.beyond().is_empty());
        with_gap.map(|(node, _)| *node)
    }

    /// Whether it is a vote or a map with one in it: then its value depends on who votes.
    pub fn has_votes(&self) -> bool {
        self.root.has_votes()
    }

    /// The identities that have written to this CRDT, in order, as far as they are not forgotten.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.context.iter().map(|(node, _)| *node)
    }

    fn join(&mut self, root: &Slot, context: &Context, whole: bool) -> bool {
        let join = Join {
            known: &self.context,
            their_known: context,
            keep_places: false,
        };
        let changed = join.slot(&mut self.root, root, whole);
        self.context.merge(context) | changed
    }
}

impl Delta {
    /// Merges a later or earlier delta into this one, to send them as one.
    pub fn merge(&mut self, other: &Delta) {
        let join = Join {
            known: &self.context,
            their_known: &other.context,
            keep_places: true,
        };
        join.slot(&mut self.root, &other.root, false);
        self.context.merge(&other.context);
    }

    /// Whether it says nothing, like one that nothing was merged into.
    pub fn is_empty(&self) -> bool {
        self.context.is_empty()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tree("State", &self.context, &self.root, f)
    }
}

impl fmt::Debug for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tree("Delta", &self.context, &self.root, f)
    }
}

fn tree(name: &str, context: &Context, root: &Slot, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("context", context)
        .field("root", root)
        .finish()
}
