//! Nodes that give the same place different types: every pair, at the root and in a map.

use cloudstate_crdt::{Difference, Kind, Plain, State};

use crate::support::*;
use crate::types::plain_entry;

#[test]
fn every_pair_of_types_converges_in_a_map() {
    for (first, second) in pairs() {
        let (mut a, mut b) = (Replica::new(1), Replica::new(2));
        a.apply(&put("k", telling(first)));
        b.apply(&put("k", telling(second)));
        let lowest = first.min(second);
        let merged = converge(&mut [a.clone(), b.clone()]);
        a.merge(&b);
        assert_eq!(a.state, merged);
        let entry = plain_entry(&a, "k").unwrap();
        assert_eq!(
            entry.kind(),
            lowest,
            "{first} and {second}: the lowest number is visible"
        );

        // A removal that has seen both removes both.
        let mut c = Replica::new(3);
        c.merge(&a).apply(&drop_keys(&["k"]));
        assert_eq!(plain_entry(&c, "k"), None);
        a.merge(&c);
        assert_eq!(a.state, c.state);

        // One that has seen only the visible one leaves the other.
        if first < second {
            let (mut a, mut b) = (Replica::new(1), Replica::new(2));
            a.apply(&put("k", telling(first)));
            b.apply(&put("k", telling(second)));
            let removal = {
                let mut seen = a.clone();
                seen.number = 3;
                seen.apply(&drop_keys(&["k"]))
            };
            a.merge(&b).state.merge_delta(&removal);
            assert_eq!(plain_entry(&a, "k").unwrap().kind(), second);
        }
    }
}

#[test]
fn every_type_nests_in_a_map_in_a_map() {
    for kind in Kind::ALL {
        let mut a = Replica::new(1);
        let first = a.apply(&put("outer", put("inner", telling(kind))));
        let second = a.apply(&update("outer", update("inner", neutral_or_telling(kind))));
        let third = a.apply(&update("outer", drop_keys(&["inner"])));
        let mut b = State::new();
        for delta in [&third, &first, &second] {
            b.merge_delta(delta);
        }
        assert_eq!(b, a.state, "{kind}");
        assert_eq!(plain_entry(&a, "outer"), Some(Plain::empty(Kind::ORMap)));
    }
}

#[test]
fn every_pair_of_types_converges_at_the_root() {
    for (first, second) in pairs() {
        let (mut a, mut b) = (Replica::new(1), Replica::new(2));
        a.apply(&telling(first));
        b.apply(&telling(second));
        let known = b.plain();
        b.merge(&a);
        a.merge(&b);
        assert_eq!(a.state, b.state);
        assert_eq!(a.state.kind(), Some(first.min(second)));
        let difference = b.state.diff(Some(&known), &voters(0, &[])).unwrap();
        let is_told_to_begin_anew = difference == Difference::Incompatible;
        assert_eq!(is_told_to_begin_anew, first < second, "{first} and {second}");
    }
}

fn pairs() -> impl Iterator<Item = (Kind, Kind)> {
    let with_all = |first| Kind::ALL.map(|second| (first, second));
    Kind::ALL.into_iter().flat_map(with_all)
}

fn neutral_or_telling(kind: Kind) -> cloudstate_crdt::Change {
    // A flag cannot be switched off.
    if kind == Kind::Flag {
        telling(kind)
    } else {
        neutral(kind)
    }
}
