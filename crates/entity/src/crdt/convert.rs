//! Deltas of the wire as changes, and back.

use cloudstate_crdt::{Any, Change, Clock, Entry, Error, MapChange, RegisterChange, SetChange, VoteTotals};
use cloudstate_protocol as protocol;
use cloudstate_protocol::crdt::{
    CrdtDelta, CrdtWriteConsistency, FlagDelta, GCounterDelta, GSetDelta, LwwRegisterDelta, OrMapDelta,
    OrMapEntryDelta, OrSetDelta, PnCounterDelta, VoteDelta, crdt_delta::Delta,
};
use cloudstate_replica::Consistency;

/// What the function says that it did.
///
/// # Errors
/// If the delta has no type. Within a map that is an error only for entries that are added.
pub(super) fn change(delta: CrdtDelta) -> Result<Change, Error> {
    let delta = delta.delta.ok_or(Error::EmptyDelta)?;
    Ok(match delta {
        Delta::Gcounter(GCounterDelta { increment }) => Change::GCounter { increment },
        Delta::Pncounter(PnCounterDelta { change }) => Change::PNCounter { change },
        Delta::Gset(GSetDelta { added }) => Change::GSet { added: anys(&added) },
        Delta::Orset(set) => Change::ORSet(SetChange {
            cleared: set.cleared,
            removed: anys(&set.removed),
            added: anys(&set.added),
        }),
        Delta::Lwwregister(register) => Change::LWWRegister(RegisterChange {
            value: register.value.as_ref().map(any).unwrap_or_default(),
            clock: Clock::from_number(register.clock),
            custom_clock_value: register.custom_clock_value,
        }),
        Delta::Flag(FlagDelta { value }) => Change::Flag { value },
        Delta::Ormap(map) => Change::ORMap(MapChange {
            cleared: map.cleared,
            removed: anys(&map.removed),
            updated: map.updated.into_iter().map(entry).collect(),
            added: map.added.into_iter().map(entry).collect(),
        }),
        Delta::Vote(vote) => Change::Vote(VoteTotals {
            self_vote: vote.self_vote,
            votes_for: vote.votes_for,
            total_voters: vote.total_voters,
        }),
    })
}

/// What the function is told.
pub(super) fn delta(change: Change) -> CrdtDelta {
    let delta = match change {
        Change::GCounter { increment } => Delta::Gcounter(GCounterDelta { increment }),
        Change::PNCounter { change } => Delta::Pncounter(PnCounterDelta { change }),
        Change::GSet { added } => Delta::Gset(GSetDelta {
            added: wire_anys(&added),
        }),
        Change::ORSet(set) => Delta::Orset(OrSetDelta {
            cleared: set.cleared,
            removed: wire_anys(&set.removed),
            added: wire_anys(&set.added),
        }),
        Change::LWWRegister(register) => Delta::Lwwregister(LwwRegisterDelta {
            value: Some(wire_any(&register.value)),
            clock: register.clock as i32,
            custom_clock_value: register.custom_clock_value,
        }),
        Change::Flag { value } => Delta::Flag(FlagDelta { value }),
        Change::ORMap(map) => Delta::Ormap(OrMapDelta {
            cleared: map.cleared,
            removed: wire_anys(&map.removed),
            updated: map.updated.into_iter().map(wire_entry).collect(),
            added: map.added.into_iter().map(wire_entry).collect(),
        }),
        Change::Vote(vote) => Delta::Vote(VoteDelta {
            self_vote: vote.self_vote,
            votes_for: vote.votes_for,
            total_voters: vote.total_voters,
        }),
    };
    CrdtDelta { delta: Some(delta) }
}

/// The write consistency of this number on the wire; an unknown one is local.
pub(super) fn consistency(number: i32) -> Consistency {
    match CrdtWriteConsistency::try_from(number) {
        Ok(CrdtWriteConsistency::Majority) => Consistency::Majority,
        Ok(CrdtWriteConsistency::All) => Consistency::All,
        Ok(CrdtWriteConsistency::Local) | Err(_) => Consistency::Local,
    }
}

fn entry(entry: OrMapEntryDelta) -> Entry {
    Entry {
        key: entry.key.as_ref().map(any).unwrap_or_default(),
        // No delta and an empty one are the same error, or none.
        change: entry.delta.and_then(|delta| change(delta).ok()),
    }
}

fn wire_entry(entry: Entry) -> OrMapEntryDelta {
    OrMapEntryDelta {
        key: Some(wire_any(&entry.key)),
        delta: entry.change.map(delta),
    }
}

fn anys(anys: &[protocol::Any]) -> Vec<Any> {
    anys.iter().map(any).collect()
}

fn wire_anys(anys: &[Any]) -> Vec<protocol::Any> {
    anys.iter().map(wire_any).collect()
}

/// Copied: what a CRDT keeps must not keep the buffer that it came in.
fn any(any: &protocol::Any) -> Any {
    Any::new(&*any.type_url, &*any.value)
}

fn wire_any(any: &Any) -> protocol::Any {
    protocol::Any {
        type_url: any.type_url().to_owned(),
        value: any.value().to_vec().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_of(text: &str) -> protocol::Any {
        protocol::Any {
            type_url: format!("p.cloudstate.io/{text}"),
            value: text.to_owned().into(),
        }
    }

    fn map_of(nested: Vec<CrdtDelta>) -> CrdtDelta {
        let entry = |(number, delta): (usize, CrdtDelta)| OrMapEntryDelta {
            key: Some(any_of(&number.to_string())),
            delta: Some(delta),
        };
        let entries: Vec<_> = nested.into_iter().enumerate().map(entry).collect();
        CrdtDelta {
            delta: Some(Delta::Ormap(OrMapDelta {
                cleared: true,
                removed: vec![any_of("r")],
                updated: entries.clone(),
                added: entries,
            })),
        }
    }

    fn simple_deltas() -> Vec<CrdtDelta> {
        [
            Delta::Gcounter(GCounterDelta { increment: 7 }),
            Delta::Pncounter(PnCounterDelta { change: -7 }),
            Delta::Gset(GSetDelta {
                added: vec![any_of("a"), any_of("b")],
            }),
            Delta::Orset(OrSetDelta {
                cleared: true,
                removed: vec![any_of("r")],
                added: vec![any_of("a")],
            }),
            Delta::Lwwregister(LwwRegisterDelta {
                value: Some(any_of("v")),
                clock: 3,
                custom_clock_value: -7,
            }),
            Delta::Flag(FlagDelta { value: true }),
            Delta::Vote(VoteDelta {
                self_vote: true,
                votes_for: 2,
                total_voters: 3,
            }),
        ]
        .map(|delta| CrdtDelta { delta: Some(delta) })
        .to_vec()
    }

    #[test]
    fn what_comes_back_is_what_went_in_at_any_depth() {
        let mut deltas = simple_deltas();
        deltas.push(map_of(deltas.clone()));
        deltas.push(map_of(deltas.clone()));
        for wire in deltas {
            let there = change(wire.clone()).map(delta);
            assert_eq!(there, Ok(wire));
        }
    }

    #[test]
    fn clocks_go_in_and_unknown_numbers_are_the_defaults() {
        let register = |clock| CrdtDelta {
            delta: Some(Delta::Lwwregister(LwwRegisterDelta {
                value: None,
                clock,
                custom_clock_value: 5,
            })),
        };
        let clocks = [
            Clock::Default,
            Clock::Reverse,
            Clock::Custom,
            Clock::CustomAutoIncrement,
        ];
        for (number, clock) in (0..)
            .zip(clocks)
            .chain([(4, Clock::Default), (-1, Clock::Default)])
        {
            let expected = RegisterChange {
                value: Any::default(),
                clock,
                custom_clock_value: 5,
            };
            assert_eq!(change(register(number)), Ok(Change::LWWRegister(expected)));
        }
        use Consistency::{All, Local, Majority};
        assert_eq!(
            [0, 1, 2, 3, -1].map(consistency),
            [Local, Majority, All, Local, Local]
        );
    }

    #[test]
    fn a_delta_without_a_type_is_an_error_and_within_a_map_none_yet() {
        let empty = CrdtDelta { delta: None };
        assert_eq!(change(empty.clone()), Err(Error::EmptyDelta));
        let Ok(Change::ORMap(map)) = change(map_of(vec![empty])) else {
            unreachable!("a map is a map")
        };
        assert_eq!(
            (map.updated[0].change.as_ref(), map.added[0].change.as_ref()),
            (None, None)
        );
    }
}
