//! Laws that hold for any sequence of inputs, in season or out of season.
//!
//! ```text
//!   random moves ──▶ World ──Input──▶ machine ──Actions──▶ World: checks each, keeps a store and a stream of its own
//! ```

mod model;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{EventSourced, ValueEntity};
use model::{Model, Shape};
use world::{Ending, Move, World};

fn shapes() -> impl Strategy<Value = Shape> {
    (0..4u8, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(change, snapshot, declining, restart)| Shape {
            change,
            snapshot,
            declining,
            restart,
        },
    )
}

fn endings() -> impl Strategy<Value = Ending> {
    prop_oneof![
        3 => Just(Ending::Applied),
        1 => Just(Ending::Fenced),
        1 => Just(Ending::Conflict),
        1 => Just(Ending::NotApplied),
        1 => any::<bool>().prop_map(|durable| Ending::Unknown { durable }),
    ]
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        12 => shapes().prop_map(Move::Progress),
        8 => (0..6usize, prop::bool::weighted(0.1)).prop_map(|(padding, gone)| Move::Ask { padding, gone }),
        2 => any::<prop::sample::Index>().prop_map(Move::Leave),
        3 => (shapes(), -1..2i64).prop_map(|(shape, off)| Move::Reply { shape, off }),
        1 => (-1..2i64).prop_map(|off| Move::Fail { off }),
        1 => Just(Move::Empty),
        1 => any::<bool>().prop_map(|error| Move::Close { error }),
        2 => endings().prop_map(Move::Commit),
        1 => Just(Move::Opened),
        1 => Just(Move::OpenFails),
        1 => Just(Move::Loaded),
        1 => Just(Move::LoadFails),
        2 => Just(Move::TimeOut),
        2 => Just(Move::Passivate),
    ]
}

fn hold<K: Model>(moves: Vec<Move>, drain: Option<prop::sample::Index>) {
    let drain_at = drain
        .filter(|_| !moves.is_empty())
        .map(|at| at.index(moves.len()));
    let mut world = World::<K>::new();
    for (at, next) in moves.into_iter().enumerate() {
        if drain_at == Some(at) {
            world.makes(&Move::Drain);
        }
        world.makes(&next);
    }
    world.settles();
}

proptest! {
    #[test]
    fn any_inputs_keep_the_laws_of_an_event_sourced_entity(
        moves in vec(moves(), 0..120), drain in proptest::option::of(any::<prop::sample::Index>())
    ) {
        hold::<EventSourced>(moves, drain);
    }

    #[test]
    fn any_inputs_keep_the_laws_of_a_value_entity(
        moves in vec(moves(), 0..120), drain in proptest::option::of(any::<prop::sample::Index>())
    ) {
        hold::<ValueEntity>(moves, drain);
    }
}
