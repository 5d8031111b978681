//! The way to the other nodes, as a replica sees it.

use std::fmt;
use std::pin::Pin;

use cloudstate_crdt::Delta;

use crate::Id;

/// On how many members a change has to be before it counts as made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// On this one.
    #[default]
    Local,
    /// On more than half of them, this one included.
    Majority,
    /// On every member.
    All,
}

/// A change is not on as many members as was asked for, within the time that there was. It is made here all the same,
/// and spreads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", ShortOfConsistency::TEXT)]
pub struct ShortOfConsistency;

impl ShortOfConsistency {
    /// What the client hears; the text is the protocol's.
    pub const TEXT: &'static str = "Failed to update CRDT at requested write consistency";
}

/// What the other nodes have to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// The entity was changed.
    Delta(Delta),
    /// The entity was deleted.
    Deleted,
}

/// When a change counts as made.
pub enum Acknowledged {
    /// It does.
    Now,
    /// When this ends. It ends in bounded time, also if it is never polled.
    Later(Pin<Box<dyn Future<Output = Result<(), ShortOfConsistency>> + Send>>),
}

/// Ends when the replica is as recent as it has to be before an entity starts, or cannot become so in time.
pub type FirstUse = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes changes to the other nodes. Calls come from any thread and must not wait, nor call the replicas back.
pub trait Publish: Send + Sync {
    /// A change that was made here. Those of one entity come in any order.
    fn publish(&self, id: &Id, publication: Publication, consistency: Consistency) -> Acknowledged;

    /// An instance of an entity starts: a majority has to be asked what it knows, so that what was acknowledged by a
    /// majority is there. `None` if nobody has to be asked.
    fn first_use(&self, id: &Id) -> Option<FirstUse>;
}

/// No other nodes: this one is a majority, and all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Publish for Alone {
    fn publish(&self, _: &Id, _: Publication, _: Consistency) -> Acknowledged {
        Acknowledged::Now
    }

    fn first_use(&self, _: &Id) -> Option<FirstUse> {
        None
    }
}

impl fmt::Debug for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Acknowledged::Now => "Now",
            Acknowledged::Later(_) => "Later",
        })
    }
}
