//! One turn at a time, in arrival order.

use std::sync::Arc;

use cloudstate_protocol::{Forward, client_action};

use crate::harness::*;
use crate::{Action, Command, Input};

for_both_kinds!(
    the_first_command_opens_a_stream_and_is_sent_when_all_is_loaded,
    commands_wait_in_order_while_the_entity_loads,
    the_next_command_is_sent_when_the_one_in_hand_is_answered,
    an_idle_entity_gets_a_command_at_once,
    command_ids_start_at_1_with_each_activation,
    only_the_function_is_waited_for_in_a_turn_and_while_closing,
    the_answer_carries_action_and_effects_as_the_function_gave_them,
    a_declined_command_leaves_the_entity_active,
    a_caller_that_goes_while_waiting_is_passed_over,
    a_caller_that_is_gone_already_wakes_nobody,
    a_caller_that_goes_after_its_command_was_sent_is_committed_for,
);

fn the_first_command_opens_a_stream_and_is_sent_when_all_is_loaded<K: Subject>() {
    let mut entity = Entity::<K>::unused();
    assert!(entity.machine().is_stopped());
    assert_eq!(entity.when(asks("a")), ["open"]);
    let mut expected = K::first_lines();
    expected.extend(["send command 1 a", "turn"]);
    assert_eq!(entity.activates(), expected);
    assert!(!entity.machine().is_stopped() && !entity.machine().is_idle());
}

fn commands_wait_in_order_while_the_entity_loads<K: Subject>() {
    let mut entity = Entity::<K>::opening();
    assert!(entity.when(asks("b")).is_empty(), "nothing is sent while opening");
    entity.when(Input::Opened);
    assert!(entity.when(asks("c")).is_empty(), "nothing is sent while loading");
    assert_eq!(entity.machine().queued(), 3);
    let lines = entity.load_nothing();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 a", "turn"]);
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
    assert_eq!(
        entity.when(replies(2, Change::Nothing)),
        ["answer b: ok", "send command 3 c", "turn"]
    );
}

fn the_next_command_is_sent_when_the_one_in_hand_is_answered<K: Subject>() {
    let mut entity = Entity::<K>::running();
    assert!(entity.when(asks("b")).is_empty(), "one command at a time");
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
    assert_eq!(entity.when(replies(2, Change::Nothing)), ["answer b: ok"]);
    assert!(entity.machine().is_idle());
}

fn an_idle_entity_gets_a_command_at_once<K: Subject>() {
    let mut entity = Entity::<K>::idle();
    assert_eq!(entity.when(asks("b")), ["send command 2 b", "turn"]);
}

fn command_ids_start_at_1_with_each_activation<K: Subject>() {
    let mut entity = Entity::<K>::idle();
    entity.when(asks("b"));
    entity.when(replies(2, Change::Nothing));
    entity.when(Input::Passivate);
    entity.when(Input::Closed(None));
    assert_eq!(entity.when(asks("c")), ["open"]);
    let lines = entity.activates();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 c", "turn"]);
}

fn only_the_function_is_waited_for_in_a_turn_and_while_closing<K: Subject>() {
    for (entity, awaits) in [
        (Entity::<K>::unused(), false),
        (Entity::opening(), false),
        (Entity::loading(), false),
        (Entity::running(), true),
        (Entity::committing(), false),
        (Entity::idle(), false),
        (Entity::closing(), true),
    ] {
        assert_eq!(
            entity.machine().awaits_function(),
            awaits,
            "{:?}",
            entity.machine()
        );
    }
}

fn the_answer_carries_action_and_effects_as_the_function_gave_them<K: Subject>() {
    let forward = Forward {
        service_name: SERVICE.to_owned(),
        command_name: "Pay".to_owned(),
        payload: Some(any("bill")),
        metadata: Some(metadata()),
    };
    let actions = [
        None,
        Some(ok()),
        Some(client_action::Action::Forward(forward)),
        Some(declines("sold out")),
    ];
    for action in actions {
        let mut entity = Entity::<K>::running();
        let effects = vec![effect("first"), effect("second")];
        let message = K::with_effects(K::reply(1, action.clone(), Change::Nothing), effects.clone());
        let acts = entity.acts(Input::Message(message));
        let [Action::Answer(caller, Ok(answer))] = acts.as_slice() else {
            panic!("expected one answer, not {acts:?}");
        };
        assert_eq!(caller.name, "a");
        assert_eq!((&answer.action, &answer.side_effects), (&action, &effects));
    }
}

fn a_declined_command_leaves_the_entity_active<K: Subject>() {
    let mut entity = Entity::<K>::busy();
    let declined = K::reply(1, Some(declines("sold out")), Change::Nothing);
    assert_eq!(
        entity.when(Input::Message(declined)),
        ["answer a: declined, sold out", "send command 2 b", "turn"]
    );
}

fn a_caller_that_goes_while_waiting_is_passed_over<K: Subject>() {
    let mut entity = Entity::<K>::running();
    let (b, c) = (Client::new("b"), Client::new("c"));
    entity.when(b.asks());
    entity.when(c.asks());
    entity.when(asks("d"));
    b.leaves();
    c.leaves();
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer a: ok", "send command 2 d", "turn"]
    );
}

fn a_caller_that_is_gone_already_wakes_nobody<K: Subject>() {
    let gone = Client::new("gone");
    gone.leaves();
    for mut entity in [Entity::<K>::unused(), Entity::idle(), Entity::running()] {
        assert!(entity.when(gone.asks()).is_empty(), "{:?}", entity.machine());
        assert_eq!(entity.machine().queued(), 0);
    }
}

fn a_caller_that_goes_after_its_command_was_sent_is_committed_for<K: Subject>() {
    let mut entity = Entity::<K>::idle();
    let b = Client::new("b");
    entity.when(b.asks());
    b.leaves();
    assert_eq!(entity.when(replies(2, Change::Some)), [K::first_commit()]);
    assert_eq!(entity.when(applied(1)), ["answer b: ok"]);
}

#[test]
fn a_command_reaches_the_function_as_the_caller_sent_it() {
    use cloudstate_protocol::eventsourced::event_sourced_stream_in::Message;

    let mut entity = Entity::<crate::EventSourced>::idle();
    let payload = cloudstate_protocol::Any {
        type_url: "type.googleapis.com/shop.Add".to_owned(),
        value: vec![0, 255, 7].into(),
    };
    let acts = entity.acts(Input::Command(Command {
        caller: Client::new("b"),
        name: Arc::from("AddItem"),
        payload: payload.clone(),
        metadata: Some(metadata()),
    }));
    let [Action::Send(message), Action::TurnStarted] = acts.as_slice() else {
        panic!("expected a turn, not {acts:?}");
    };
    let expected = cloudstate_protocol::Command {
        entity_id: ENTITY.to_owned(),
        id: 2,
        name: "AddItem".to_owned(),
        payload: Some(payload),
        streamed: false,
        metadata: Some(metadata()),
    };
    assert_eq!(message.message, Some(Message::Command(expected)));
}
