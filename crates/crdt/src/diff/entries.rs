//! Differences of maps.

use std::collections::BTreeMap;

use crate::any::Any;
use crate::change::{Entry, MapChange};
use crate::diff::{self, Difference, Voters};
use crate::error::Error;
use crate::plain::Plain;
use crate::slot::Slot;

/// The change that leads from one to the other; one that says nothing if they are equal.
pub(super) fn change(
    known: &BTreeMap<Any, Plain>,
    entries: &BTreeMap<Any, Slot>,
    voters: &Voters<'_>,
) -> Result<MapChange, Error> {
    let mut change = MapChange::default();
    if entries.is_empty() {
        change.cleared = !known.is_empty();
        return Ok(change);
    }
    let gone = known.keys().filter(|key| !entries.contains_key(*key));
    change.removed = gone.cloned().collect();
    for (key, slot) in entries {
        let known = known.get(key);
        match diff::slot(slot, known, voters)? {
            Difference::None => {}
            Difference::Change(part) if known.is_some() => change.updated.push(entry(key, part)),
            Difference::Change(part) => change.added.push(entry(key, part)),
            Difference::Incompatible => {
                change.removed.push(key.clone());
                if let Difference::Change(whole) = diff::slot(slot, None, voters)? {
                    change.added.push(entry(key, whole));
                }
            }
        }
    }
    Ok(change)
}

fn entry(key: &Any, change: crate::change::Change) -> Entry {
    Entry {
        key: key.clone(),
        change: Some(change),
    }
}
