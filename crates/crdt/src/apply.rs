//! Changes of the user function, as deltas: each reads the state, and makes the tree of a delta that does it.
//!
//! What a change replaces it covers; what it says gets a fresh write at its place. A change that leaves no write behind,
//! such as a removal, leaves a presence: so whatever changes an entry keeps it alive against a concurrent removal.

mod elements;
mod entries;
mod simple;

use crate::change::Change;
use crate::dots::Dots;
use crate::error::Error;
use crate::kind::Kind;
use crate::limits::Limits;
use crate::slot::{Content, Slot, Variant};
use crate::writer::Writer;

/// What a change is made with.
pub(crate) struct Turn {
    pub(crate) now_ms: i64,
    pub(crate) limits: Limits,
}

/// The delta of a change to what `current` holds. `depth` counts the maps around it.
pub(crate) fn slot(
    current: Option<&Slot>,
    change: &Change,
    turn: &Turn,
    writer: &mut Writer<'_>,
    depth: usize,
) -> Result<Slot, Error> {
    let kind = change.kind();
    let variant = current.and_then(Slot::visible);
    if let Some(current) = variant.filter(|variant| variant.kind() != kind) {
        return Err(Error::Incompatible {
            delta: kind,
            current: current.describe(),
        });
    }
    let none = Variant::new(kind);
    let variant = variant.unwrap_or(&none);
    let mut delta = Slot::default();
    let content = match (&variant.content, change) {
        (Content::Tallies(tallies), Change::GCounter { increment }) => {
            let increment = increment.cast_signed();
            if increment < 0 {
                return Err(Error::Decrement(increment));
            }
            simple::count(kind, tallies, increment, writer)?
        }
        (Content::Tallies(tallies), Change::PNCounter { change }) => {
            simple::count(kind, tallies, *change, writer)?
        }
        (Content::Elements(elements), Change::GSet { added }) => elements::add(elements, added, writer)?,
        (Content::Elements(elements), Change::ORSet(change)) => {
            delta.swept = change.cleared;
            elements::change(elements, change, writer)?
        }
        (Content::Writes(writes), Change::LWWRegister(change)) => {
            simple::write(writes, change, turn, writer)?
        }
        (Content::Marks(marks), Change::Flag { value }) => simple::flag(marks, *value, writer)?,
        (Content::Tallies(votes), Change::Vote(vote)) => simple::vote(votes, vote.self_vote, writer)?,
        (Content::Entries(entries), Change::ORMap(change)) => {
            if depth >= turn.limits.depth {
                let limit = turn.limits.depth;
                return Err(Error::TooDeep { limit });
            }
            delta.swept = change.cleared;
            entries::change(entries, change, turn, writer, depth)?
        }
        // The kinds are equal, and a kind has one content.
        (_, change) => {
            return Err(Error::Incompatible {
                delta: change.kind(),
                current: kind.to_string(),
            });
        }
    };
    writer.cover(&variant.presence);
    // A vote goes when its voter goes, and must not take the entry with it.
    let presence = if content.lives() && kind != Kind::Vote {
        Dots::default()
    } else {
        writer.mark()?
    };
    let target = delta.variant_mut(kind);
    target.presence = presence;
    target.content = content;
    Ok(delta)
}

impl Content {
    /// Whether a write lives in this part of a delta.
    fn lives(&self) -> bool {
        match self {
            Content::Tallies(dots) => !dots.is_empty(),
            Content::Elements(elements) => elements.values().any(|dots| !dots.is_empty()),
            Content::Writes(dots) => !dots.is_empty(),
            Content::Marks(dots) => !dots.is_empty(),
            Content::Entries(entries) => entries.values().any(Slot::lives),
        }
    }
}

impl Slot {
    /// Whether a write lives in this part of a delta.
    fn lives(&self) -> bool {
        let lives = |variant: &Variant| !variant.presence.is_empty() || variant.content.lives();
        self.variants().iter().any(lives)
    }
}
