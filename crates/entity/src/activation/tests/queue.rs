//! How much may wait, and what is said to who comes too late.

use crate::harness::*;

for_both_kinds!(
    a_full_queue_refuses_the_command_and_keeps_the_others,
    too_many_waiting_bytes_refuse_the_command,
    room_comes_back_when_a_waiting_command_is_sent,
    the_limits_hold_in_every_phase_but_idle,
);

fn a_full_queue_refuses_the_command_and_keeps_the_others<K: Subject>() {
    let mut entity = Entity::<K>::new(2, 1000);
    entity.when(asks("a"));
    entity.activates();
    entity.when(asks("b"));
    entity.when(asks("c"));
    assert_eq!(
        entity.when(asks("d")),
        [r#"answer d: QueueFull("2 commands already wait for entity [e], the limit of its queue")"#]
    );
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
}

fn too_many_waiting_bytes_refuse_the_command<K: Subject>() {
    let mut entity = Entity::<K>::new(10, 8);
    entity.when(asks("a"));
    entity.activates();
    assert!(entity.when(asks("12345")).is_empty());
    assert_eq!(
        entity.when(asks("1234")),
        [
            r#"answer 1234: QueueFull("commands of more than 8 bytes wait for entity [e], the limit of its queue")"#
        ]
    );
    assert!(entity.when(asks("123")).is_empty(), "exactly at the limit");
}

fn room_comes_back_when_a_waiting_command_is_sent<K: Subject>() {
    let mut entity = Entity::<K>::new(1, 4);
    entity.when(asks("a"));
    entity.activates();
    entity.when(asks("1234"));
    entity.when(replies(1, Change::Nothing));
    assert!(entity.when(asks("5678")).is_empty());
    assert_eq!(entity.machine().queued(), 1);
}

fn the_limits_hold_in_every_phase_but_idle<K: Subject>() {
    let full = r#"answer late: QueueFull("10 commands already wait for entity [e], the limit of its queue")"#;
    for mut entity in [
        Entity::<K>::opening(),
        Entity::loading(),
        Entity::running(),
        Entity::committing(),
        Entity::closing(),
    ] {
        for _ in entity.machine().queued()..10 {
            assert!(entity.when(asks("early")).is_empty());
        }
        assert_eq!(entity.when(asks("late")), [full], "{:?}", entity.machine());
    }
}
