//! Nodes, values and random changes.

use cloudstate_crdt::{
    Any, Author, Change, Clock, Delta, Difference, Entry, Error, Kind, Limits, MapChange, NodeId, Plain,
    RegisterChange, SetChange, State, VoteTotals, Voters,
};
use proptest::prelude::*;

pub(crate) fn node(number: u64) -> NodeId {
    // Addresses are hashes: their order is not that of the numbers.
    NodeId::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1)
}

pub(crate) fn item(text: &str) -> Any {
    Any::new("p.cloudstate.io/string", text.as_bytes())
}

pub(crate) fn items(texts: &[&str]) -> Vec<Any> {
    texts.iter().map(|text| item(text)).collect()
}

pub(crate) fn author(number: u64) -> Author {
    Author {
        node: node(number),
        now_ms: 1_000,
    }
}

/// A replica at a node of this number, at a fixed time.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) state: State,
    pub(crate) number: u64,
}

impl Replica {
    pub(crate) fn new(number: u64) -> Replica {
        let state = State::new();
        Replica { state, number }
    }

    pub(crate) fn try_apply(&mut self, change: &Change) -> Result<Delta, Error> {
        self.state.apply(change, author(self.number), &Limits::default())
    }

    pub(crate) fn apply(&mut self, change: &Change) -> Delta {
        self.try_apply(change).unwrap()
    }

    pub(crate) fn merge(&mut self, other: &Replica) -> &mut Replica {
        self.state.merge(&other.state);
        self
    }

    pub(crate) fn plain(&self) -> Plain {
        plain(&self.state).unwrap()
    }
}

/// Merges everything everywhere and returns what all of them then are.
pub(crate) fn converge(replicas: &mut [Replica]) -> State {
    let mut all = State::new();
    for replica in &*replicas {
        all.merge(&replica.state);
    }
    for replica in replicas {
        replica.state.merge(&all);
        assert_eq!(replica.state, all);
    }
    all
}

pub(crate) fn plain(state: &State) -> Option<Plain> {
    state.plain(&voters(0, &[node(0)])).unwrap()
}

pub(crate) fn voters(own: u64, members: &[NodeId]) -> Voters<'_> {
    Voters {
        own: node(own),
        members,
    }
}

pub(crate) fn whole(state: &State) -> Change {
    match state.diff(None, &voters(0, &[node(0)])).unwrap() {
        Difference::Change(change) => change,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn add(texts: &[&str]) -> Change {
    Change::ORSet(SetChange {
        added: items(texts),
        ..SetChange::default()
    })
}

pub(crate) fn remove(texts: &[&str]) -> Change {
    Change::ORSet(SetChange {
        removed: items(texts),
        ..SetChange::default()
    })
}

pub(crate) fn clear() -> Change {
    Change::ORSet(SetChange {
        cleared: true,
        ..SetChange::default()
    })
}

pub(crate) fn grow(texts: &[&str]) -> Change {
    Change::GSet { added: items(texts) }
}

pub(crate) fn increment(increment: u64) -> Change {
    Change::GCounter { increment }
}

pub(crate) fn count(change: i64) -> Change {
    Change::PNCounter { change }
}

pub(crate) fn flag(value: bool) -> Change {
    Change::Flag { value }
}

pub(crate) fn vote(self_vote: bool) -> Change {
    Change::Vote(VoteTotals {
        self_vote,
        votes_for: 0,
        total_voters: 0,
    })
}

pub(crate) fn write(text: &str) -> Change {
    write_at(text, Clock::Default, 0)
}

pub(crate) fn write_at(text: &str, clock: Clock, custom_clock_value: i64) -> Change {
    Change::LWWRegister(RegisterChange {
        value: item(text),
        clock,
        custom_clock_value,
    })
}

pub(crate) fn entry(key: &str, change: Change) -> Entry {
    Entry {
        key: item(key),
        change: Some(change),
    }
}

pub(crate) fn put(key: &str, change: Change) -> Change {
    Change::ORMap(MapChange {
        added: vec![entry(key, change)],
        ..MapChange::default()
    })
}

pub(crate) fn update(key: &str, change: Change) -> Change {
    Change::ORMap(MapChange {
        updated: vec![entry(key, change)],
        ..MapChange::default()
    })
}

pub(crate) fn drop_keys(keys: &[&str]) -> Change {
    Change::ORMap(MapChange {
        removed: items(keys),
        ..MapChange::default()
    })
}

/// A change that creates a CRDT of this type without putting anything into it.
pub(crate) fn neutral(kind: Kind) -> Change {
    match kind {
        Kind::GCounter => increment(0),
        Kind::PNCounter => count(0),
        Kind::GSet => grow(&[]),
        Kind::ORSet => add(&[]),
        Kind::LWWRegister => write(""),
        Kind::Flag => flag(false),
        Kind::ORMap => Change::ORMap(MapChange::default()),
        Kind::Vote => vote(false),
    }
}

/// A change that leaves something in a CRDT of this type.
pub(crate) fn telling(kind: Kind) -> Change {
    match kind {
        Kind::GCounter => increment(3),
        Kind::PNCounter => count(-3),
        Kind::GSet => grow(&["g"]),
        Kind::ORSet => add(&["o"]),
        Kind::LWWRegister => write("l"),
        Kind::Flag => flag(true),
        Kind::ORMap => put("m", count(1)),
        Kind::Vote => vote(true),
    }
}

// Random changes. The universe is small, so that they meet.

pub(crate) fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(&Kind::ALL[..])
}

fn some_any() -> impl Strategy<Value = Any> {
    prop_oneof![
        4 => prop::sample::select(items(&["", "a", "b", "c"])),
        1 => Just(Any::new("json.cloudstate.io/x", *b"a")),
    ]
}

fn some_anys() -> impl Strategy<Value = Vec<Any>> {
    prop::collection::vec(some_any(), 0..4)
}

/// Any change, with maps in maps to this depth.
pub(crate) fn changes(depth: u32) -> BoxedStrategy<Change> {
    kinds().prop_flat_map(move |kind| changes_of(kind, depth)).boxed()
}

/// Any change of a type.
pub(crate) fn changes_of(kind: Kind, depth: u32) -> BoxedStrategy<Change> {
    match kind {
        Kind::GCounter => (0u64..10).prop_map(increment).boxed(),
        Kind::PNCounter => (-10i64..10).prop_map(count).boxed(),
        Kind::GSet => some_anys().prop_map(|added| Change::GSet { added }).boxed(),
        Kind::ORSet => (prop::bool::weighted(0.15), some_anys(), some_anys())
            .prop_map(|(cleared, removed, added)| {
                Change::ORSet(SetChange {
                    cleared,
                    removed,
                    added,
                })
            })
            .boxed(),
        Kind::LWWRegister => (some_any(), 0i32..4, -5i64..5)
            .prop_map(|(value, clock, custom_clock_value)| {
                Change::LWWRegister(RegisterChange {
                    value,
                    clock: Clock::from_number(clock),
                    custom_clock_value,
                })
            })
            .boxed(),
        Kind::Flag => any_bool().prop_map(flag).boxed(),
        Kind::ORMap => map_changes(depth).boxed(),
        Kind::Vote => any_bool().prop_map(vote).boxed(),
    }
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop::bool::ANY
}

fn map_changes(depth: u32) -> impl Strategy<Value = Change> {
    let entries = move |most: usize| {
        let nested = if depth > 0 {
            changes(depth - 1)
        } else {
            (-3i64..4).prop_map(count).boxed()
        };
        let entry = (some_any(), prop::option::weighted(0.95, nested));
        prop::collection::vec(entry.prop_map(|(key, change)| Entry { key, change }), 0..=most)
    };
    let cleared = prop::bool::weighted(0.1);
    let removed = prop::collection::vec(some_any(), 0..2);
    (cleared, removed, entries(2), entries(2)).prop_map(|(cleared, removed, updated, added)| {
        Change::ORMap(MapChange {
            cleared,
            removed,
            updated,
            added,
        })
    })
}

/// Changes of mostly one type, now and then of another.
pub(crate) fn mixed_changes(depth: u32) -> impl Strategy<Value = (Kind, BoxedStrategy<Change>)> {
    kinds().prop_map(move |kind| {
        let mixed = prop_oneof![9 => changes_of(kind, depth), 1 => changes(depth)];
        (kind, mixed.boxed())
    })
}
