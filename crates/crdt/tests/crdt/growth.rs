//! Nothing is left of what was removed.

use cloudstate_crdt::{Change, Clock, Kind, State};

use crate::support::*;

fn churn(round: usize) -> Vec<Change> {
    let text = format!("{}", round % 10);
    vec![
        put("set", add(&[&text])),
        update("set", remove(&[&text])),
        put("set", add(&["x", "y", "z"])),
        update("set", clear()),
        put(&text, put("inner", count(1))),
        put(&text, put("register", write_at(&text, Clock::Custom, 1))),
        drop_keys(&[&text]),
        put("counter", count(-1)),
        put("vote", vote(round.is_multiple_of(2))),
    ]
}

#[test]
fn churn_does_not_grow_a_state() {
    let mut replicas: Vec<_> = (0..3).map(Replica::new).collect();
    let mut sizes = Vec::new();
    for round in 0..300 {
        let at = round % 3;
        for change in churn(round) {
            replicas[at].apply(&change);
        }
        let state = replicas[at].state.clone();
        replicas[(at + 1) % 3].state.merge(&state);
        sizes.push(state.encode().len());
    }
    // Only the numbers that count writes get longer.
    let (early, late) = (
        sizes[20..50].iter().max().unwrap(),
        sizes[270..].iter().max().unwrap(),
    );
    assert!(late <= &(early + 40), "{early} bytes became {late}");
    assert!(late < &400, "{late}");
}

#[test]
fn a_change_replaces_what_it_has_seen() {
    for kind in Kind::ALL {
        let (mut a, mut b) = (Replica::new(1), Replica::new(2));
        let mut sizes = Vec::new();
        for _ in 0..40 {
            a.merge(&b).apply(&put("k", telling(kind)));
            b.merge(&a).apply(&put("k", telling(kind)));
            sizes.push(b.state.encode().len());
        }
        assert!(sizes[39] <= sizes[0] + 2, "{kind}: {sizes:?}");
    }
}

#[test]
fn nothing_but_the_context_is_left_of_what_was_removed() {
    let mut a = Replica::new(1);
    let created = {
        a.apply(&add(&[]));
        a.state.encode().len()
    };
    for round in 0..1000 {
        a.apply(&add(&[&format!("element {round}")]));
    }
    a.apply(&clear());
    assert!(
        a.state.encode().len() <= created + 2,
        "{}",
        a.state.encode().len()
    );
}

#[test]
fn lost_deltas_leave_gaps_only_until_a_repair() {
    let half_of = |change: &dyn Fn(usize) -> Change| {
        let (mut a, mut b) = (Replica::new(1), State::new());
        for round in 0..200 {
            let delta = a.apply(&change(round));
            if round % 2 == 1 {
                b.merge_delta(&delta);
            }
        }
        (a.state, b)
    };
    let changes: [&dyn Fn(usize) -> Change; 3] = [&|_| count(1), &|round| vote(round % 3 == 0), &|round| {
        add(&[&round.to_string()])
    }];
    for change in changes {
        let (a, mut b) = half_of(change);
        if a.kind() != Some(Kind::ORSet) {
            assert_eq!(plain(&a), plain(&b), "the last of a node's writes counts");
        }
        assert_ne!(a, b);
        b.merge(&a);
        assert_eq!(b.encode(), a.encode());
        assert_eq!(b.gaps().count(), 0);
    }
}

#[test]
fn a_gap_shows() {
    let mut a = Replica::new(1);
    let mut b = State::new();
    let deltas = [1, 2, 3].map(|change| a.apply(&add(&[&change.to_string()])));
    let mut gaps = Vec::new();
    for nth in [0, 2, 1] {
        b.merge_delta(&deltas[nth]);
        gaps.push(b.gaps().collect::<Vec<_>>());
    }
    assert_eq!(gaps, [vec![], vec![node(1)], vec![]]);
}

#[test]
fn a_delta_costs_what_it_changes_whatever_the_size_of_the_state() {
    let mut a = Replica::new(1);
    let texts: Vec<_> = (0..2000).map(|number| format!("element {number}")).collect();
    a.apply(&add(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
    for change in [add(&["one more"]), remove(&["one more"]), remove(&["element 7"])] {
        let delta = a.apply(&change);
        assert!(delta.encode().len() < 80, "{}", delta.encode().len());
    }
    assert!(a.apply(&clear()).encode().len() < 50, "ranges are short");
}
