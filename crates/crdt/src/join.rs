//! The join of two trees: what every merge comes down to.
//!
//! A write that one side holds at a place and the other does not: if the other side's context knows it, it was removed
//! there; if not, it is news. This holds for each place by itself, so the join goes through both trees in step.
//!
//! A delta holds only the places that it changes, and says nothing about the others, although its context names what it
//! removed. All of that stood at places that the delta holds, or below one that is `swept`, since a write lives at one
//! place only. So the join of a delta costs as much as the delta is large, not the state.

use std::collections::BTreeMap;

use crate::any::Any;
use crate::context::Context;
use crate::dots::Dots;
use crate::slot::{Content, Slot, Variant};

/// Two contexts, as they were before the join, and how to go about it.
pub(crate) struct Join<'a> {
    pub(crate) known: &'a Context,
    pub(crate) their_known: &'a Context,
    /// Whether places stay in which no write lives. They do in deltas, where they stand for removals.
    pub(crate) keep_places: bool,
}

/// What stands under a key.
trait Place: Default + Clone {
    fn is_empty(&self) -> bool;
    fn join(&mut self, theirs: &Self, by: &Join<'_>, whole: bool) -> bool;
}

impl Join<'_> {
    /// Joins `theirs` into `mine`. With `whole`, `theirs` speaks of all below; otherwise of the places that it holds. Says
    /// whether a live write came or went.
    pub(crate) fn slot(&self, mine: &mut Slot, theirs: &Slot, whole: bool) -> bool {
        let whole = whole || theirs.swept;
        mine.swept |= theirs.swept && self.keep_places;
        let mut changed = false;
        for variant in theirs.variants() {
            changed |= self.variant(mine.variant_mut(variant.kind()), variant, whole);
        }
        if whole {
            mine.retain(|variant| {
                if theirs.variant(variant.kind()).is_none() {
                    changed |= self.variant(variant, &Variant::new(variant.kind()), true);
                }
            });
        }
        if !self.keep_places {
            mine.prune();
        }
        changed
    }

    fn variant(&self, mine: &mut Variant, theirs: &Variant, whole: bool) -> bool {
        let presence = self.dots(&mut mine.presence, &theirs.presence);
        let content = match (&mut mine.content, &theirs.content) {
            (Content::Tallies(mine), Content::Tallies(theirs)) => self.dots(mine, theirs),
            (Content::Elements(mine), Content::Elements(theirs)) => self.places(mine, theirs, whole),
            (Content::Writes(mine), Content::Writes(theirs)) => self.dots(mine, theirs),
            (Content::Marks(mine), Content::Marks(theirs)) => self.dots(mine, theirs),
            (Content::Entries(mine), Content::Entries(theirs)) => self.places(mine, theirs, whole),
            // `Variant::new` alone chooses the content of a kind, and both are of one kind.
            _ => false,
        };
        presence | content
    }

    fn dots<V: Clone + Ord>(&self, mine: &mut Dots<V>, theirs: &Dots<V>) -> bool {
        mine.join(theirs, self.known, self.their_known)
    }

    fn places<T: Place>(&self, mine: &mut BTreeMap<Any, T>, theirs: &BTreeMap<Any, T>, whole: bool) -> bool {
        let mut changed = false;
        for (key, their_place) in theirs {
            let Some(place) = mine.get_mut(key) else {
                let mut place = T::default();
                changed |= place.join(their_place, self, whole);
                if self.keep_places || !place.is_empty() {
                    mine.insert(key.clone(), place);
                }
                continue;
            };
            changed |= place.join(their_place, self, whole);
            if !self.keep_places && place.is_empty() {
                mine.remove(key);
            }
        }
        if whole {
            let nothing = T::default();
            mine.retain(|key, place| {
                if !theirs.contains_key(key) {
                    changed |= place.join(&nothing, self, true);
                }
                self.keep_places || !place.is_empty()
            });
        }
        changed
    }
}

impl Place for Dots {
    fn is_empty(&self) -> bool {
        Dots::is_empty(self)
    }

    fn join(&mut self, theirs: &Dots, by: &Join<'_>, _whole: bool) -> bool {
        by.dots(self, theirs)
    }
}

impl Place for Slot {
    fn is_empty(&self) -> bool {
        Slot::is_empty(self)
    }

    fn join(&mut self, theirs: &Slot, by: &Join<'_>, whole: bool) -> bool {
        by.slot(self, theirs, whole)
    }
}
