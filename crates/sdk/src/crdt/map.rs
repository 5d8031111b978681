//! Maps to other replicated values.

use std::collections::{BTreeMap, BTreeSet};

use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{OrMapDelta, OrMapEntryDelta};

use super::replicated::{ApplyError, Crdt, Encoded, Replicated, anys, mismatch, on_the_wire};
use crate::Payload;

type Entries<K, V> = BTreeMap<Encoded, (K, V)>;

/// A map to values of one replicated type, maps among them. Changing an entry wins over removing it at the same time. Keys
/// are compared by their encoding.
#[derive(Debug, Clone)]
pub struct ORMap<K, V> {
    all: Entries<K, V>,
    added: BTreeSet<Encoded>,
    /// Entries that were there and may have been changed.
    touched: BTreeSet<Encoded>,
    removed: Entries<K, V>,
    /// All that was there before this command, if it was cleared.
    cleared: Option<Entries<K, V>>,
}

impl<K, V> Default for ORMap<K, V> {
    fn default() -> Self {
        ORMap {
            all: BTreeMap::new(),
            added: BTreeSet::new(),
            touched: BTreeSet::new(),
            removed: BTreeMap::new(),
            cleared: None,
        }
    }
}

impl<K: Payload, V: Crdt> ORMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.all.get(&Encoded::of(key)).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let encoded = Encoded::of(key);
        let (_, value) = self.all.get_mut(&encoded)?;
        if !self.added.contains(&encoded) {
            self.touched.insert(encoded);
        }
        Some(value)
    }

    /// The value of a key, to change it; made if there is none.
    pub fn get_or_create(&mut self, key: impl Into<K>) -> &mut V {
        let key = key.into();
        let encoded = Encoded::of(&key);
        if !self.all.contains_key(&encoded) {
            self.added.insert(encoded.clone());
        } else if !self.added.contains(&encoded) {
            self.touched.insert(encoded.clone());
        }
        let (_, value) = self.all.entry(encoded).or_insert_with(|| (key, V::fresh()));
        value
    }

    /// Removes a key. Whether it was there.
    pub fn remove(&mut self, key: &K) -> bool {
        let encoded = Encoded::of(key);
        let Some((key, mut value)) = self.all.remove(&encoded) else {
            return false;
        };
        self.touched.remove(&encoded);
        if !self.added.remove(&encoded) {
            value.roll_back();
            self.removed.insert(encoded, (key, value));
        }
        true
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        if self.all.is_empty() {
            return;
        }
        let before = self.before();
        self.cleared.get_or_insert(before);
    }

    /// Whether this key is there.
    pub fn contains_key(&self, key: &K) -> bool {
        self.all.contains_key(&Encoded::of(key))
    }

    /// Keys and values, in the order of the keys' encodings.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.all.values().map(|(key, value)| (key, value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes out what was there before this command, or before it was cleared.
    fn before(&mut self) -> Entries<K, V> {
        let mut before = std::mem::take(&mut self.all);
        for encoded in std::mem::take(&mut self.added) {
            before.remove(&encoded);
        }
        for encoded in std::mem::take(&mut self.touched) {
            if let Some((_, value)) = before.get_mut(&encoded) {
                value.roll_back();
            }
        }
        before.append(&mut self.removed);
        before
    }

    fn entries<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Encoded>,
        delta: impl Fn(&V) -> Option<Delta>,
    ) -> Vec<OrMapEntryDelta> {
        let entry = |encoded: &Encoded| {
            let (_, value) = self.all.get(encoded)?;
            Some(OrMapEntryDelta {
                key: Some(encoded.0.clone()),
                delta: Some(on_the_wire(delta(value)?)),
            })
        };
        keys.into_iter().filter_map(entry).collect()
    }
}

impl<K: Payload + Send + 'static, V: Crdt> Replicated for ORMap<K, V> {
    const NAME: &'static str = "ORMap";

    fn fresh() -> Self {
        Self::default()
    }

    fn change(&self) -> Option<Delta> {
        let delta = OrMapDelta {
            cleared: self.cleared.is_some(),
            removed: anys(self.removed.keys()),
            updated: self.entries(&self.touched, V::change),
            added: self.entries(&self.added, V::whole),
        };
        (delta != OrMapDelta::default()).then_some(Delta::Ormap(delta))
    }

    fn whole(&self) -> Option<Delta> {
        Some(Delta::Ormap(OrMapDelta {
            added: self.entries(self.all.keys(), V::whole),
            ..OrMapDelta::default()
        }))
    }

    fn settle(&mut self) {
        let all = &mut self.all;
        let mut settle = |encoded: &Encoded| {
            let value = all.get_mut(encoded).map(|(_, value)| value);
            // What has no type yet nobody was told of.
            value.is_some_and(|value| {
                value.settle();
                value.whole().is_none()
            })
        };
        self.added.retain(&mut settle);
        for encoded in std::mem::take(&mut self.touched) {
            settle(&encoded);
        }
        self.removed.clear();
        self.cleared = None;
    }

    fn roll_back(&mut self) {
        let before = self.before();
        self.all = self.cleared.take().unwrap_or(before);
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Ormap(delta) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        if delta.cleared {
            self.all.clear();
        }
        for any in delta.removed {
            self.all.remove(&Encoded(any));
        }
        for entry in delta.updated {
            let (key, delta) = (Encoded(entry.key.unwrap_or_default()), entry.delta);
            match (self.all.get_mut(&key), delta.and_then(|delta| delta.delta)) {
                (Some((_, value)), Some(delta)) => value.apply(delta)?,
                _ => tracing::warn!("the proxy updated an entry of a map that is not there"),
            }
        }
        for entry in delta.added {
            let any = entry.key.unwrap_or_default();
            let (key, mut value) = (K::from_any(&any)?, V::fresh());
            if let Some(delta) = entry.delta.and_then(|delta| delta.delta) {
                value.apply(delta)?;
            }
            value.settle();
            self.all.insert(Encoded(any), (key, value));
        }
        Ok(())
    }
}
