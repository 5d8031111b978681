//! Maps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::any::Any;
use crate::apply::{Turn, slot};
use crate::change::{Change, MapChange};
use crate::error::Error;
use crate::join::Join;
use crate::slot::{Content, Slot};
use crate::writer::Writer;

/// Clears, removes, updates, adds, in this order.
pub(super) fn change(
    entries: &BTreeMap<Any, Slot>,
    change: &MapChange,
    turn: &Turn,
    writer: &mut Writer<'_>,
    depth: usize,
) -> Result<Content, Error> {
    let mut map = MapWriter {
        entries,
        cleared: change.cleared,
        delta: BTreeMap::new(),
        turn,
        depth: depth + 1,
    };
    map.remove(change, writer);
    for entry in &change.updated {
        if let (Some(current), Some(change)) = (map.current(&entry.key, writer), &entry.change) {
            match map.write(&entry.key, Some(&current), change, writer) {
                Err(error) if error.is_misfit() => {}
                outcome => outcome?,
            }
        }
    }
    for entry in &change.added {
        let change = entry.change.as_ref().ok_or(Error::EmptyDelta)?;
        let current = map.current(&entry.key, writer);
        map.write(&entry.key, current.as_deref(), change, writer)?;
    }
    Ok(Content::Entries(map.delta))
}

struct MapWriter<'a> {
    /// As they were before this change.
    entries: &'a BTreeMap<Any, Slot>,
    cleared: bool,
    /// What the change has done so far.
    delta: BTreeMap<Any, Slot>,
    turn: &'a Turn,
    depth: usize,
}

impl<'a> MapWriter<'a> {
    fn remove(&mut self, change: &MapChange, writer: &mut Writer<'_>) {
        if change.cleared {
            for slot in self.entries.values() {
                slot.for_each_dot(&mut |dot, _| writer.cover_dot(dot));
            }
            return;
        }
        for key in &change.removed {
            if let Some(slot) = self.entries.get(key) {
                slot.for_each_dot(&mut |dot, _| writer.cover_dot(dot));
                self.delta
                    .insert(key.clone(), Slot::from_sorted(true, Vec::new()));
            }
        }
    }

    /// The entry as this change has left it so far.
    fn current(&self, key: &Any, writer: &Writer<'_>) -> Option<Cow<'a, Slot>> {
        let before = self.entries.get(key).filter(|_| !self.cleared);
        let Some(done) = self.delta.get(key) else {
            return before.map(Cow::Borrowed);
        };
        let mut slot = before.cloned().unwrap_or_default();
        let join = Join {
            known: writer.known,
            their_known: &writer.covered,
            keep_places: false,
        };
        join.slot(&mut slot, done, false);
        (!slot.is_empty()).then_some(Cow::Owned(slot))
    }

    fn write(
        &mut self,
        key: &Any,
        current: Option<&Slot>,
        change: &Change,
        writer: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let mut part = writer.part();
        let delta = slot(current, change, self.turn, &mut part, self.depth)?;
        let join = Join {
            known: &writer.covered,
            their_known: &part.covered,
            keep_places: true,
        };
        join.slot(self.delta.entry(key.clone()).or_default(), &delta, false);
        writer.absorb(&part);
        Ok(())
    }
}
