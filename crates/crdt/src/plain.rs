//! The value that the user function holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::any::Any;
use crate::change::{Change, MapChange, VoteTotals};
use crate::error::Error;
use crate::kind::Kind;
use crate::tally::in_range;

/// A plain value: no nodes, no history. The proxy keeps what it knows the function to have, to send it differences only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// At most 2⁶³ − 1.
    GCounter(u64),
    /// A signed number.
    PNCounter(i64),
    /// Its elements.
    GSet(BTreeSet<Any>),
    /// Its elements.
    ORSet(BTreeSet<Any>),
    /// The visible value.
    LWWRegister(Any),
    /// Whether it is on.
    Flag(bool),
    /// Its entries.
    ORMap(BTreeMap<Any, Plain>),
    /// This node's vote and the count.
    Vote(VoteTotals),
}

/// Whose change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The function's: of a vote only its own counts, and moves the count by one.
    Function,
    /// The proxy's: a vote's three numbers replace the former.
    Proxy,
}

impl Plain {
    /// The value of a function before anything was set.
    pub fn empty(kind: Kind) -> Plain {
        match kind {
            Kind::GCounter => Plain::GCounter(0),
            Kind::PNCounter => Plain::PNCounter(0),
            Kind::GSet => Plain::GSet(BTreeSet::new()),
            Kind::ORSet => Plain::ORSet(BTreeSet::new()),
            Kind::LWWRegister => Plain::LWWRegister(Any::default()),
            Kind::Flag => Plain::Flag(false),
            Kind::ORMap => Plain::ORMap(BTreeMap::new()),
            Kind::Vote => Plain::Vote(VoteTotals::default()),
        }
    }

    /// The value that a change makes of nothing.
    ///
    /// # Errors
    /// As [`Plain::apply`].
    pub fn from_change(change: &Change, by: Side) -> Result<Plain, Error> {
        let mut plain = Plain::empty(change.kind());
        plain.apply(change, by)?;
        Ok(plain)
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Plain::GCounter(_) => Kind::GCounter,
            Plain::PNCounter(_) => Kind::PNCounter,
            Plain::GSet(_) => Kind::GSet,
            Plain::ORSet(_) => Kind::ORSet,
            Plain::LWWRegister(_) => Kind::LWWRegister,
            Plain::Flag(_) => Kind::Flag,
            Plain::ORMap(_) => Kind::ORMap,
            Plain::Vote(_) => Kind::Vote,
        }
    }

    /// Does what the function does with a change: its own, or one that it was sent.
    ///
    /// # Errors
    /// If the change is of another type, a counter would leave its range or a GCounter shrink, or the function switches
    /// off a flag that is on. In a map, entries before the one at fault
    /// have been changed; a change that a [`State`](crate::State) took or made does not fail here.
    pub fn apply(&mut self, change: &Change, by: Side) -> Result<(), Error> {
        match (self, change) {
            (Plain::GCounter(_), Change::GCounter { increment }) if increment.cast_signed() < 0 => {
                return Err(Error::Decrement(increment.cast_signed()));
            }
            (Plain::Flag(true), Change::Flag { value: false }) if by == Side::Function => {
                return Err(Error::FlagOff);
            }
            (Plain::GCounter(value), Change::GCounter { increment }) => {
                let total = i128::from(*value) + i128::from(*increment);
                // In range means not negative.
                *value = in_range(Kind::GCounter, total)?.unsigned_abs();
            }
            (Plain::PNCounter(value), Change::PNCounter { change }) => {
                *value = in_range(Kind::PNCounter, i128::from(*value) + i128::from(*change))?;
            }
            (Plain::GSet(set), Change::GSet { added }) => set.extend(added.iter().cloned()),
            (Plain::ORSet(set), Change::ORSet(change)) => {
                if change.cleared {
                    set.clear();
                }
                change.removed.iter().for_each(|element| {
                    set.remove(element);
                });
                set.extend(change.added.iter().cloned());
            }
            (Plain::LWWRegister(value), Change::LWWRegister(change)) => value.clone_from(&change.value),
            (Plain::Flag(on), Change::Flag { value }) => *on |= value,
            (Plain::ORMap(entries), Change::ORMap(change)) => apply_to_map(entries, change, by)?,
            (Plain::Vote(totals), Change::Vote(change)) => vote(totals, *change, by),
            (plain, change) => {
                return Err(Error::Incompatible {
                    delta: change.kind(),
                    current: plain.describe(),
                });
            }
        }
        Ok(())
    }

    /// Its type, with the value of a counter or flag. Others would show the users' data in logs.
    pub(crate) fn describe(&self) -> String {
        match self {
            Plain::GCounter(value) => format!("GCounter({value})"),
            Plain::PNCounter(value) => format!("PNCounter({value})"),
            Plain::Flag(on) => format!("Flag({on})"),
            other => other.kind().to_string(),
        }
    }
}

fn apply_to_map(entries: &mut BTreeMap<Any, Plain>, change: &MapChange, by: Side) -> Result<(), Error> {
    if change.cleared {
        entries.clear();
    }
    for key in &change.removed {
        entries.remove(key);
    }
    for entry in &change.updated {
        if let (Some(plain), Some(change)) = (entries.get_mut(&entry.key), &entry.change) {
            match plain.apply(change, by) {
                Err(error) if error.is_misfit() => {}
                outcome => outcome?,
            }
        }
    }
    for entry in &change.added {
        let change = entry.change.as_ref().ok_or(Error::EmptyDelta)?;
        entries.insert(entry.key.clone(), Plain::from_change(change, by)?);
    }
    Ok(())
}

fn vote(totals: &mut VoteTotals, change: VoteTotals, by: Side) {
    if by == Side::Proxy {
        *totals = change;
    } else if totals.self_vote != change.self_vote {
        totals.self_vote = change.self_vote;
        let by = if change.self_vote { 1 } else { -1 };
        totals.votes_for = totals.votes_for.saturating_add(by);
    }
}
