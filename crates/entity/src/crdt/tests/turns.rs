//! Whatever happens when: the function ends up with the value of the replica, and every caller with one answer.

use std::collections::VecDeque;

use cloudstate_crdt::{Any, Change, Clock, Entry, MapChange, RegisterChange, SetChange};
use cloudstate_protocol::crdt::CrdtStreamIn;
use proptest::prelude::*;

use super::super::*;
use super::harness::*;
use crate::harness::Client;

/// A function that does what libraries do: it applies what it is sent in order, and changes its value only in commands.
#[derive(Default)]
struct Function {
    value: Option<Plain>,
    inbox: VecDeque<CrdtStreamIn>,
    /// Commands that it has not answered.
    commands: Vec<i64>,
}

impl Function {
    /// Takes the next message.
    fn receives(&mut self) {
        let message = self.inbox.pop_front().and_then(|message| message.message);
        let delta = match message {
            Some(crdt_stream_in::Message::Command(command)) => {
                self.commands.push(command.id);
                None
            }
            Some(crdt_stream_in::Message::Init(init)) => init.delta,
            Some(crdt_stream_in::Message::Delta(delta)) => {
                assert!(self.commands.is_empty(), "a delta while commands are open");
                Some(delta)
            }
            _ => None,
        };
        if let Some(delta) = delta {
            self.applies(&convert::change(delta).expect("a delta has a type"), Side::Proxy);
        }
    }

    fn applies(&mut self, change: &Change, by: Side) {
        match &mut self.value {
            Some(value) => value.apply(change, by).expect("it fits"),
            None => self.value = Some(Plain::from_change(change, by).expect("it fits")),
        }
    }

    /// Answers one of its commands, with a change if that fits its value.
    fn answers(&mut self, which: usize, change: Option<Change>) -> Option<In> {
        let at = which.checked_rem(self.commands.len())?;
        let reply = replies(self.commands.remove(at));
        Some(match change {
            Some(change) => {
                self.applies(&change, Side::Function);
                reply.change(change).into()
            }
            None => reply.into(),
        })
    }
}

#[derive(Debug, Clone)]
enum Step {
    Command,
    Receive,
    Answer(usize, Option<Change>),
    Elsewhere(Change, bool),
    Hear,
}

fn item() -> impl Strategy<Value = Any> {
    (0..4_u8).prop_map(|number| Any::new("u", [number].as_slice()))
}

fn items() -> impl Strategy<Value = Vec<Any>> {
    prop::collection::vec(item(), 0..3)
}

fn counter() -> BoxedStrategy<Change> {
    (-5..5_i64).prop_map(count).boxed()
}

fn set() -> BoxedStrategy<Change> {
    (any::<bool>(), items(), items())
        .prop_map(|(cleared, removed, added)| {
            Change::ORSet(SetChange {
                cleared,
                removed,
                added,
            })
        })
        .boxed()
}

fn register() -> BoxedStrategy<Change> {
    (item(), 0..4, -3..3_i64)
        .prop_map(|(value, clock, custom_clock_value)| {
            Change::LWWRegister(RegisterChange {
                value,
                clock: Clock::from_number(clock),
                custom_clock_value,
            })
        })
        .boxed()
}

/// A map of counters: libraries add what they create after having removed what was there.
fn map() -> BoxedStrategy<Change> {
    let entry = || {
        (item(), counter()).prop_map(|(key, change)| Entry {
            key,
            change: Some(change),
        })
    };
    let entries = || prop::collection::vec(entry(), 0..2);
    (any::<bool>(), items(), entries(), prop::option::of(entry()))
        .prop_map(|(cleared, mut removed, updated, added)| {
            removed.extend(added.iter().map(|entry| entry.key.clone()));
            Change::ORMap(MapChange {
                cleared,
                removed,
                updated,
                added: added.into_iter().collect(),
            })
        })
        .boxed()
}

fn step(change: &BoxedStrategy<Change>) -> impl Strategy<Value = Step> + use<> {
    let answered = prop::option::weighted(0.7, change.clone());
    prop_oneof![
        2 => Just(Step::Command),
        3 => Just(Step::Receive),
        3 => (any::<usize>(), answered).prop_map(|(which, change)| Step::Answer(which, change)),
        2 => (change.clone(), any::<bool>()).prop_map(|(change, knows)| Step::Elsewhere(change, knows)),
        2 => Just(Step::Hear),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kinds = prop_oneof![Just(counter()), Just(set()), Just(register()), Just(map())];
    kinds.prop_flat_map(|change| prop::collection::vec(step(&change), 0..60))
}

/// Carries out what the machine wants, and notes who was answered.
fn carry_out(
    actions: Vec<Action<Client, Listener>>,
    function: &mut Function,
    answered: &mut Vec<String>,
) -> bool {
    let mut opens = false;
    for action in actions {
        match action {
            Action::Open => opens = true,
            Action::Send(message) => function.inbox.push_back(message),
            Action::Answer(caller, result, _) => {
                assert!(result.is_ok(), "{result:?}");
                answered.push(caller.name);
            }
            Action::Started(_) => {}
            other => panic!("nothing else should happen: {other:?}"),
        }
    }
    opens
}

proptest! {
    #[test]
    fn the_function_always_ends_up_with_the_value_of_the_replica(steps in steps()) {
        let mut entity = Scenario::unused();
        let (mut function, mut asked, mut answered) = (Function::default(), 0, Vec::new());
        let settle: Vec<_> = [Step::Hear].into_iter()
            .chain((0..100).flat_map(|_| [Step::Receive, Step::Answer(0, None)]))
            .collect();
        for step in steps.into_iter().chain([Step::Command]).chain(settle) {
            let actions = match step {
                Step::Command if asked < 9 => {
                    asked += 1;
                    let name = asked.to_string();
                    entity.acts(command(Call::Unary(Client::new(&name)), &name))
                }
                Step::Command => Vec::new(),
                Step::Receive => {
                    function.receives();
                    Vec::new()
                }
                Step::Answer(which, change) => {
                    function.answers(which, change).map(|input| entity.acts(input)).unwrap_or_default()
                }
                Step::Elsewhere(change, knows) => {
                    if knows {
                        entity.learn_there();
                    }
                    entity.concurrently(&change);
                    Vec::new()
                }
                Step::Hear => entity.hears(),
            };
            if carry_out(actions, &mut function, &mut answered) {
                let opened = entity.acts(Input::Opened);
                carry_out(opened, &mut function, &mut answered);
            }
        }
        let whole = match entity.machine.replica().difference(None) {
            Ok(Found::Difference(Difference::Change(change))) => Plain::from_change(&change, Side::Proxy).ok(),
            other => {
                prop_assert!(matches!(other, Ok(Found::Difference(Difference::None))), "{:?}", other);
                None
            }
        };
        prop_assert_eq!(function.value, whole);
        answered.sort();
        prop_assert_eq!(answered, (1..=asked).map(|name| name.to_string()).collect::<Vec<_>>());
        prop_assert!(entity.machine.is_idle());
    }
}
