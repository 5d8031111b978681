//! The return of a node that was ended while it was away.

use std::collections::{BTreeMap, BTreeSet};

use crate::any::Any;
use crate::dots::Dots;
use crate::error::Error;
use crate::kind::Kind;
use crate::node::{Dot, NodeId};
use crate::slot::{Content, Slot, Variant};
use crate::state::{Delta, State};
use crate::tally::{self, Tally};
use crate::writer::Writer;

/// A node that learned that it was ended.
#[derive(Debug, Clone, Copy)]
pub struct Returning<'a> {
    /// The identity that was ended.
    pub former: NodeId,
    /// Its new identity, under which nothing was ever written.
    pub renewed: NodeId,
    /// Its replica, as it was when it learned.
    pub replica: &'a State,
    /// What the members agreed on about the former identity: [`State::frozen`].
    pub frozen: &'a State,
}

impl State {
    /// Brings home what a returning node wrote while nobody heard it. `self` is a replica of the members. Returns the delta
    /// of the node's own writes; what else the node knew of the members is merged into `self` and spreads from there.
    ///
    /// Own writes that the members did not know are written again under the new identity: of counters the difference, of
    /// votes the current one. What the node itself removed of its own is removed. What it knew of *other* ended nodes is
    /// dropped: each of them brings home its own.
    ///
    /// # Errors
    /// If the new identity is out of sequence numbers; then only the knowledge of members was merged.
    pub fn rejoin(
        &mut self,
        returning: Returning<'_>,
        ended: impl Fn(NodeId) -> bool,
    ) -> Result<Delta, Error> {
        let mut rest = returning.replica.clone();
        rest.without(|node| node == returning.former || ended(node));
        self.merge(&rest);

        let mut writer = Writer::new(returning.renewed, &self.context);
        let root = returning.slot(&returning.replica.root, &returning.frozen.root, &mut writer)?;
        let delta = Delta {
            context: writer.covered,
            root,
        };
        self.merge_delta(&delta);
        Ok(delta)
    }
}

impl Returning<'_> {
    fn slot(&self, own: &Slot, frozen: &Slot, writer: &mut Writer<'_>) -> Result<Slot, Error> {
        let mut delta = Slot::default();
        for kind in Kind::ALL {
            let (mine, theirs) = (own.variant(kind), frozen.variant(kind));
            if mine.is_none() && theirs.is_none() {
                continue;
            }
            let none = Variant::new(kind);
            let part = self.variant(mine.unwrap_or(&none), theirs.unwrap_or(&none), writer)?;
            if let Some(part) = part {
                *delta.variant_mut(kind) = part;
            }
        }
        Ok(delta)
    }

    /// The variant's part of the delta; `None` if it has none.
    fn variant(
        &self,
        own: &Variant,
        frozen: &Variant,
        writer: &mut Writer<'_>,
    ) -> Result<Option<Variant>, Error> {
        let kind = own.kind();
        let mut part = Variant::new(kind);
        let presence = self.leaf(&own.presence, &frozen.presence, writer)?;
        let content = match (&own.content, &frozen.content) {
            (Content::Tallies(own), Content::Tallies(_)) if kind == Kind::Vote => {
                self.vote(own, writer)?.map(Content::Tallies)
            }
            (Content::Tallies(own), Content::Tallies(frozen)) => {
                self.sum(kind, own, frozen, writer)?.map(Content::Tallies)
            }
            (Content::Elements(own), Content::Elements(frozen)) => self
                .places(own, frozen, |own, frozen| self.leaf(own, frozen, writer))?
                .map(Content::Elements),
            (Content::Writes(own), Content::Writes(frozen)) => {
                self.leaf(own, frozen, writer)?.map(Content::Writes)
            }
            (Content::Marks(own), Content::Marks(frozen)) => {
                self.leaf(own, frozen, writer)?.map(Content::Marks)
            }
            (Content::Entries(own), Content::Entries(frozen)) => self
                .places(own, frozen, |own, frozen| {
                    let part = self.slot(own, frozen, writer)?;
                    Ok((!part.is_empty()).then_some(part))
                })?
                .map(Content::Entries),
            // Both are of one kind, and a kind has one content.
            _ => None,
        };
        if presence.is_none() && content.is_none() {
            return Ok(None);
        }
        part.presence = match presence {
            Some(presence) => presence,
            // The vote may be all that the entry has, and must not take it along when its voter goes.
            None if kind == Kind::Vote => writer.mark()?,
            None => Dots::default(),
        };
        if let Some(content) = content {
            part.content = content;
        }
        Ok(Some(part))
    }

    /// What one place holds: own writes that the members did not know, without those of them that are gone.
    fn leaf<V: Clone + Ord>(
        &self,
        own: &Dots<V>,
        frozen: &Dots<V>,
        writer: &mut Writer<'_>,
    ) -> Result<Option<Dots<V>>, Error> {
        let is_gone = |dot: Dot| own.get(dot).is_none() && self.replica.context.contains(dot);
        let mut part = None;
        for (dot, _) in frozen.of(self.former).filter(|(dot, _)| is_gone(*dot)) {
            writer.cover_dot(*dot);
            part.get_or_insert_default();
        }
        for (_, value) in own.of(self.former).filter(|(dot, _)| self.is_news(*dot)) {
            let dot = writer.fresh()?;
            part.get_or_insert_with(Dots::default).insert(dot, value.clone());
        }
        Ok(part)
    }

    /// What the node added since the members last heard of it. A GCounter that was removed meanwhile and begun again may
    /// hold less than they know; it does not count backwards.
    fn sum(
        &self,
        kind: Kind,
        own: &Dots<Tally>,
        frozen: &Dots<Tally>,
        writer: &mut Writer<'_>,
    ) -> Result<Option<Dots<Tally>>, Error> {
        if !own.of(self.former).any(|(dot, _)| self.is_news(*dot)) {
            return Ok(None);
        }
        let sum_of = |tallies| tally::own(tallies, self.former).unwrap_or(0);
        let mut sum = sum_of(own).saturating_sub(sum_of(frozen));
        if kind == Kind::GCounter {
            sum = sum.max(0);
        }
        Ok(Some(Dots::one(writer.fresh()?, Tally::own(sum))))
    }

    /// The node's present vote. The former one goes with the fold.
    fn vote(&self, own: &Dots<Tally>, writer: &mut Writer<'_>) -> Result<Option<Dots<Tally>>, Error> {
        let Some(vote) = tally::own(own, self.former) else {
            return Ok(None);
        };
        Ok(Some(Dots::one(writer.fresh()?, Tally::own(vote))))
    }

    /// Goes through the keys of both.
    fn places<T: Default>(
        &self,
        own: &BTreeMap<Any, T>,
        frozen: &BTreeMap<Any, T>,
        mut part: impl FnMut(&T, &T) -> Result<Option<T>, Error>,
    ) -> Result<Option<BTreeMap<Any, T>>, Error> {
        let nothing = T::default();
        let mut parts = BTreeMap::new();
        let keys: BTreeSet<&Any> = own.keys().chain(frozen.keys()).collect();
        for key in keys {
            let (own, frozen) = (own.get(key), frozen.get(key));
            if let Some(part) = part(own.unwrap_or(&nothing), frozen.unwrap_or(&nothing))? {
                parts.insert(key.clone(), part);
            }
        }
        Ok((!parts.is_empty()).then_some(parts))
    }

    fn is_news(&self, dot: Dot) -> bool {
        !self.frozen.context.contains(dot)
    }
}
