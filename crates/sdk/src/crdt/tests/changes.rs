//! Whatever commands do: what is derived from it makes another copy equal, and undoing it restores the value.

use proptest::prelude::*;

use crate::Primitive;
use crate::crdt::replicated::Replicated;
use crate::crdt::{LWWRegister, ORMap, ORSet, PNCounter, Untyped};
use crate::{Payload, Raw};

type Number = Primitive<i32>;

/// What a command does to a set.
#[derive(Debug, Clone)]
enum Act {
    Add(i32),
    Remove(i32),
    Clear,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..4).prop_map(Act::Add),
        4 => (0..4).prop_map(Act::Remove),
        1 => Just(Act::Clear),
    ]
}

/// What a command does to a map of sets and to one of registers and counters.
#[derive(Debug, Clone)]
enum MapAct {
    Change(i32, Act),
    Touch(i32),
    Remove(i32),
    Clear,
}

fn map_act() -> impl Strategy<Value = MapAct> {
    prop_oneof![
        6 => (0..3, act()).prop_map(|(key, act)| MapAct::Change(key, act)),
        2 => (0..3).prop_map(MapAct::Touch),
        2 => (0..3).prop_map(MapAct::Remove),
        1 => Just(MapAct::Clear),
    ]
}

fn commands<A: std::fmt::Debug + Clone>(
    act: impl Strategy<Value = A>,
) -> impl Strategy<Value = Vec<(Vec<A>, bool)>> {
    prop::collection::vec((prop::collection::vec(act, 0..6), any::<bool>()), 0..8)
}

trait Takes<A>: Replicated {
    /// Gives it a type, if it has none.
    fn prepare(&mut self) {}
    fn take(&mut self, act: &A);
}

impl Takes<Act> for ORSet<Number> {
    fn take(&mut self, act: &Act) {
        match act {
            Act::Add(element) => {
                self.add(*element);
            }
            Act::Remove(element) => {
                self.remove(&Primitive(*element));
            }
            Act::Clear => self.clear(),
        }
    }
}

impl Takes<Act> for PNCounter {
    fn take(&mut self, act: &Act) {
        let by = match act {
            Act::Add(by) => *by,
            Act::Remove(by) => -by,
            Act::Clear => 0,
        };
        assert!(self.add(by.into()).is_ok());
    }
}

impl Takes<Act> for LWWRegister<Number> {
    fn take(&mut self, act: &Act) {
        if let Act::Add(value) | Act::Remove(value) = act {
            self.set(*value);
        }
    }
}

impl<V: Takes<Act>> Takes<MapAct> for ORMap<Number, V> {
    fn take(&mut self, act: &MapAct) {
        match act {
            MapAct::Change(key, act) => self.get_or_create(*key).take(act),
            MapAct::Touch(key) => {
                self.get_mut(&Primitive(*key));
            }
            MapAct::Remove(key) => {
                self.remove(&Primitive(*key));
            }
            MapAct::Clear => self.clear(),
        }
    }
}

fn raw(number: i32) -> Raw {
    Raw(Primitive(number).to_any().expect("a primitive"))
}

/// A set of numbers, as it is without a type.
impl Takes<Act> for Untyped {
    fn prepare(&mut self) {
        assert!(self.orset().is_ok());
    }

    fn take(&mut self, act: &Act) {
        let set = self.orset().expect("it is one");
        match act {
            Act::Add(element) => {
                set.add(raw(*element));
            }
            Act::Remove(element) => {
                set.remove(&raw(*element));
            }
            Act::Clear => set.clear(),
        }
    }
}

/// Runs commands, of which some fail, and follows with a copy.
fn follow<A, T: Takes<A>>(commands: &[(Vec<A>, bool)]) -> Result<(), TestCaseError> {
    let (mut state, mut copy) = (T::fresh(), T::fresh());
    // A register's initial value counts as a change.
    for state in [&mut state, &mut copy] {
        state.prepare();
        state.settle();
    }
    for (acts, fails) in commands {
        let before = state.whole();
        acts.iter().for_each(|act| state.take(act));
        if *fails {
            state.roll_back();
            prop_assert_eq!(state.change(), None);
            prop_assert_eq!(state.whole(), before);
            continue;
        }
        match state.change() {
            Some(change) => prop_assert!(copy.apply(change).is_ok()),
            None => prop_assert_eq!(state.whole(), before, "a change that nobody is told of"),
        }
        state.settle();
        prop_assert_eq!(copy.whole(), state.whole());
        let mut third = T::fresh();
        prop_assert!(state.whole().is_some_and(|whole| third.apply(whole).is_ok()));
        prop_assert_eq!(third.whole(), state.whole(), "from nothing");
    }
    Ok(())
}

proptest! {
    #[test]
    fn sets(commands in commands(act())) {
        follow::<Act, ORSet<Number>>(&commands)?;
        follow::<Act, Untyped>(&commands)?;
    }

    #[test]
    fn registers_and_counters(commands in commands(act())) {
        follow::<Act, LWWRegister<Number>>(&commands)?;
        follow::<Act, PNCounter>(&commands)?;
    }

    #[test]
    fn maps(commands in commands(map_act())) {
        follow::<MapAct, ORMap<Number, ORSet<Number>>>(&commands)?;
        follow::<MapAct, ORMap<Number, Untyped>>(&commands)?;
        follow::<MapAct, ORMap<Number, PNCounter>>(&commands)?;
        follow::<MapAct, ORMap<Number, LWWRegister<Number>>>(&commands)?;
    }
}
