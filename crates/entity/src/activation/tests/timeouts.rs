//! Whatever takes longer than allowed loses the activation, not the commands that wait for it.

use crate::Input;
use crate::harness::*;

const TOO_LATE: &str = r#"answer a: TimedOut { command: "Do" }"#;

for_both_kinds!(
    a_turn_that_takes_too_long_is_answered_and_the_rest_goes_to_the_next_activation,
    a_turn_that_takes_too_long_with_nobody_waiting_stops_the_entity,
    a_late_reply_to_a_lost_turn_is_dropped,
    an_activation_that_takes_too_long_fails_its_first_command_and_starts_again,
    an_activation_that_takes_too_long_for_nobody_stops,
    nothing_times_out_at_rest,
);

fn a_turn_that_takes_too_long_is_answered_and_the_rest_goes_to_the_next_activation<K: Subject>() {
    let mut entity = Entity::<K>::busy();
    assert_eq!(
        entity.when(Input::TimedOut),
        [TOO_LATE, "reset", "stop Failed", "open"]
    );
    let lines = entity.activates();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 b", "turn"]);
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer b: ok", "send command 2 c", "turn"]
    );
}

fn a_turn_that_takes_too_long_with_nobody_waiting_stops_the_entity<K: Subject>() {
    let mut entity = Entity::<K>::running();
    assert_eq!(entity.when(Input::TimedOut), [TOO_LATE, "reset", "stop Failed"]);
    assert!(entity.machine().is_stopped());
}

fn a_late_reply_to_a_lost_turn_is_dropped<K: Subject>() {
    let mut entity = Entity::<K>::running();
    entity.when(Input::TimedOut);
    assert!(entity.when(replies(1, Change::Some)).is_empty());
    entity.when(asks("b"));
    assert!(entity.when(replies(1, Change::Some)).is_empty());
}

fn an_activation_that_takes_too_long_fails_its_first_command_and_starts_again<K: Subject>() {
    for mut entity in [Entity::<K>::opening(), Entity::loading()] {
        entity.when(asks("b"));
        assert_eq!(
            entity.when(Input::TimedOut),
            [TOO_LATE, "reset", "stop Failed", "open"]
        );
        let lines = entity.activates();
        assert_eq!(lines[lines.len() - 2..], ["send command 1 b", "turn"]);
    }
}

fn an_activation_that_takes_too_long_for_nobody_stops<K: Subject>() {
    let mut entity = Entity::<K>::unused();
    let a = Client::new("a");
    entity.when(a.asks());
    a.leaves();
    assert_eq!(entity.when(Input::TimedOut), ["reset", "stop Failed"]);
}

fn nothing_times_out_at_rest<K: Subject>() {
    for mut entity in [Entity::<K>::unused(), Entity::idle()] {
        assert!(entity.when(Input::TimedOut).is_empty());
    }
}
