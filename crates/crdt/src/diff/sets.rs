//! Differences of sets.

use std::collections::{BTreeMap, BTreeSet};

use crate::any::Any;
use crate::change::{Change, SetChange};
use crate::diff::{Difference, unless};
use crate::dots::Dots;

type Elements = BTreeMap<Any, Dots>;

/// Of a set that only grows. A nested one shrinks when its entry was removed and added again.
pub(super) fn grown(known: &BTreeSet<Any>, elements: &Elements) -> Difference {
    if known.iter().any(|element| !elements.contains_key(element)) {
        return Difference::Incompatible;
    }
    let added = missing(known, elements);
    unless(added.is_empty(), Change::GSet { added })
}

/// Of any set: as removals and additions, or anew if that is shorter.
pub(super) fn changed(known: &BTreeSet<Any>, elements: &Elements) -> Difference {
    if elements.is_empty() {
        let change = SetChange {
            cleared: true,
            ..SetChange::default()
        };
        return unless(known.is_empty(), Change::ORSet(change));
    }
    let gone = known.iter().filter(|element| !elements.contains_key(*element));
    let mut change = SetChange {
        cleared: false,
        removed: gone.cloned().collect(),
        added: missing(known, elements),
    };
    if change.removed.len() + change.added.len() > elements.len() {
        change = all(elements);
        change.cleared = true;
    }
    let same = change.removed.is_empty() && change.added.is_empty();
    unless(same, Change::ORSet(change))
}

/// The whole set, for a function that has none.
pub(super) fn all(elements: &Elements) -> SetChange {
    SetChange {
        added: elements.keys().cloned().collect(),
        ..SetChange::default()
    }
}

fn missing(known: &BTreeSet<Any>, elements: &Elements) -> Vec<Any> {
    let new = elements.keys().filter(|element| !known.contains(*element));
    new.cloned().collect()
}
