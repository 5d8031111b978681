//! One shard: replicas, their watchers and digests, and what was deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloudstate_crdt::{DeletedId, DeletedIds, State};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{Id, Watcher};

/// What a shard holds, as two numbers: two nodes with equal ones have equal replicas and deletions there, but for one in
/// 2⁶⁴.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardDigest {
    /// Of the replicas.
    pub states: u64,
    /// Of the deletions.
    pub deleted: u64,
}

#[derive(Default)]
pub(crate) struct Shard {
    entries: BTreeMap<DeletedId, Entry>,
    pub(crate) deleted: DeletedIds,
    /// Entries of which something is known.
    written: usize,
    /// The sum of what the entries that are not stale contribute.
    digest: ShardDigest,
    /// Entries whose digest is not known.
    stale: Vec<DeletedId>,
}

/// A replica, and who watches it.
struct Entry {
    id: Id,
    state: State,
    digest: Digest,
    watches: Vec<Watch>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    /// Nothing was written yet.
    Nothing,
    Stale,
    Known(u64),
}

struct Watch {
    token: u64,
    watcher: Arc<dyn Watcher>,
    /// The watcher was told and has not looked since.
    told: bool,
}

impl Shard {
    pub(crate) fn is_deleted(&self, id: &Id) -> bool {
        self.deleted.contains(id.hash())
    }

    /// Replicas of which something is known.
    pub(crate) fn len(&self) -> usize {
        self.written
    }

    pub(crate) fn state(&self, hash: DeletedId) -> Option<(&Id, &State)> {
        let entry = self.entries.get(&hash)?;
        (entry.digest != Digest::Nothing).then_some((&entry.id, &entry.state))
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &Id> {
        let written = |entry: &&Entry| entry.digest != Digest::Nothing;
        self.entries.values().filter(written).map(|entry| &entry.id)
    }

    /// Lets `edit` change a replica that is not deleted. What it says is whether it did; then everybody who watches is told,
    /// but for the one with the token `by`.
    pub(crate) fn edit<T>(
        &mut self,
        id: &Id,
        by: Option<u64>,
        edit: impl FnOnce(&mut State) -> (bool, T),
    ) -> T {
        let entry = self.entries.entry(id.hash()).or_insert_with(|| Entry::new(id));
        let (changed, result) = edit(&mut entry.state);
        if changed {
            match entry.digest {
                Digest::Nothing => self.written += 1,
                Digest::Known(known) => self.digest.states = self.digest.states.wrapping_sub(known),
                Digest::Stale => {}
            }
            if entry.digest != Digest::Stale {
                entry.digest = Digest::Stale;
                self.stale.push(id.hash());
            }
            entry.tell(by);
        } else if entry.is_idle() {
            self.entries.remove(&id.hash());
        }
        result
    }

    /// Forgets the replica for ever. Whether it was not deleted yet.
    pub(crate) fn delete(&mut self, hash: DeletedId, by: Option<u64>) -> bool {
        if !self.deleted.insert(hash) {
            return false;
        }
        self.digest.deleted = self.digest.deleted.wrapping_add(xxh3_64(&hash.to_bytes()));
        let Some(entry) = self.entries.get_mut(&hash) else {
            return true;
        };
        self.written -= usize::from(entry.digest != Digest::Nothing);
        if let Digest::Known(known) = entry.digest {
            self.digest.states = self.digest.states.wrapping_sub(known);
        }
        entry.digest = Digest::Nothing;
        entry.state = State::new();
        entry.tell(by);
        if entry.is_idle() {
            self.entries.remove(&hash);
        }
        true
    }

    /// The replica as its watcher sees it, who has looked then.
    pub(crate) fn look(&mut self, id: &Id, token: u64) -> Option<&State> {
        let entry = self.entries.get_mut(&id.hash())?;
        if let Some(watch) = entry.watches.iter_mut().find(|watch| watch.token == token) {
            watch.told = false;
        }
        Some(&entry.state)
    }

    pub(crate) fn watch(&mut self, id: &Id, token: u64, watcher: Arc<dyn Watcher>) {
        let entry = self.entries.entry(id.hash()).or_insert_with(|| Entry::new(id));
        entry.watches.push(Watch {
            token,
            watcher,
            told: false,
        });
    }

    pub(crate) fn unwatch(&mut self, id: &Id, token: u64) {
        let Some(entry) = self.entries.get_mut(&id.hash()) else {
            return;
        };
        entry.watches.retain(|watch| watch.token != token);
        if entry.is_idle() {
            self.entries.remove(&id.hash());
        }
    }

    /// Tells those who watch a vote that the voters are others.
    pub(crate) fn voters_changed(&mut self) {
        for entry in self.entries.values_mut() {
            if !entry.watches.is_empty() && entry.state.has_votes() {
                entry.tell(None);
            }
        }
    }

    pub(crate) fn digest(&mut self) -> ShardDigest {
        for hash in std::mem::take(&mut self.stale) {
            let Some(entry) = self.entries.get_mut(&hash) else {
                continue;
            };
            if entry.digest == Digest::Stale {
                let known = xxh3_64_with_seed(&hash.to_bytes(), entry.state.digest());
                entry.digest = Digest::Known(known);
                self.digest.states = self.digest.states.wrapping_add(known);
            }
        }
        self.digest
    }

    /// The digest of each replica, in the order of their hashes.
    pub(crate) fn digests(&mut self) -> impl Iterator<Item = (DeletedId, u64)> {
        self.digest();
        self.entries
            .iter()
            .filter_map(|(hash, entry)| match entry.digest {
                Digest::Known(known) => Some((*hash, known)),
                Digest::Nothing | Digest::Stale => None,
            })
    }
}

impl Entry {
    fn new(id: &Id) -> Entry {
        Entry {
            id: id.clone(),
            state: State::new(),
            digest: Digest::Nothing,
            watches: Vec::new(),
        }
    }

    /// Whether there is nothing to keep it for.
    fn is_idle(&self) -> bool {
        self.watches.is_empty() && self.digest == Digest::Nothing
    }

    fn tell(&mut self, by: Option<u64>) {
        for watch in &mut self.watches {
            if Some(watch.token) != by && !std::mem::replace(&mut watch.told, true) {
                watch.watcher.changed();
            }
        }
    }
}
