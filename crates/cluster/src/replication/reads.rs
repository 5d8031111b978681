//! Majority reads, before an entity is used for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cloudstate_crdt::{DeletedId, Limits, NodeId};
use cloudstate_replica::{Id, Replicas};
use tokio::sync::oneshot;

use super::{entities, repair};
use crate::membership::view::View;
use crate::wire::{self, message::Body};

#[derive(Default)]
pub(super) struct Reads {
    number: u64,
    open: BTreeMap<u64, Read>,
}

struct Read {
    body: Body,
    answered: BTreeSet<NodeId>,
    until: Duration,
    done: oneshot::Sender<()>,
}

impl Reads {
    pub(super) fn begin(
        &mut self,
        id: &Id,
        replicas: &Replicas,
        done: oneshot::Sender<()>,
        until: Duration,
    ) -> Body {
        self.number += 1;
        let body = Body::Read(wire::Read {
            read: self.number,
            hash: entities::bytes([id.hash()]),
            digest: digest(id.hash(), replicas),
        });
        let read = Read {
            body: body.clone(),
            answered: BTreeSet::new(),
            until,
            done,
        };
        self.open.insert(self.number, read);
        body
    }

    pub(super) fn answered(
        &mut self,
        by: NodeId,
        answer: &wire::ReadAnswer,
        same_view: bool,
        replicas: &Replicas,
        limits: &Limits,
    ) {
        repair::merge(replicas, answer.state.as_slice(), limits);
        replicas.merge_deleted(entities::hashes(&answer.deleted));
        if same_view
            && answer.current
            && let Some(read) = self.open.get_mut(&answer.read)
        {
            read.answered.insert(by);
        }
    }

    /// In another view the answers of before do not count: what to ask again.
    pub(super) fn view_changed(&mut self) -> Vec<Body> {
        let asked = self.open.values_mut().map(|read| {
            read.answered.clear();
            read.body.clone()
        });
        asked.collect()
    }

    /// What to ask a node again, since it may be lost.
    pub(super) fn not_answered_by(&self, node: NodeId) -> Vec<Body> {
        let missing = self.open.values().filter(|read| !read.answered.contains(&node));
        missing.map(|read| read.body.clone()).collect()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.open.values().map(|read| read.until).min()
    }

    /// Ends reads that a majority has answered, and those that are out of time: then what is known here has to do.
    pub(super) fn settle(&mut self, view: Option<&View>, own: NodeId, own_current: bool, now: Duration) {
        let is_met = |read: &Read| {
            let counts = |id: &NodeId| {
                if *id == own {
                    own_current
                } else {
                    read.answered.contains(id)
                }
            };
            view.is_some_and(|view| view.ids().filter(counts).count() >= view.majority())
        };
        let ended: Vec<_> = self
            .open
            .iter()
            .filter(|(_, read)| is_met(read) || now >= read.until)
            .map(|(number, _)| *number)
            .collect();
        for number in ended {
            if let Some(read) = self.open.remove(&number) {
                // The receiver may have gone; then nobody minds.
                let _ = read.done.send(());
            }
        }
    }
}

pub(super) fn answer(read: &wire::Read, replicas: &Replicas, current: bool) -> wire::ReadAnswer {
    let mut answer = wire::ReadAnswer {
        read: read.read,
        current,
        ..wire::ReadAnswer::default()
    };
    for hash in entities::hashes(&read.hash) {
        match replicas.state_of(hash) {
            Some((id, state)) if state.digest() != read.digest => {
                answer.state = Some(entities::state(&id, &state))
            }
            Some(_) => {}
            None if replicas.is_deleted_hash(hash) => answer.deleted = entities::bytes([hash]),
            None => {}
        }
    }
    answer
}

fn digest(hash: DeletedId, replicas: &Replicas) -> u64 {
    replicas.state_of(hash).map_or(0, |(_, state)| state.digest())
}
