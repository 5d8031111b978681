//! One encoding for one state, and an answer to any bytes.

use cloudstate_crdt::{Clock, DecodeReason, DeletedId, DeletedIds, Delta, Limits, State};
use proptest::prelude::*;

use crate::support::*;

fn decode(bytes: &[u8]) -> Result<State, DecodeReason> {
    State::decode(bytes, &Limits::default()).map_err(|error| error.reason)
}

/// Some of everything, written by two nodes, with conflicts and gaps.
fn rich() -> (State, Delta) {
    let (mut a, mut b) = (Replica::new(1), Replica::new(2));
    a.apply(&put("counter", increment(3)));
    b.apply(&put("counter", count(-200)));
    a.apply(&put("set", add(&["x", "y", ""])));
    b.apply(&put("set", grow(&["x"])));
    a.apply(&put("map", put("register", write_at("v", Clock::Custom, -9))));
    b.apply(&put("map", put("register", write_at("w", Clock::Custom, 9))));
    a.apply(&put("flag", flag(true)));
    b.apply(&put("flag", vote(true)));
    a.merge(&b);
    b.apply(&put("lost", flag(true)));
    let delta = b.apply(&drop_keys(&["set"]));
    a.state.merge_delta(&delta);
    assert_eq!(a.state.gaps().collect::<Vec<_>>(), [node(2)]);
    (a.state, delta)
}

#[test]
fn a_state_and_a_delta_come_back() {
    let (state, delta) = rich();
    assert_eq!(decode(&state.encode()), Ok(state));
    assert_eq!(Delta::decode(&delta.encode(), &Limits::default()), Ok(delta));
    assert_eq!(decode(&State::new().encode()), Ok(State::new()));
}

/// Stored and sent bytes must stay readable: a change of these needs a new version byte.
#[test]
fn version_1_is_what_it_is() {
    let (state, delta) = rich();
    assert_eq!(hex(&state.encode()), STATE.concat());
    assert_eq!(hex(&delta.encode()), DELTA.concat());
    assert_eq!(format!("{:016x}", state.digest()), "41b1c580b4e45f53");
    let id = DeletedId::new("shop", "cart-1");
    assert_eq!(format!("{id:?}"), "9ac56ba4e48aaac89c72319e8b02861f");
}

/// Version and content; two nodes, the first with a gap after 5; then the map with its five entries.
const STATE: [&str; 7] = [
    "0173",
    "022af894fe72f36e3c0105010000157c4a7fb979379e01060002870100070417702e636c6f756473746174652e696f2f737472696e67",
    "07636f756e746572",
    "0401010101000602010001008f030004666c6167040601010688010005010004000200036d61700207010008726567697374657202",
    "0502000312000177010511000176",
    "0003736574",
    "0204030000010104000178010102000179010103",
];
const DELTA: [&str; 2] = [
    "0164012af894fe72f36e3c0100020000030002870100070117702e636c6f756473746174652e696f2f737472696e67",
    "0373657401",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_a_node_reads_is_what_was_asked_for() {
    let (state, delta) = rich();
    assert_eq!(decode(&delta.encode()), Err(DecodeReason::Content(b'd')));
    let error = Delta::decode(&state.encode(), &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a CRDT encoding: unexpected content 115 at byte 2"
    );
    let mut later = state.encode();
    later[0] = 2;
    assert_eq!(decode(&later), Err(DecodeReason::Version(2)));
    let mut longer = state.encode();
    longer.push(0);
    assert_eq!(decode(&longer), Err(DecodeReason::Trailing));
    for length in 0..state.encode().len() {
        assert_eq!(
            decode(&state.encode()[..length]),
            Err(DecodeReason::CutShort),
            "{length}"
        );
    }
}

/// The head of a state written by one node, of which the numbers 1 to 9 are known.
fn head() -> Vec<u8> {
    let mut bytes = vec![1, b's', 1];
    bytes.extend(7u64.to_le_bytes());
    bytes.extend([1, 9, 0]);
    bytes
}

fn with_root(root: &[u8]) -> Vec<u8> {
    [&head(), root].concat()
}

#[test]
fn what_is_not_in_normal_form_is_refused() {
    use DecodeReason::{Abnormal, Kind, Number, Url};
    let cases: &[(&[u8], DecodeReason)] = &[
        (&[3, 6, 1, 0, 1], Abnormal("a swept place in a state")),
        (
            &[2, 6, 1, 0, 0],
            Abnormal("a write that the context does not know"),
        ),
        (
            &[2, 6, 1, 0, 10],
            Abnormal("a write that the context does not know"),
        ),
        (&[2, 6, 1, 1, 1], Abnormal("an unknown node")),
        (&[2, 6, 2, 0, 1, 0, 1], Abnormal("writes out of order")),
        (&[2, 6, 0], Abnormal("a type without writes")),
        (&[2, 0x86, 0, 1, 0, 1], Abnormal("an empty presence")),
        (&[4, 6, 1, 0, 1, 6, 1, 0, 2], Abnormal("types out of order")),
        (&[2, 4, 1, 0, 1, b'x', 0], Abnormal("an element without writes")),
        (
            &[2, 4, 2, 0, 1, b'x', 1, 0, 1, 0, 1, b'x', 1, 0, 2],
            Abnormal("keys out of order"),
        ),
        (&[2, 7, 1, 0, 1, b'x', 0], Abnormal("an empty entry")),
        (
            &[2, 4, 2, 2, b'u', 1, b'x', 1, 0, 1, 2, b'u', 1, b'y', 1, 0, 2],
            Abnormal("a type URL twice"),
        ),
        (&[2, 4, 1, 1, 1, b'x', 1, 0, 1], Abnormal("a type URL twice")),
        (&[2, 4, 1, 2, 0xff, 1, b'x', 1, 0, 1], Url),
        (&[2, 0], Kind(0)),
        (&[2, 9], Kind(9)),
        (&[0x82, 0], Number),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], Number),
        (&[2, 6, 0x81, 0x80, 0], Number),
    ];
    for (root, reason) in cases {
        assert_eq!(decode(&with_root(root)).as_ref(), Err(reason), "{root:?}");
    }
    decode(&with_root(&[2, 6, 1, 0, 9])).unwrap();
}

#[test]
fn contexts_are_in_normal_form_too() {
    let node = |address: u64, rest: &[u8]| [&address.to_le_bytes()[..], rest].concat();
    let state = |nodes: &[Vec<u8>]| [&[1, b's', nodes.len() as u8][..], &nodes.concat(), &[0]].concat();
    decode(&state(&[node(1, &[1, 3, 0]), node(1, &[2, 0, 1, 0, 0])])).unwrap();
    let cases = [
        (
            state(&[node(1, &[2, 3, 0]), node(1, &[1, 3, 0])]),
            DecodeReason::Abnormal("nodes out of order"),
        ),
        (
            state(&[node(1, &[1, 3, 0]), node(1, &[1, 3, 0])]),
            DecodeReason::Abnormal("nodes out of order"),
        ),
        (
            state(&[node(1, &[1, 0, 0])]),
            DecodeReason::Abnormal("a node of which nothing is known"),
        ),
    ];
    for (bytes, reason) in cases {
        assert_eq!(decode(&bytes), Err(reason));
    }
    let full = [&[1][..], &[0xff; 9], &[1, 1, 0, 0]].concat();
    assert_eq!(
        decode(&state(&[node(1, &full)])),
        Err(DecodeReason::Number),
        "nothing comes after 2^64 - 1"
    );
}

/// Counts that promise much more than there is must not reserve memory, and a long URL must not be copied for each element.
#[test]
fn counts_and_urls_cost_no_more_memory_than_bytes() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    for root in [&[2, 6][..], &[2, 4], &[2, 7], &[2, 1], &[2, 5], &[]] {
        let bytes = with_root(&[root, &huge].concat());
        assert!(decode(&bytes).is_err());
    }
    let mut a = Replica::new(1);
    let url: std::sync::Arc<str> = "u".repeat(1 << 20).into();
    let element = |number: u32| cloudstate_crdt::Any::new(url.clone(), number.to_be_bytes());
    let added = (0..2000).map(element).collect();
    a.apply(&cloudstate_crdt::Change::GSet { added });
    let bytes = a.state.encode();
    assert!(bytes.len() < (1 << 20) + 2000 * 12);
    assert_eq!(
        decode(&bytes),
        Ok(a.state),
        "would take 2 GB if it did not share the URL"
    );
}

#[test]
fn deleted_ids_come_back_and_nothing_else_does() {
    let limits = Limits::default();
    let mut ids = DeletedIds::new();
    assert_eq!(DeletedIds::decode(&ids.encode(), &limits), Ok(ids.clone()));
    ids.extend((0..50).map(|number: u32| DeletedId::new("p", &number.to_string())));
    let bytes = ids.encode();
    assert_eq!(DeletedIds::decode(&bytes, &limits), Ok(ids));
    let reason = |bytes: &[u8]| DeletedIds::decode(bytes, &limits).unwrap_err().reason;
    assert_eq!(reason(&bytes[..bytes.len() - 1]), DecodeReason::CutShort);
    assert_eq!(reason(&[]), DecodeReason::CutShort);
    assert_eq!(reason(&[1]), DecodeReason::CutShort);
    assert_eq!(reason(&[2, b'x']), DecodeReason::Version(2));
    assert_eq!(reason(&[1, b's']), DecodeReason::Content(b's'));
    let twice = [&bytes[..18], &bytes[2..18]].concat();
    assert_eq!(reason(&twice), DecodeReason::Abnormal("ids out of order"));
    let small = Limits { bytes: 20, ..limits };
    let error = DeletedIds::decode(&bytes, &small).unwrap_err();
    assert_eq!(error.reason, DecodeReason::TooLarge { limit: 20 });
}

/// A state and a delta of a random history.
fn histories() -> impl Strategy<Value = (State, Delta)> {
    mixed_changes(2)
        .prop_flat_map(|(_, changes)| prop::collection::vec((0u64..3, any::<bool>(), changes), 1..16))
        .prop_map(|steps| {
            let mut replicas: Vec<_> = (0..3).map(Replica::new).collect();
            let mut batch = Delta::default();
            for (at, merges, change) in steps {
                if merges {
                    let other = replicas[((at + 1) % 3) as usize].clone();
                    replicas[at as usize].merge(&other);
                }
                if let Ok(delta) = replicas[at as usize].try_apply(&change) {
                    batch.merge(&delta);
                }
            }
            (replicas.swap_remove(0).state, batch)
        })
}

#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<prop::sample::Index>;
    let byte = || prop_oneof![any::<u8>(), 0u8..10, Just(0x80), Just(0xff)];
    let damage = prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        at().prop_map(Damage::Remove),
        (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ];
    prop::collection::vec(damage, 1..4)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let length = bytes.len().max(1);
        if bytes.is_empty() {
            bytes.push(0);
        }
        match damage {
            Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
            Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Damage::Insert(at, byte) => bytes.insert(at.index(length), *byte),
            Damage::Remove(at) => drop(bytes.remove(at.index(length))),
            Damage::Repeat(from, to) => {
                let part = bytes[from.index(length)..]
                    .iter()
                    .copied()
                    .take(8)
                    .collect::<Vec<_>>();
                let to = to.index(length);
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

/// Bytes that happen to be an encoding are a state like any other: everything works on it.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let limits = Limits::default();
    let mut replica = Replica::new(1);
    replica.apply(&put("a", count(1)));
    if let Ok(state) = State::decode(bytes, &limits) {
        prop_assert_eq!(&state.encode(), bytes, "not canonical");
        replica.state.merge(&state);
        let mut again = replica.state.clone();
        prop_assert!(!again.merge(&state));
        let _ = state.diff(None, &voters(1, &[node(1)]));
        replica.state.fold(|_| true);
        replica.state.forget(|_| true);
    }
    if let Ok(delta) = Delta::decode(bytes, &limits) {
        prop_assert_eq!(&delta.encode(), bytes, "not canonical");
        replica.state.merge_delta(&delta);
    }
    let state = &replica.state;
    prop_assert_eq!(&State::decode(&state.encode(), &limits).unwrap(), state);
    let _ = DeletedIds::decode(bytes, &limits);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happened_comes_back((state, delta) in histories()) {
        prop_assert_eq!(decode(&state.encode()), Ok(state));
        prop_assert_eq!(Delta::decode(&delta.encode(), &Limits::default()), Ok(delta));
    }

    #[test]
    fn damaged_bytes_have_an_answer((state, delta) in histories(), damages in damages()) {
        check(&damaged(state.encode(), &damages))?;
        check(&damaged(delta.encode(), &damages))?;
    }

    #[test]
    fn any_bytes_have_an_answer(
        form in prop::sample::select(vec![b's', b'd', b'x']),
        bytes in prop::collection::vec(prop_oneof![0u8..10, any::<u8>()], 0..60),
    ) {
        check(&bytes)?;
        check(&[&[1, form], &bytes[..]].concat())?;
        check(&[&head()[..1], &[form], &head()[2..], &bytes].concat())?;
    }
}
