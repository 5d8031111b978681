//! Counters, registers, flags and votes.

use std::cmp::Reverse;

use crate::apply::Turn;
use crate::change::RegisterChange;
use crate::dots::Dots;
use crate::error::Error;
use crate::kind::Kind;
use crate::register::{Write, winner};
use crate::slot::Content;
use crate::tally::{Tally, in_range, own, total};
use crate::writer::Writer;

/// Replaces the node's own sum by a larger or smaller one. Adding 0 refreshes it.
pub(super) fn count(
    kind: Kind,
    tallies: &Dots<Tally>,
    change: i64,
    writer: &mut Writer<'_>,
) -> Result<Content, Error> {
    let change = i128::from(change);
    in_range(kind, total(tallies).saturating_add(change))?;
    let sum = own(tallies, writer.node()).unwrap_or(0).saturating_add(change);
    replace_own(tallies, sum, writer)
}

fn replace_own(tallies: &Dots<Tally>, sum: i128, writer: &mut Writer<'_>) -> Result<Content, Error> {
    for (dot, _) in tallies.of(writer.node()).filter(|(_, tally)| tally.folded == 0) {
        writer.cover_dot(*dot);
    }
    Ok(Content::Tallies(Dots::one(writer.fresh()?, Tally::own(sum))))
}

/// Replaces all known writes; or none, if the timestamp of a custom clock loses against them.
pub(super) fn write(
    writes: &Dots<Write>,
    change: &RegisterChange,
    turn: &Turn,
    writer: &mut Writer<'_>,
) -> Result<Content, Error> {
    let current = winner(writes);
    let previous = current.map(|(_, write)| write.timestamp);
    let timestamp = change
        .clock
        .timestamp(change.custom_clock_value, turn.now_ms, previous)?;
    let rank = (timestamp, Reverse(writer.node()));
    if current.is_some_and(|(dot, write)| (write.timestamp, Reverse(dot.node)) > rank) {
        return Ok(Content::Writes(Dots::default()));
    }
    writer.cover(writes);
    let dot = writer.fresh()?;
    let value = change.value.clone();
    Ok(Content::Writes(Dots::one(dot, Write { timestamp, value })))
}

/// Switches on; once on, it stays so.
pub(super) fn flag(marks: &Dots, value: bool, writer: &mut Writer<'_>) -> Result<Content, Error> {
    if !value {
        let off = marks.is_empty();
        return off.then(|| Content::Marks(Dots::default())).ok_or(Error::FlagOff);
    }
    writer.cover(marks);
    Ok(Content::Marks(writer.mark()?))
}

/// Replaces the node's own vote; the votes of the others are theirs.
pub(super) fn vote(votes: &Dots<Tally>, yes: bool, writer: &mut Writer<'_>) -> Result<Content, Error> {
    replace_own(votes, i128::from(yes), writer)
}
