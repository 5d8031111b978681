//! Why a change is refused, and why bytes are no state.

use crate::kind::Kind;

/// A change that a state does not take, or a value that does not fit. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A delta without a type. The text is the protocol's.
    #[error("Empty delta")]
    EmptyDelta,
    /// A delta of another type than what it is for. The text is the protocol's.
    #[error("{delta}Delta is incompatible with CRDT {current}")]
    Incompatible {
        /// The delta's type.
        delta: Kind,
        /// The type that is there; counters and flags with their value.
        current: String,
    },
    /// A GCounter's increment that is negative as a signed number. The text is the protocol's.
    #[error("Cannot decrement a GCounter, requested amount was {0}")]
    Decrement(i64),
    /// A flag that is on cannot be switched off. The text is the protocol's.
    #[error("Cannot switch off already enabled flag")]
    FlagOff,
    /// A counter beyond what the wire can carry: 0 to 2⁶³ − 1 for a GCounter, −2⁶³ to 2⁶³ − 1 for a PNCounter.
    #[error("{kind} {total} is outside of the range of 64 bits")]
    CounterRange {
        /// The counter's type.
        kind: Kind,
        /// What it is or would become.
        total: i128,
    },
    /// There is no later timestamp, or no earlier one for a reverse clock.
    #[error("no write can follow the timestamp {0} of the LWWRegister")]
    ClockLimit(i64),
    /// Maps within maps within maps.
    #[error("the delta is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit that was set.
        limit: usize,
    },
    /// 2⁶⁴ − 1 writes of one node to one entity.
    #[error("this node has no further sequence numbers for this CRDT")]
    SequenceLimit,
}

impl Error {
    /// Whether the delta simply does not fit what is there. Within `updated` of a map that means that the entry was
    /// replaced meanwhile, and is no error.
    pub(crate) fn is_misfit(&self) -> bool {
        use Error::{Decrement, EmptyDelta, FlagOff, Incompatible};
        matches!(self, EmptyDelta | Incompatible { .. } | Decrement(_) | FlagOff)
    }
}

/// Bytes that are no encoding of this crate. Only what encoding yields is accepted: equal states have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a CRDT encoding: {reason} at byte {at}")]
pub struct DecodeError {
    /// What is wrong.
    pub reason: DecodeReason,
    /// Where, counted from 0.
    pub at: usize,
}

/// What is wrong with bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeReason {
    /// More than [`Limits::bytes`](crate::Limits::bytes).
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit that was set.
        limit: usize,
    },
    /// Deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// The limit that was set.
        limit: usize,
    },
    /// The bytes end within a value.
    #[error("cut short")]
    CutShort,
    /// Bytes follow the end.
    #[error("bytes after the end")]
    Trailing,
    /// A version that this release does not read.
    #[error("unknown version {0}")]
    Version(u8),
    /// Another thing than asked for, such as a delta where a state belongs.
    #[error("unexpected content {0}")]
    Content(u8),
    /// No type has this number.
    #[error("unknown type {0}")]
    Kind(u8),
    /// A number in more bytes than it needs, or larger than its type.
    #[error("malformed number")]
    Number,
    /// A type URL that is not UTF-8.
    #[error("a type URL that is not UTF-8")]
    Url,
    /// Out of order, twice, empty where nothing empty can be, or a write that its own context does not know.
    #[error("not in normal form: {0}")]
    Abnormal(&'static str),
}
