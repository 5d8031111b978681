//! The end of an activation that nobody needs, and of all when the proxy drains.

use crate::Input;
use crate::harness::*;

for_both_kinds!(
    an_idle_entity_half_closes_and_waits_for_the_function,
    only_an_idle_entity_passivates,
    a_function_error_while_closing_is_an_end_like_any_other,
    commands_that_come_while_closing_start_a_new_activation_in_order,
    callers_that_go_while_closing_do_not_start_a_new_activation,
    a_function_that_does_not_close_is_cut_off,
    draining_passivates_an_idle_entity_at_once,
    draining_finishes_what_waits_first,
    draining_finishes_what_waits_for_a_stream,
);

fn an_idle_entity_half_closes_and_waits_for_the_function<K: Subject>() {
    let mut entity = Entity::<K>::idle();
    assert_eq!(entity.when(Input::Passivate), ["half-close"]);
    assert!(!entity.machine().is_stopped());
    assert_eq!(entity.when(Input::Closed(None)), ["stop Passivated"]);
    assert!(entity.machine().is_stopped());
}

fn only_an_idle_entity_passivates<K: Subject>() {
    for mut entity in [
        Entity::<K>::unused(),
        Entity::opening(),
        Entity::loading(),
        Entity::running(),
        Entity::committing(),
        Entity::closing(),
    ] {
        assert!(entity.when(Input::Passivate).is_empty(), "{:?}", entity.machine());
    }
}

fn a_function_error_while_closing_is_an_end_like_any_other<K: Subject>() {
    let mut entity = Entity::<K>::closing();
    assert_eq!(
        entity.when(Input::Closed(Some("cancelled".to_owned()))),
        ["stop Passivated"]
    );
}

fn commands_that_come_while_closing_start_a_new_activation_in_order<K: Subject>() {
    let mut entity = Entity::<K>::closing();
    assert!(entity.when(asks("b")).is_empty());
    assert!(entity.when(asks("c")).is_empty());
    assert_eq!(entity.when(Input::Closed(None)), ["stop Passivated", "open"]);
    let lines = entity.activates();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 b", "turn"]);
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer b: ok", "send command 2 c", "turn"]
    );
}

fn callers_that_go_while_closing_do_not_start_a_new_activation<K: Subject>() {
    let mut entity = Entity::<K>::closing();
    let b = Client::new("b");
    entity.when(b.asks());
    b.leaves();
    assert_eq!(entity.when(Input::Closed(None)), ["stop Passivated"]);
}

fn a_function_that_does_not_close_is_cut_off<K: Subject>() {
    let mut entity = Entity::<K>::closing();
    entity.when(asks("b"));
    assert_eq!(entity.when(Input::TimedOut), ["reset", "stop Passivated", "open"]);
}

fn draining_passivates_an_idle_entity_at_once<K: Subject>() {
    let mut entity = Entity::<K>::idle();
    assert_eq!(entity.when(Input::Drain), ["half-close"]);
}

fn draining_finishes_what_waits_first<K: Subject>() {
    let mut entity = Entity::<K>::committing();
    assert!(entity.when(Input::Drain).is_empty());
    assert_eq!(
        entity.when(applied(1)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
    assert_eq!(
        entity.when(replies(2, Change::Nothing)),
        ["answer b: ok", "send command 3 c", "turn"]
    );
    assert_eq!(
        entity.when(replies(3, Change::Nothing)),
        ["answer c: ok", "half-close"]
    );
    assert_eq!(entity.when(Input::Closed(None)), ["stop Passivated"]);
}

fn draining_finishes_what_waits_for_a_stream<K: Subject>() {
    for mut entity in [Entity::<K>::opening(), Entity::loading()] {
        assert!(entity.when(Input::Drain).is_empty());
        entity.activates();
        assert_eq!(
            entity.when(replies(1, Change::Nothing)),
            ["answer a: ok", "half-close"]
        );
    }
}
