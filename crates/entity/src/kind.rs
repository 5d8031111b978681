//! What differs between event sourced and value entities.

use std::fmt::Debug;
use std::sync::Arc;

use cloudstate_protocol::{self as protocol, SideEffect, client_action};

use crate::CommitOutcome;

/// Which entity an activation is of.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Full name of the service.
    pub service: Arc<str>,
    /// The entity id.
    pub entity_id: Arc<str>,
}

/// The fixed texts that callers see when an activation ends unexpectedly.
#[derive(Debug)]
pub struct Texts {
    /// For the command in hand: a reply that does not answer it.
    pub reply: &'static str,
    /// For the command in hand: the function failed the stream.
    pub failure: &'static str,
    /// For the command in hand: an empty or unknown message.
    pub message: &'static str,
    /// For the command in hand: the stream ended.
    pub termination: &'static str,
    /// For the command in hand: the store and the machine disagree.
    pub behavior: &'static str,
    /// For waiting commands, in all these cases.
    pub queued: &'static str,
}

/// A message of the function, sorted out.
#[derive(Debug)]
pub enum Incoming<K: Kind> {
    /// The answer of a command.
    Reply(TurnReply<K>),
    /// The function gives the stream up.
    Failure(protocol::Failure),
    /// Neither.
    Unknown,
}

/// The answer of a command.
#[derive(Debug)]
pub struct TurnReply<K: Kind> {
    /// The command that it answers.
    pub command_id: i64,
    /// For the client.
    pub action: Option<client_action::Action>,
    /// To run before the client is answered.
    pub side_effects: Vec<SideEffect>,
    /// What to commit first; `Err` says how it breaks the protocol.
    pub commit: Result<Option<K::Commit>, String>,
    /// What to store when that commit is durable.
    pub snapshot: Option<K::Snapshot>,
    /// Whether to drop the commit and replay the entity.
    pub restart: bool,
    /// Something to tell the function about an otherwise valid reply.
    pub report: Option<String>,
}

/// What a kind does with a loaded part.
#[derive(Debug)]
pub struct Loading<K: Kind> {
    /// Messages for the function.
    pub messages: Vec<K::In>,
    /// The next part to load; `None` when all is there.
    pub next: Option<K::Load>,
}

/// The part of an activation that depends on the kind of entity.
pub trait Kind: Debug + Sized {
    /// Message to the function.
    type In: Debug;
    /// Message of the function.
    type Out: Debug;
    /// What to read of the stored state.
    type Load: Debug;
    /// A part of the stored state.
    type Loaded: Debug;
    /// What to write.
    type Commit: Debug;
    /// A snapshot to store.
    type Snapshot: Debug;

    /// The texts of this kind.
    const TEXTS: Texts;

    /// Forgets everything and says what to read first.
    fn begin(&mut self) -> Self::Load;
    /// Takes a part of the stored state.
    fn loaded(&mut self, identity: &Identity, part: Self::Loaded) -> Loading<Self>;
    /// Wraps a command.
    fn command(command: protocol::Command) -> Self::In;
    /// Sorts out a message of the function.
    fn incoming(&self, message: Self::Out) -> Incoming<Self>;
    /// Learns that a commit is durable.
    fn committed(&mut self, commit: Committed, outcome: &CommitOutcome);
    /// What to remember of a commit until its outcome is known.
    fn pending(commit: &Self::Commit) -> Committed;
}

/// What a kind must know of a commit to keep its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// So many events.
    Events(u64),
    /// A value.
    Put,
    /// No value.
    Delete,
}
