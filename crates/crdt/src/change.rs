//! Changes of the user's plain value: the wire's `CrdtDelta` in plain types.
//!
//! They go both ways. From the function to the proxy: what a command did. From the proxy to the function: what other
//! nodes did, or from nothing to the whole value.

use crate::any::Any;
use crate::kind::Kind;
use crate::register::Clock;

/// What to do to a plain value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds to the counter.
    GCounter {
        /// At most 2⁶³ − 1; more counts as negative and is refused.
        increment: u64,
    },
    /// Adds to the counter.
    PNCounter {
        /// May be negative.
        change: i64,
    },
    /// Adds to the set.
    GSet {
        /// Those that are there already are left alone.
        added: Vec<Any>,
    },
    /// Changes the set.
    ORSet(SetChange),
    /// Writes the register.
    LWWRegister(RegisterChange),
    /// Switches the flag.
    Flag {
        /// False on a flag that is off only creates it; on one that is on it is refused.
        value: bool,
    },
    /// Changes the map.
    ORMap(MapChange),
    /// The function sends its own vote, the proxy all three numbers.
    Vote(VoteTotals),
}

/// A change of an ORSet, applied in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetChange {
    /// Remove all that is there.
    pub cleared: bool,
    /// Remove these; those that are not there are left alone.
    pub removed: Vec<Any>,
    /// Add these.
    pub added: Vec<Any>,
}

/// A write of a register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegisterChange {
    /// The new value.
    pub value: Any,
    /// From the proxy always the default.
    pub clock: Clock,
    /// For the custom clocks; 0 otherwise.
    pub custom_clock_value: i64,
}

/// A change of an ORMap, applied in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapChange {
    /// Remove all entries that are there.
    pub cleared: bool,
    /// Remove these; those that are not there are left alone.
    pub removed: Vec<Any>,
    /// Change these. Those that are not there, or of another type, are left alone: they were removed or replaced
    /// meanwhile.
    pub updated: Vec<Entry>,
    /// Create these. From the function: one that is there already is changed. From the proxy: it is replaced.
    pub added: Vec<Entry>,
}

/// A change of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: Any,
    /// `None` for a delta without a type, which is an error in `added`.
    pub change: Option<Change>,
}

/// A vote as the function sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoteTotals {
    /// This node's vote. The only field that counts on the way from the function.
    pub self_vote: bool,
    /// How many members vote yes.
    pub votes_for: i32,
    /// How many members there are.
    pub total_voters: i32,
}

impl Default for VoteTotals {
    /// A vote before the proxy has said anything: one voter, who says no.
    fn default() -> Self {
        VoteTotals {
            self_vote: false,
            votes_for: 0,
            total_voters: 1,
        }
    }
}

impl Change {
    /// The type that it is for.
    pub fn kind(&self) -> Kind {
        match self {
            Change::GCounter { .. } => Kind::GCounter,
            Change::PNCounter { .. } => Kind::PNCounter,
            Change::GSet { .. } => Kind::GSet,
            Change::ORSet(_) => Kind::ORSet,
            Change::LWWRegister(_) => Kind::LWWRegister,
            Change::Flag { .. } => Kind::Flag,
            Change::ORMap(_) => Kind::ORMap,
            Change::Vote(_) => Kind::Vote,
        }
    }
}
