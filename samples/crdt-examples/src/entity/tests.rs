use cloudstate_testkit::CrdtTest;

use super::*;
use crate::proto::com::example::crdts::crdt_example::{self, calls};

fn test() -> CrdtTest {
    CrdtTest::new(crdt_example::crdt("crdt-examples", CrdtExampleEntity))
}

fn by(value: i64) -> UpdateCounter {
    UpdateCounter {
        key: "k".to_owned(),
        value,
    }
}

fn item(name: &str) -> SomeValue {
    SomeValue {
        key: name.to_owned(),
        description: format!("a {name}"),
    }
}

fn mutate(clear: bool, remove: &[&str], add: &[&str]) -> MutateSet {
    let items = |names: &[&str]| names.iter().map(|name| item(name)).collect();
    MutateSet {
        key: "k".to_owned(),
        clear,
        remove: items(remove),
        add: items(add),
    }
}

fn online(online: bool) -> OnlineStatus {
    OnlineStatus { online }
}

#[test]
fn counters_add_up_what_all_nodes_add() {
    let mut counter = test();
    assert_eq!(counter.call(calls::increment_g_counter(by(3))).reply().value, 3);
    assert_eq!(
        counter
            .call_elsewhere(calls::increment_g_counter(by(4)))
            .reply()
            .value,
        7
    );
    counter.restart();
    assert_eq!(
        counter.call(calls::get_g_counter(Get::default())).reply().value,
        7
    );
    let declined = counter.call(calls::increment_g_counter(by(-1)));
    assert_eq!(declined.failure(), "Cannot decrement gcounter");

    let mut counter = test();
    counter.part();
    assert_eq!(counter.call(calls::update_pn_counter(by(3))).reply().value, 3);
    assert_eq!(
        counter
            .call_elsewhere(calls::update_pn_counter(by(-5)))
            .reply()
            .value,
        -5
    );
    counter.heal();
    assert_eq!(
        counter.call(calls::get_pn_counter(Get::default())).reply().value,
        -2
    );
}

#[test]
fn sets_take_elements_from_all_nodes_and_adding_wins() {
    let mut set = test();
    assert_eq!(
        set.call(calls::mutate_g_set(mutate(false, &[], &["a", "b"])))
            .reply()
            .size,
        2
    );
    assert_eq!(
        set.call_elsewhere(calls::mutate_g_set(mutate(false, &[], &["b", "c"])))
            .reply()
            .size,
        3
    );
    let items = set.call(calls::get_g_set(Get::default())).reply().items;
    assert_eq!(items, [item("a"), item("b"), item("c")]);
    let declined = set.call(calls::mutate_g_set(mutate(false, &["a"], &[])));
    assert_eq!(declined.failure(), "Cannot remove from a gset");

    let mut set = test();
    set.call(calls::mutate_or_set(mutate(false, &[], &["a", "b"])));
    set.part();
    assert_eq!(
        set.call(calls::mutate_or_set(mutate(false, &["a"], &[])))
            .reply()
            .size,
        1
    );
    set.call_elsewhere(calls::mutate_or_set(mutate(true, &[], &["a", "c"])));
    set.heal();
    let items = set.call(calls::get_or_set(Get::default())).reply().items;
    assert_eq!(
        items,
        [item("a"), item("c")],
        "added elsewhere while it was removed here"
    );
}

#[test]
fn a_key_is_what_was_first_made_of_it() {
    let mut counter = test();
    counter.call(calls::update_pn_counter(by(1)));
    let declined = counter.call_elsewhere(calls::get_or_set(Get::default()));
    assert_eq!(declined.failure(), "the type is PNCounter, not ORSet");
}

#[test]
fn a_user_is_online_while_any_connection_is_there_on_any_node() {
    let mut presence = test();
    let user = || User {
        name: "ann".to_owned(),
    };
    let mut here = presence.open(calls::monitor(user()));
    let mut there = presence.open_elsewhere(calls::monitor(user()));
    assert_eq!(
        (here.messages(), there.messages()),
        (vec![online(false)], vec![online(false)])
    );
    let first = presence.open(calls::connect(user()));
    let second = presence.open(calls::connect(user()));
    let third = presence.open_elsewhere(calls::connect(user()));
    assert_eq!(
        (here.messages(), there.messages()),
        (vec![online(true)], vec![online(true)])
    );
    presence.cancel(first);
    presence.cancel(third);
    assert!(here.messages().is_empty(), "one is still there");
    presence.cancel(second);
    assert_eq!(
        (here.messages(), there.messages()),
        (vec![online(false)], vec![online(false)])
    );
    assert!(!here.is_over() && there.failure().is_none());
}
