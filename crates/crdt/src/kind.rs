//! The eight types.

use std::fmt;

/// The type of a CRDT. The numbers are those of the wire's `CrdtDelta` and of the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A counter that only grows.
    GCounter = 1,
    /// A counter.
    PNCounter = 2,
    /// A set that only grows.
    GSet = 3,
    /// A set; adding wins over a concurrent removal.
    ORSet = 4,
    /// One value; the last write wins.
    LWWRegister = 5,
    /// A switch that can only be switched on.
    Flag = 6,
    /// A map to CRDTs of any type; updating an entry wins over its concurrent removal.
    ORMap = 7,
    /// One vote for each node.
    Vote = 8,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Kind; 8] = [
        Kind::GCounter,
        Kind::PNCounter,
        Kind::GSet,
        Kind::ORSet,
        Kind::LWWRegister,
        Kind::Flag,
        Kind::ORMap,
        Kind::Vote,
    ];

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

impl fmt::Display for Kind {
    /// Its name as the protocol's texts have it, such as `PNCounter`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_the_type() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()), Some(kind));
        }
        assert_eq!([0, 9, 255].map(Kind::from_number), [None; 3]);
    }
}
