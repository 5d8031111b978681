//! What the user function has to be told: the difference between the value it has and the replica.

mod entries;
mod sets;

use std::collections::BTreeMap;

use crate::change::{Change, RegisterChange, VoteTotals};
use crate::dots::Dots;
use crate::error::Error;
use crate::kind::Kind;
use crate::node::NodeId;
use crate::plain::{Plain, Side};
use crate::register::winner;
use crate::slot::{Content, Slot, Variant};
use crate::state::State;
use crate::tally::{Tally, in_range, own, total};

/// Who is counted in a vote.
#[derive(Debug, Clone, Copy)]
pub struct Voters<'a> {
    /// This node.
    pub own: NodeId,
    /// The members that are up, this node among them, each once.
    pub members: &'a [NodeId],
}

/// A difference, as the user function has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// There is none.
    None,
    /// This leads from the value it has to the replica's.
    Change(Change),
    /// No change leads there: the type is another, a GCounter or GSet has shrunk, a flag went off, a PNCounter moved by
    /// more than 63 bits. In a map the entry is replaced; at the root the function has to begin anew with the whole
    /// value.
    Incompatible,
}

impl State {
    /// What leads from the value that the function has to the value of this replica. From `None`, the whole value; the
    /// function knows nothing yet.
    ///
    /// # Errors
    /// If a counter is beyond what the wire can carry, which concurrent additions may do.
    pub fn diff(&self, known: Option<&Plain>, voters: &Voters<'_>) -> Result<Difference, Error> {
        slot(&self.root, known, voters)
    }

    /// The value of this replica; `None` if nothing exists yet.
    ///
    /// # Errors
    /// As [`State::diff`].
    pub fn plain(&self, voters: &Voters<'_>) -> Result<Option<Plain>, Error> {
        match self.diff(None, voters)? {
            Difference::Change(change) => Plain::from_change(&change, Side::Proxy).map(Some),
            Difference::None | Difference::Incompatible => Ok(None),
        }
    }
}

impl Voters<'_> {
    fn count(&self, votes: &Dots<Tally>) -> VoteTotals {
        let votes_yes = |node: &NodeId| own(votes, *node) == Some(1);
        // Members are counted in 32 bits on the wire.
        let count = |members: usize| i32::try_from(members).unwrap_or(i32::MAX);
        VoteTotals {
            self_vote: votes_yes(&self.own),
            votes_for: count(self.members.iter().filter(|node| votes_yes(node)).count()),
            total_voters: count(self.members.len()),
        }
    }
}

fn slot(slot: &Slot, known: Option<&Plain>, voters: &Voters<'_>) -> Result<Difference, Error> {
    let Some(visible) = slot.visible() else {
        // Nothing exists: the function must not have anything either.
        return Ok(known.map_or(Difference::None, |_| Difference::Incompatible));
    };
    if known.is_some_and(|known| known.kind() != visible.kind()) {
        return Ok(Difference::Incompatible);
    }
    variant(visible, known, voters)
}

/// `known` is of the variant's kind.
fn variant(variant: &Variant, known: Option<&Plain>, voters: &Voters<'_>) -> Result<Difference, Error> {
    let kind = variant.kind();
    Ok(match (&variant.content, known) {
        (Content::Tallies(votes), known) if kind == Kind::Vote => {
            let totals = voters.count(votes);
            let same = matches!(known, Some(Plain::Vote(known)) if *known == totals);
            unless(same, Change::Vote(totals))
        }
        (Content::Tallies(tallies), _) => counter(kind, in_range(kind, total(tallies))?, known),
        (Content::Elements(elements), known) if kind == Kind::GSet => match known {
            Some(Plain::GSet(known)) => sets::grown(known, elements),
            _ => Difference::Change(Change::GSet {
                added: elements.keys().cloned().collect(),
            }),
        },
        (Content::Elements(elements), known) => match known {
            Some(Plain::ORSet(known)) => sets::changed(known, elements),
            _ => Difference::Change(Change::ORSet(sets::all(elements))),
        },
        (Content::Writes(writes), known) => {
            let value = winner(writes)
                .map(|(_, write)| write.value.clone())
                .unwrap_or_default();
            let same = matches!(known, Some(Plain::LWWRegister(known)) if *known == value);
            let change = RegisterChange {
                value,
                ..RegisterChange::default()
            };
            unless(same, Change::LWWRegister(change))
        }
        (Content::Marks(marks), known) => match (known, !marks.is_empty()) {
            (Some(Plain::Flag(true)), false) => Difference::Incompatible,
            (known, value) => {
                let same = matches!(known, Some(Plain::Flag(known)) if *known == value);
                unless(same, Change::Flag { value })
            }
        },
        (Content::Entries(entries), known) => {
            let nothing = BTreeMap::new();
            let (known, is_new) = match known {
                Some(Plain::ORMap(known)) => (known, false),
                _ => (&nothing, true),
            };
            let change = entries::change(known, entries, voters)?;
            let same = !is_new && change == Default::default();
            unless(same, Change::ORMap(change))
        }
    })
}

fn counter(kind: Kind, value: i64, known: Option<&Plain>) -> Difference {
    match known {
        None if kind == Kind::GCounter => Difference::Change(Change::GCounter {
            // In range means not negative.
            increment: value.unsigned_abs(),
        }),
        None => Difference::Change(Change::PNCounter { change: value }),
        Some(Plain::GCounter(known)) => match value.unsigned_abs().checked_sub(*known) {
            Some(increment) => unless(increment == 0, Change::GCounter { increment }),
            None => Difference::Incompatible,
        },
        Some(Plain::PNCounter(known)) => match value.checked_sub(*known) {
            Some(change) => unless(change == 0, Change::PNCounter { change }),
            None => Difference::Incompatible,
        },
        Some(_) => Difference::Incompatible,
    }
}

fn unless(same: bool, change: Change) -> Difference {
    if same {
        Difference::None
    } else {
        Difference::Change(change)
    }
}

impl Variant {
    /// Its type, with the value of a counter or flag.
    pub(crate) fn describe(&self) -> String {
        match &self.content {
            Content::Tallies(tallies) if self.kind() != Kind::Vote => {
                format!("{}({})", self.kind(), total(tallies))
            }
            Content::Marks(marks) => format!("Flag({})", !marks.is_empty()),
            _ => self.kind().to_string(),
        }
    }
}
