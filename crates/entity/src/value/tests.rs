//! Load, update and delete.

use cloudstate_protocol::ClientAction;
use cloudstate_protocol::valueentity::{
    ValueEntityDelete, ValueEntityReply, ValueEntityUpdate, value_entity_stream_in::Message,
};

use super::*;
use crate::harness::*;
use crate::{Action, CommitOutcome, Input};

type Cart = Entity<ValueEntity>;

fn stored(version: u64, value: &str) -> Input<ValueEntity, Client> {
    Input::Loaded(Some((version, any(value))))
}

/// Version 4 of the value is stored, command `a` is with the function.
fn cart_with_value() -> Cart {
    let mut cart = Cart::loading();
    cart.when(stored(4, "four"));
    cart
}

fn with(id: i64, action: Option<value_entity_action::Action>) -> ValueEntityReply {
    ValueEntityReply {
        state_action: Some(ValueEntityAction { action }),
        ..sets(id, "")
    }
}

fn deletes(id: i64) -> ValueEntityReply {
    with(
        id,
        Some(value_entity_action::Action::Delete(ValueEntityDelete {})),
    )
}

fn leaves(id: i64) -> ValueEntityReply {
    ValueEntityReply {
        state_action: None,
        ..sets(id, "")
    }
}

/// The state that `init` carries.
fn state_in_init(cart: &mut Cart, part: Option<(u64, Any)>) -> Option<ValueEntityInitState> {
    let acts = cart.acts(Input::Loaded(part));
    let Some(Action::Send(ValueEntityStreamIn {
        message: Some(Message::Init(init)),
    })) = acts.first()
    else {
        panic!("expected init, not {acts:?}");
    };
    assert_eq!(
        (init.service_name.as_str(), init.entity_id.as_str()),
        (SERVICE, ENTITY)
    );
    init.state.clone()
}

#[test]
fn the_value_is_loaded_before_init_is_sent() {
    let mut cart = Cart::opening();
    assert_eq!(cart.when(Input::Opened), ["load value"]);
    assert_eq!(
        cart.when(stored(4, "four")),
        ["send init with four", "send command 1 a", "turn"]
    );
}

#[test]
fn init_always_has_a_state_and_only_a_stored_one_has_a_value() {
    assert_eq!(
        state_in_init(&mut Cart::loading(), None),
        Some(ValueEntityInitState { value: None })
    );
    let odd = Any {
        type_url: String::new(),
        value: vec![255, 0].into(),
    };
    for value in [any("four"), Any::default(), odd] {
        assert_eq!(
            state_in_init(&mut Cart::loading(), Some((4, value.clone()))),
            Some(ValueEntityInitState { value: Some(value) }),
            "byte for byte, even when it is empty"
        );
    }
}

#[test]
fn an_update_is_committed_over_the_loaded_version() {
    let mut cart = cart_with_value();
    assert_eq!(
        cart.when(value_says(sets(1, "five"))),
        ["commit over version 4: five"]
    );
    assert_eq!(cart.when(applied(9)), ["answer a: ok"]);
}

#[test]
fn each_commit_builds_on_the_offset_of_the_one_before() {
    let mut cart = Cart::running();
    assert_eq!(cart.when(value_says(sets(1, "x"))), ["commit over nothing: x"]);
    cart.when(applied(10));
    cart.when(asks("b"));
    assert_eq!(cart.when(value_says(sets(2, "y"))), ["commit over version 10: y"]);
    cart.when(applied(35));
    cart.when(asks("c"));
    assert_eq!(
        cart.when(value_says(deletes(3))),
        ["commit over version 35: delete"]
    );
    cart.when(applied(36));
    cart.when(asks("d"));
    assert_eq!(cart.when(value_says(sets(4, "z"))), ["commit over nothing: z"]);
}

#[test]
fn a_deleted_value_leaves_the_entity_active() {
    let mut cart = cart_with_value();
    cart.when(asks("b"));
    cart.when(value_says(deletes(1)));
    assert_eq!(
        cart.when(applied(5)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
}

#[test]
fn deleting_what_is_not_there_commits_nothing() {
    let mut cart = Cart::running();
    assert_eq!(cart.when(value_says(deletes(1))), ["answer a: ok"]);
    let mut cart = cart_with_value();
    cart.when(value_says(deletes(1)));
    cart.when(applied(5));
    cart.when(asks("b"));
    assert_eq!(cart.when(value_says(deletes(2))), ["answer b: ok"]);
}

#[test]
fn a_reply_without_state_action_leaves_the_value() {
    let mut cart = cart_with_value();
    assert_eq!(cart.when(value_says(leaves(1))), ["answer a: ok"]);
    cart.when(asks("b"));
    assert_eq!(cart.when(value_says(sets(2, "y"))), ["commit over version 4: y"]);
}

#[test]
fn values_are_committed_byte_for_byte() {
    let odd = Any {
        type_url: "not a url".to_owned(),
        value: vec![255, 0, 1].into(),
    };
    for value in [odd, Any::default()] {
        let mut cart = Cart::running();
        let update = ValueEntityUpdate {
            value: Some(value.clone()),
        };
        let reply = with(1, Some(value_entity_action::Action::Update(update)));
        let acts = cart.acts(value_says(reply));
        let [Action::Commit(commit)] = acts.as_slice() else {
            panic!("expected a commit, not {acts:?}");
        };
        assert_eq!(commit.value, Some(value));
    }
}

#[test]
fn the_state_action_of_a_failing_reply_is_performed() {
    for (reply, commit) in [
        (sets(1, "five"), "commit over version 4: five"),
        (deletes(1), "commit over version 4: delete"),
    ] {
        let mut cart = cart_with_value();
        let reply = ValueEntityReply {
            client_action: Some(ClientAction {
                action: Some(declines("sold out")),
            }),
            ..reply
        };
        assert_eq!(cart.when(value_says(reply)), [commit]);
        assert_eq!(cart.when(applied(5)), ["answer a: declined, sold out"]);
    }
}

#[test]
fn restart_has_no_meaning() {
    let mut cart = cart_with_value();
    let failure = protocol::Failure {
        restart: true,
        ..failure(1, "no")
    };
    let reply = ValueEntityReply {
        client_action: Some(ClientAction {
            action: Some(protocol::client_action::Action::Failure(failure)),
        }),
        ..sets(1, "five")
    };
    assert_eq!(cart.when(value_says(reply)), ["commit over version 4: five"]);
    assert_eq!(cart.when(applied(5)), ["answer a: declined, no"]);
    assert!(cart.machine().is_idle());
}

/// A reply that cannot be carried out: its caller and the function are told why.
fn refused(reply: ValueEntityReply, detail: &str) {
    let mut cart = Cart::busy();
    assert_eq!(
        cart.when(value_says(reply)),
        [
            format!(r#"answer a: Violation("Unexpected Value entity reply: {detail}")"#),
            format!("report Unexpected Value entity reply - entity [e]: {detail}"),
            r#"answer b: FunctionGone("Value entity terminated")"#.to_owned(),
            r#"answer c: FunctionGone("Value entity terminated")"#.to_owned(),
            "half-close".to_owned(),
        ]
    );
}

#[test]
fn an_update_without_a_value_is_refused() {
    let update = ValueEntityUpdate { value: None };
    refused(
        with(1, Some(value_entity_action::Action::Update(update))),
        "update without a value",
    );
}

#[test]
fn a_state_action_without_action_is_refused() {
    refused(with(1, None), "state action without update or delete");
}

#[test]
fn a_failed_commit_changes_no_version() {
    let mut cart = cart_with_value();
    cart.when(asks("b"));
    cart.when(value_says(sets(1, "five")));
    cart.when(Input::Committed(CommitOutcome::Unknown));
    cart.when(Input::Closed(None));
    cart.when(Input::Opened);
    assert_eq!(
        cart.when(stored(8, "five")),
        ["send init with five", "send command 1 b", "turn"]
    );
    assert_eq!(
        cart.when(value_says(sets(1, "six"))),
        ["commit over version 8: six"],
        "the store says what took effect"
    );
}
