//! Comparing all replicas with those of another member, and repairing what differs.
//!
//! ```text
//!   requester                                    answerer (keeps nothing)
//!     Compare   256 digests of states, of deletions ──▶
//!            ◀── Differs   the shards that differ
//!     Entries   of one such shard: hashes, digests, deletions ──▶
//!            ◀── Repair    states that differ or are missing; what is wanted in turn; more?
//!     States    what was wanted ──▶
//!     Entries   of the same shard while there is more, then of the next …
//! ```
//!
//! A new node does nothing else: all shards differ. What comes in one message is bounded, and one is under way at a time, so that a
//! repair of any size takes the memory of one message.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cloudstate_crdt::{DeletedIds, Limits, NodeId};
use cloudstate_replica::{Replicas, SHARDS};

use super::entities;
use crate::wire::{self, message::Body};

/// A repair in which nothing arrives for so long is given up.
const PATIENCE: Duration = Duration::from_secs(3);
const FRUITLESS_MAX: u8 = 5;

/// A repair that this node has asked for.
pub(super) struct Session {
    pub(super) number: u64,
    /// What the other side said of itself: see [`wire::Differs::current_in`].
    current_in: u64,
    shards: VecDeque<u8>,
    /// Messages in a row that said nothing new.
    fruitless: u8,
    pub(super) until: Duration,
}

/// How a repair goes on.
pub(super) enum Progress {
    /// With these messages.
    Send(Vec<Body>),
    /// It is complete, but for these messages: this node has all that the other had when it began.
    Complete { current_in: u64, send: Vec<Body> },
    /// The message belongs to another repair.
    Stray,
    /// The other side cannot say what differs.
    Failed,
}

impl Session {
    /// Begins a repair.
    pub(super) fn begin(number: u64, replicas: &Replicas, now: Duration) -> (Session, Body) {
        let digests: Vec<_> = all_shards().map(|shard| replicas.shard_digest(shard)).collect();
        let body = Body::Compare(wire::Compare {
            session: number,
            states: digests.iter().map(|digest| digest.states).collect(),
            deleted: digests.iter().map(|digest| digest.deleted).collect(),
        });
        let session = Session {
            number,
            current_in: 0,
            shards: VecDeque::new(),
            fruitless: 0,
            until: now + PATIENCE,
        };
        (session, body)
    }

    pub(super) fn differs(
        &mut self,
        differs: &wire::Differs,
        replicas: &Replicas,
        now: Duration,
    ) -> Progress {
        if differs.session != self.number {
            return Progress::Stray;
        }
        self.current_in = differs.current_in;
        let shards = differs
            .shards
            .iter()
            .filter_map(|shard| u8::try_from(*shard).ok());
        self.shards = shards.collect();
        self.next(Vec::new(), replicas, now)
    }

    pub(super) fn repair(
        &mut self,
        repair: &wire::Repair,
        replicas: &Replicas,
        limits: &Limits,
        now: Duration,
    ) -> Progress {
        let is_expected = self
            .shards
            .front()
            .is_some_and(|shard| u32::from(*shard) == repair.shard);
        if repair.session != self.number || !is_expected {
            return Progress::Stray;
        }
        let learned = merge(replicas, &repair.states, limits);
        merge_deleted(replicas, &repair.deleted, limits);
        let wanted = entities::hashes(&repair.wanted).filter_map(|hash| replicas.state_of(hash));
        let states: Vec<_> = wanted.map(|(id, state)| entities::state(&id, &state)).collect();
        if !repair.more {
            self.shards.pop_front();
            self.fruitless = 0;
        } else if learned == 0 {
            // It may have come another way meanwhile; but not for ever.
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS_MAX {
                return Progress::Failed;
            }
        }
        let answer = (!states.is_empty()).then_some(Body::States(wire::States { states }));
        self.next(answer.into_iter().collect(), replicas, now)
    }

    fn next(&mut self, mut bodies: Vec<Body>, replicas: &Replicas, now: Duration) -> Progress {
        self.until = now + PATIENCE;
        match self.shards.front() {
            Some(shard) => {
                bodies.push(entries(self.number, *shard, replicas));
                Progress::Send(bodies)
            }
            None => Progress::Complete {
                current_in: self.current_in,
                send: bodies,
            },
        }
    }
}

/// Answers the begin of a repair.
pub(super) fn compare(compare: &wire::Compare, replicas: &Replicas, current_in: u64) -> Body {
    let differs = |(shard, (states, deleted)): (u8, (&u64, &u64))| {
        let digest = replicas.shard_digest(shard);
        (digest.states != *states || digest.deleted != *deleted).then_some(u32::from(shard))
    };
    let theirs = compare.states.iter().zip(&compare.deleted);
    Body::Differs(wire::Differs {
        session: compare.session,
        shards: all_shards().zip(theirs).filter_map(differs).collect(),
        current_in,
    })
}

/// Answers with what differs in a shard, as much as fits.
pub(super) fn answer(
    entries: &wire::Entries,
    replicas: &Replicas,
    limits: &Limits,
    bytes_max: usize,
) -> Option<Body> {
    let shard = u8::try_from(entries.shard).ok()?;
    merge_deleted(replicas, &entries.deleted, limits);
    let theirs: BTreeMap<_, _> = entities::hashes(&entries.hashes)
        .zip(entries.digests.iter().copied())
        .collect();
    let mine = replicas.digests(shard);
    let mut repair = wire::Repair {
        session: entries.session,
        shard: entries.shard,
        deleted: replicas.deleted(shard).encode().into(),
        ..wire::Repair::default()
    };
    let (mut wanted, mut bytes) = (Vec::new(), 0);
    for (hash, digest) in &mine {
        if theirs.get(hash) == Some(digest) {
            continue;
        }
        if bytes >= bytes_max {
            repair.more = true;
            break;
        }
        if theirs.contains_key(hash) {
            wanted.push(*hash);
        }
        if let Some((id, state)) = replicas.state_of(*hash) {
            let entity = entities::state(&id, &state);
            bytes += entity.content.len();
            repair.states.push(entity);
        }
    }
    let deleted = replicas.deleted(shard);
    let is_missing =
        |hash: &_| mine.binary_search_by_key(hash, |(mine, _)| *mine).is_err() && !deleted.contains(*hash);
    wanted.extend(theirs.into_keys().filter(is_missing));
    repair.wanted = entities::bytes(wanted);
    Some(Body::Repair(repair))
}

/// Merges states of a peer; how many said something new.
pub(super) fn merge(replicas: &Replicas, states: &[wire::Entity], limits: &Limits) -> usize {
    let read = states
        .iter()
        .filter_map(|entity| entities::read_state(entity, limits));
    let learned = read.filter(|(id, state)| {
        let merged = replicas.merge_state(id, state);
        matches!(merged, cloudstate_replica::Merged::Done { learned: true, .. })
    });
    learned.count()
}

fn merge_deleted(replicas: &Replicas, bytes: &[u8], limits: &Limits) {
    match DeletedIds::decode(bytes, limits) {
        Ok(deleted) => drop(replicas.merge_deleted(deleted.iter())),
        Err(error) => tracing::warn!(%error, "the deletions of a peer cannot be read"),
    }
}

fn entries(session: u64, shard: u8, replicas: &Replicas) -> Body {
    let digests = replicas.digests(shard);
    Body::Entries(wire::Entries {
        session,
        shard: shard.into(),
        hashes: entities::bytes(digests.iter().map(|(hash, _)| *hash)),
        digests: digests.iter().map(|(_, digest)| *digest).collect(),
        deleted: replicas.deleted(shard).encode().into(),
    })
}

fn all_shards() -> impl Iterator<Item = u8> {
    (0..SHARDS).filter_map(|shard| u8::try_from(shard).ok())
}

/// The repairs that this node has asked for: one with each member at most, few at once.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) running: BTreeMap<NodeId, Session>,
    /// With whom to begin one, and when.
    pub(super) wanted: BTreeMap<NodeId, Duration>,
    pub(super) next_random: Duration,
    pub(super) number: u64,
}

impl Sessions {
    /// Asks for a repair soon.
    pub(super) fn want(&mut self, node: NodeId, at: Duration) {
        let wanted = self.wanted.entry(node).or_insert(at);
        *wanted = at.min(*wanted);
    }

    pub(super) fn deadline(&self) -> Duration {
        let running = self.running.values().map(|session| session.until);
        running
            .chain(self.wanted.values().copied())
            .chain([self.next_random])
            .min()
            .unwrap_or(self.next_random)
    }
}
