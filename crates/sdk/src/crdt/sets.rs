//! Sets that many nodes change at the same time.

use std::collections::{BTreeMap, BTreeSet};

use cloudstate_protocol::Any;
use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{GSetDelta, OrSetDelta};

use super::replicated::{ApplyError, Encoded, Replicated, anys, mismatch};
use crate::{Payload, PayloadError};

type Elements<T> = BTreeMap<Encoded, T>;

fn read<T: Payload>(any: Any) -> Result<(Encoded, T), PayloadError> {
    let element = T::from_any(&any)?;
    Ok((Encoded(any), element))
}

/// A set that only grows. Elements are compared by their encoding.
#[derive(Debug, Clone)]
pub struct GSet<T> {
    all: Elements<T>,
    added: BTreeSet<Encoded>,
}

impl<T> Default for GSet<T> {
    fn default() -> Self {
        GSet {
            all: BTreeMap::new(),
            added: BTreeSet::new(),
        }
    }
}

impl<T: Payload> GSet<T> {
    /// Adds an element. Whether it was not there.
    pub fn add(&mut self, element: impl Into<T>) -> bool {
        let element = element.into();
        let encoded = Encoded::of(&element);
        if self.all.contains_key(&encoded) {
            return false;
        }
        self.added.insert(encoded.clone());
        self.all.insert(encoded, element);
        true
    }

    /// Whether this element is there.
    pub fn contains(&self, element: &T) -> bool {
        self.all.contains_key(&Encoded::of(element))
    }

    /// The elements, in the order of their encodings.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl<T: Payload + Send + 'static> Replicated for GSet<T> {
    const NAME: &'static str = "GSet";

    fn fresh() -> Self {
        Self::default()
    }

    fn change(&self) -> Option<Delta> {
        let added = anys(&self.added);
        (!added.is_empty()).then_some(Delta::Gset(GSetDelta { added }))
    }

    fn whole(&self) -> Option<Delta> {
        Some(Delta::Gset(GSetDelta {
            added: anys(self.all.keys()),
        }))
    }

    fn settle(&mut self) {
        self.added.clear();
    }

    fn roll_back(&mut self) {
        for encoded in std::mem::take(&mut self.added) {
            self.all.remove(&encoded);
        }
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Gset(GSetDelta { added }) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        for any in added {
            let (encoded, element) = read(any)?;
            self.all.insert(encoded, element);
        }
        Ok(())
    }
}

/// A set; adding an element wins over removing it at the same time. Elements are compared by their encoding.
#[derive(Debug, Clone)]
pub struct ORSet<T> {
    all: Elements<T>,
    added: BTreeSet<Encoded>,
    removed: Elements<T>,
    /// All that was there before this command, if it removed all.
    cleared: Option<Elements<T>>,
}

impl<T> Default for ORSet<T> {
    fn default() -> Self {
        ORSet {
            all: BTreeMap::new(),
            added: BTreeSet::new(),
            removed: BTreeMap::new(),
            cleared: None,
        }
    }
}

impl<T: Payload> ORSet<T> {
    /// Adds an element. Whether it was not there.
    pub fn add(&mut self, element: impl Into<T>) -> bool {
        let element = element.into();
        let encoded = Encoded::of(&element);
        if self.all.contains_key(&encoded) {
            return false;
        }
        if self.removed.remove(&encoded).is_none() {
            self.added.insert(encoded.clone());
        }
        self.all.insert(encoded, element);
        true
    }

    /// Removes an element. Whether it was there.
    pub fn remove(&mut self, element: &T) -> bool {
        let encoded = Encoded::of(element);
        if !self.all.contains_key(&encoded) {
            return false;
        }
        if self.all.len() == 1 {
            self.clear();
        } else if let Some(removed) = self.all.remove(&encoded)
            && !self.added.remove(&encoded)
        {
            self.removed.insert(encoded, removed);
        }
        true
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        if self.all.is_empty() {
            return;
        }
        let before = self.before();
        self.cleared.get_or_insert(before);
    }

    /// Whether this element is there.
    pub fn contains(&self, element: &T) -> bool {
        self.all.contains_key(&Encoded::of(element))
    }

    /// The elements, in the order of their encodings.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes out what was there before this command, or before it was cleared.
    fn before(&mut self) -> Elements<T> {
        let mut before = std::mem::take(&mut self.all);
        for encoded in std::mem::take(&mut self.added) {
            before.remove(&encoded);
        }
        before.append(&mut self.removed);
        before
    }
}

impl<T: Payload + Send + 'static> Replicated for ORSet<T> {
    const NAME: &'static str = "ORSet";

    fn fresh() -> Self {
        Self::default()
    }

    fn change(&self) -> Option<Delta> {
        let delta = OrSetDelta {
            cleared: self.cleared.is_some(),
            removed: anys(self.removed.keys()),
            added: anys(&self.added),
        };
        (delta != OrSetDelta::default()).then_some(Delta::Orset(delta))
    }

    fn whole(&self) -> Option<Delta> {
        Some(Delta::Orset(OrSetDelta {
            added: anys(self.all.keys()),
            ..OrSetDelta::default()
        }))
    }

    fn settle(&mut self) {
        self.added.clear();
        self.removed.clear();
        self.cleared = None;
    }

    fn roll_back(&mut self) {
        let before = self.before();
        self.all = self.cleared.take().unwrap_or(before);
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Orset(delta) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        if delta.cleared {
            self.all.clear();
        }
        for any in delta.removed {
            self.all.remove(&Encoded(any));
        }
        for any in delta.added {
            let (encoded, element) = read(any)?;
            self.all.insert(encoded, element);
        }
        Ok(())
    }
}
