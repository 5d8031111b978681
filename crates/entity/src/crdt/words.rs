//! What happens to a CRDT entity and what it wants done.

use cloudstate_protocol::SideEffect;
use cloudstate_protocol::crdt::{CrdtStreamIn, CrdtStreamOut};
use cloudstate_replica::Acknowledged;

use crate::turn::{Answer, Caller, Command, StopReason, TurnError};

/// Whoever takes the messages of a streamed command. Clones are the same stream.
pub trait Stream: Clone {
    /// Tells it from the other streams of the entity.
    fn number(&self) -> u64;
    /// Whether nobody listens any more.
    fn is_gone(&self) -> bool;
}

/// Who waits for a command, and how.
#[derive(Debug)]
pub enum Call<U, S> {
    /// For one answer.
    Unary(U),
    /// For any number.
    Streamed(S),
}

impl<U: Caller, S: Stream> Caller for Call<U, S> {
    fn is_gone(&self) -> bool {
        match self {
            Call::Unary(caller) => caller.is_gone(),
            Call::Streamed(stream) => stream.is_gone(),
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<U, S> {
    /// Somebody sends a command.
    Command(Command<Call<U, S>>),
    /// The stream that `Open` asked for is there, and the replica may be used.
    Opened,
    /// The function cannot be reached.
    OpenFailed(String),
    /// A message of the function.
    Message(CrdtStreamOut),
    /// The function ended its side of the stream; `Some` says with what error.
    Closed(Option<String>),
    /// The function sent what is no message, or one that is too long. Nothing more can be read of its stream.
    Unreadable(String),
    /// Somebody else changed the replica, deleted it, or changed who votes.
    Changed,
    /// Nobody listens to this stream any more.
    Cancelled(u64),
    /// The function does not answer this operation, which is still open.
    Unanswered(Operation),
    /// The opening or the closing takes longer than allowed.
    TimedOut,
    /// No message for the passivation time.
    Passivate,
    /// The proxy ends: end the streams, finish what waits, then passivate.
    Drain,
}

/// Something that the function has to answer: a command or the end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The id of the command.
    pub(super) command_id: i64,
    /// Counted over all operations of the machine, of which several may be about one command.
    pub(super) number: u64,
    /// Whether it is the end of a stream.
    pub(super) cancellation: bool,
}

impl Operation {
    /// Whether it is the end of a stream: the function has not much to do for that.
    pub fn is_cancellation(self) -> bool {
        self.cancellation
    }
}

/// What to do, in list order.
#[derive(Debug)]
pub enum Action<U, S> {
    /// Open a stream to the function and await [`Replica::first_use`](cloudstate_replica::Replica::first_use). Comes back as
    /// `Opened`, `OpenFailed` or `TimedOut`.
    Open,
    /// Send a message on the stream.
    Send(CrdtStreamIn),
    /// The last `Send` began an operation: its time counts from here, as long as
    /// [`CrdtEntity::is_open`](super::CrdtEntity::is_open).
    Started(Operation),
    /// Tell the caller, as soon as the change counts as made. If it falls short, tell him that instead.
    Answer(U, Result<Answer, TurnError>, Acknowledged),
    /// Deliver an element of a stream, behind those before it, under the same conditions. An error or a failure ends the
    /// stream.
    Element {
        /// To whom.
        stream: S,
        /// Its effects and its message, if it has one.
        result: Result<Answer, TurnError>,
        /// When to deliver it.
        after: Acknowledged,
        /// Whether the stream ends then.
        last: bool,
    },
    /// Run effects that nobody waits for, as soon as the change counts as made.
    Settle {
        /// On whose behalf.
        stream: S,
        /// The effects.
        side_effects: Vec<SideEffect>,
        /// When to run them; if it falls short, never.
        after: Acknowledged,
    },
    /// Tell the function, and the log, what it did wrong.
    Report(String),
    /// Tell the log.
    Log(String),
    /// Close our side of the stream and read on until the function closed its side.
    HalfClose,
    /// Drop the stream, whatever its state.
    Reset,
    /// The activation is over; a command, or an `Open` that follows at once, starts a new one. What comes back later on
    /// its stream must not be given to the machine any more.
    Stop(StopReason),
}
