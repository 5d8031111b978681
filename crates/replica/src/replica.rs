//! The replica of one entity, as an instance of the entity uses it.

use std::fmt;
use std::sync::Arc;

use cloudstate_crdt::{Author, Change, Difference, Error, Plain};

use crate::Id;
use crate::publish::{Acknowledged, Consistency, FirstUse, Publication};
use crate::replicas::{Replicas, lock};

/// Is told when somebody else changed a replica. Called under a lock, from any thread: it must neither wait nor call back.
pub trait Watcher: Send + Sync {
    /// The replica changed, was deleted, or its voters are others. Comes once, then not until the difference was asked
    /// for.
    fn changed(&self);
}

/// What became of a change.
#[derive(Debug)]
pub enum Updated {
    /// It is made here.
    Made(Acknowledged),
    /// The entity is deleted, which no change undoes.
    Deleted,
}

/// What an instance finds when it looks at the replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What leads from the value that the function knows to that of the replica.
    Difference(Difference),
    /// The entity is deleted.
    Deleted,
}

/// The replica of one entity. Its watcher is told of changes until it is dropped.
pub struct Replica {
    replicas: Arc<Replicas>,
    id: Id,
    token: u64,
}

impl Replica {
    pub(crate) fn new(replicas: Arc<Replicas>, id: Id, watcher: Arc<dyn Watcher>) -> Replica {
        let token = replicas.next_token();
        lock(replicas.shard(&id)).watch(&id, token, watcher);
        Replica { replicas, id, token }
    }

    /// Which entity.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Makes a change of the user function: here at once, elsewhere as the consistency says. `now_ms` is the wall clock in
    /// milliseconds since 1970, for registers. Other instances of the entity on this node are told.
    ///
    /// # Errors
    /// If the change does not fit; then nothing has changed.
    pub fn update(&self, change: &Change, consistency: Consistency, now_ms: i64) -> Result<Updated, Error> {
        // Held until the change is made: nobody writes under an identity after it was replaced.
        let members = self.replicas.members();
        let author = Author {
            node: members.own,
            now_ms,
        };
        let delta = {
            let mut shard = lock(self.replicas.shard(&self.id));
            if shard.is_deleted(&self.id) {
                return Ok(Updated::Deleted);
            }
            let limits = &self.replicas.limits;
            shard.edit(&self.id, Some(self.token), |state| {
                let made = state.apply(change, author, limits);
                (made.is_ok(), made)
            })?
        };
        drop(members);
        Ok(Updated::Made(
            self.publish(Publication::Delta(delta), consistency),
        ))
    }

    /// Deletes the entity for ever: here at once, elsewhere as the consistency says.
    pub fn delete(&self, consistency: Consistency) -> Acknowledged {
        lock(self.replicas.shard(&self.id)).delete(self.id.hash(), Some(self.token));
        self.publish(Publication::Deleted, consistency)
    }

    /// What the function has to be told, if it has the value `known`; from `None`, the whole value. The watcher is told of
    /// later changes again.
    ///
    /// # Errors
    /// If a counter is beyond what the wire can carry.
    pub fn difference(&self, known: Option<&Plain>) -> Result<Found, Error> {
        let members = self.replicas.members();
        let mut shard = lock(self.replicas.shard(&self.id));
        if shard.is_deleted(&self.id) {
            return Ok(Found::Deleted);
        }
        let difference = match shard.look(&self.id, self.token) {
            Some(state) => state.diff(known, &members.voters())?,
            // Watched replicas are there until they are deleted.
            None => Difference::None,
        };
        Ok(Found::Difference(difference))
    }

    /// Whether the entity is deleted.
    pub fn is_deleted(&self) -> bool {
        self.replicas.is_deleted(&self.id)
    }

    /// What has to be awaited before the replica is used for the first time by an instance.
    pub fn first_use(&self) -> Option<FirstUse> {
        self.replicas.publish.first_use(&self.id)
    }

    fn publish(&self, publication: Publication, consistency: Consistency) -> Acknowledged {
        self.replicas.publish.publish(&self.id, publication, consistency)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        lock(self.replicas.shard(&self.id)).unwatch(&self.id, self.token);
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replica({:?})", self.id)
    }
}
