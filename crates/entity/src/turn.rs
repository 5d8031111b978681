//! The words of the machines: commands in, actions out, and why a turn failed.

use std::sync::Arc;

use cloudstate_protocol::{Any, Metadata, SideEffect, client_action};

use crate::Kind;

/// Whoever waits for the answer of a command. The machines only ask whether anybody still waits.
pub trait Caller {
    /// Whether nobody waits any more; such a command is dropped if it was not sent yet.
    fn is_gone(&self) -> bool;
}

/// A command on its way to the function.
#[derive(Debug)]
pub struct Command<C> {
    /// Who gets the answer.
    pub caller: C,
    /// Simple name of the rpc.
    pub name: Arc<str>,
    /// The request message with its type URL.
    pub payload: Any,
    /// The caller's metadata, when the function asked for it.
    pub metadata: Option<Metadata>,
}

impl<C> Command<C> {
    /// What the command counts against the byte limit of a queue.
    pub(crate) fn bytes(&self) -> usize {
        self.payload.value.len()
    }
}

/// What the function wants done, after the commit: effects in list order, then the action.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Reply, forward or failure; `None` sends no message.
    pub action: Option<client_action::Action>,
    /// Commands to run before the action is delivered.
    pub side_effects: Vec<SideEffect>,
    /// Whether the command changed anything already: then a forward that was not executed does not make it so.
    pub took_effect: bool,
}

/// What to do, in list order. An action's result comes back as an input.
#[derive(Debug)]
pub enum Action<K: Kind, C> {
    /// Open a stream to the function. Comes back as `Opened` or `OpenFailed`.
    Open,
    /// Read the stored state, part by part. Comes back as `Loaded` until the kind says done, or `LoadFailed`.
    Load(K::Load),
    /// Send a message on the stream, waiting while the function is slow.
    Send(K::In),
    /// The last `Send` began a turn: time-outs of turns count from here.
    TurnStarted,
    /// Make the change durable. Comes back as `Committed`.
    Commit(K::Commit),
    /// Store a snapshot; nobody waits for it.
    SaveSnapshot(K::Snapshot),
    /// Tell the caller. Effects and forward of an answer run outside the turn.
    Answer(C, Result<Answer, TurnError>),
    /// Tell the function, and the log, what it did wrong.
    Report(String),
    /// Tell the log why the activation failed.
    Log(String),
    /// Close our side of the stream and read on until the function closed its side.
    HalfClose,
    /// Drop the stream, whatever its state.
    Reset,
    /// The activation is over; a command, or an `Open` that follows at once, starts a new one. What comes back later of
    /// an `Open` or `Load` of this activation, or on its stream, must not be given to the machine any more.
    Stop(StopReason),
}

/// Why an activation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Nothing to do for the passivation time, the proxy drains, or the function asked for a restart.
    Passivated,
    /// The function, the store or the stream failed.
    Failed,
}

/// What the store said of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Durable, at this offset of the shard.
    Applied {
        /// Offset of the change in its shard.
        offset: u64,
    },
    /// Another proxy owns the shard now. Nothing was written.
    Fenced,
    /// The entity is not in the state that the machine expects. Nothing was written.
    Conflict,
    /// The store does not know.
    Unknown,
    /// Nothing was written.
    NotApplied {
        /// Why.
        reason: String,
        /// Whether the store refused for want of room in its queue.
        overloaded: bool,
    },
}

/// Why a command has no answer from the function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// The function failed the whole stream.
    #[error("{0}")]
    EntityFailed(&'static str),
    /// The function broke the protocol.
    #[error("{0}")]
    Violation(String),
    /// The function closed the stream or went away; nothing was committed.
    #[error("{0}")]
    FunctionGone(String),
    /// No answer within the turn's time.
    #[error("the user function did not answer [{command}] in time")]
    TimedOut {
        /// Name of the command.
        command: Arc<str>,
    },
    /// The stored state cannot be read.
    #[error("{0}")]
    LoadFailed(String),
    /// The store did not take the change; nothing was committed.
    #[error("the store did not take the change: {reason}")]
    NotCommitted {
        /// Why.
        reason: String,
        /// Whether the store refused for want of room.
        overloaded: bool,
    },
    /// The store does not say whether the change is durable.
    #[error("it is not known whether the command took effect: the store did not answer")]
    OutcomeUnknown,
    /// Too many commands, or bytes of commands, wait for this entity.
    #[error("{0}")]
    QueueFull(String),
}
