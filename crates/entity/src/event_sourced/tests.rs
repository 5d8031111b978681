//! Replay, events, snapshots and restart.

use cloudstate_protocol::eventsourced::event_sourced_stream_in::Message;
use cloudstate_protocol::eventsourced::{EventSourcedInit, EventSourcedReply, EventSourcedSnapshot};
use cloudstate_protocol::{Any, ClientAction};

use super::*;
use crate::harness::*;
use crate::{Action, CommitOutcome, Input};

type Cart = Entity<EventSourced>;

fn stored_snapshot(sequence: u64, state: &str) -> Input<EventSourced, Client> {
    beginning(Some((sequence, state)), &[], true)
}

fn no_snapshot() -> Input<EventSourced, Client> {
    beginning(None, &[], true)
}

fn beginning(
    snapshot: Option<(u64, &str)>,
    events: &[(u64, &str)],
    more: bool,
) -> Input<EventSourced, Client> {
    Input::Loaded(Recovered::Beginning {
        snapshot: snapshot.map(stored),
        events: events.iter().copied().map(stored).collect(),
        more,
    })
}

fn page(events: &[(u64, &str)], more: bool) -> Input<EventSourced, Client> {
    let events = events.iter().copied().map(stored).collect();
    Input::Loaded(Recovered::Events { events, more })
}

fn stored((sequence, text): (u64, &str)) -> (u64, Any) {
    (sequence, any(text))
}

/// Three events are stored, command `a` is with the function.
fn cart_with_three_events() -> Cart {
    let mut cart = Cart::loading();
    cart.when(no_snapshot());
    cart.when(page(&[(1, "e1"), (2, "e2"), (3, "e3")], false));
    cart
}

fn with_snapshot(mut reply: EventSourcedReply, state: &str) -> EventSourcedReply {
    reply.snapshot = Some(any(state));
    reply
}

fn declined(mut reply: EventSourcedReply) -> EventSourcedReply {
    reply.client_action = Some(ClientAction {
        action: Some(declines("sold out")),
    });
    reply
}

#[test]
fn init_without_snapshot_comes_before_the_events_and_the_command_after() {
    let mut cart = Cart::loading();
    assert_eq!(cart.when(no_snapshot()), ["send init", "load events after 0"]);
    assert_eq!(
        cart.when(page(&[(1, "e1"), (2, "e2")], false)),
        ["send event 1 e1", "send event 2 e2", "send command 1 a", "turn"]
    );
}

#[test]
fn only_events_after_the_snapshot_are_replayed() {
    let mut cart = Cart::loading();
    assert_eq!(
        cart.when(stored_snapshot(7, "seven")),
        ["send init with seven at 7", "load events after 7"]
    );
    assert_eq!(
        cart.when(page(&[(8, "e8")], false)),
        ["send event 8 e8", "send command 1 a", "turn"]
    );
}

#[test]
fn a_short_history_comes_in_one_piece() {
    let mut cart = Cart::loading();
    assert_eq!(
        cart.when(beginning(Some((7, "seven")), &[(8, "e8"), (9, "e9")], false)),
        [
            "send init with seven at 7",
            "send event 8 e8",
            "send event 9 e9",
            "send command 1 a",
            "turn"
        ]
    );
    assert_eq!(cart.when(cart_says(emits(1, &["e10"]))), ["commit after 9: e10"]);
    let mut cart = Cart::loading();
    assert_eq!(
        cart.when(beginning(None, &[(1, "e1")], true)),
        ["send init", "send event 1 e1", "load events after 1"]
    );
}

#[test]
fn a_snapshot_of_the_last_event_needs_no_replay() {
    let mut cart = Cart::loading();
    cart.when(stored_snapshot(7, "seven"));
    assert_eq!(cart.when(page(&[], false)), ["send command 1 a", "turn"]);
    assert_eq!(cart.when(cart_says(emits(1, &["e8"]))), ["commit after 7: e8"]);
}

#[test]
fn events_are_loaded_page_by_page_and_the_command_waits_for_the_last() {
    let mut cart = Cart::loading();
    cart.when(no_snapshot());
    assert_eq!(
        cart.when(page(&[(1, "e1"), (2, "e2")], true)),
        ["send event 1 e1", "send event 2 e2", "load events after 2"]
    );
    assert_eq!(
        cart.when(page(&[(3, "e3")], true)),
        ["send event 3 e3", "load events after 3"]
    );
    assert_eq!(cart.when(page(&[], false)), ["send command 1 a", "turn"]);
    assert_eq!(cart.when(cart_says(emits(1, &["e4"]))), ["commit after 3: e4"]);
}

#[test]
fn init_names_service_entity_and_snapshot() {
    let mut cart = Cart::loading();
    let acts = cart.acts(stored_snapshot(7, "seven"));
    let Some(Action::Send(message)) = acts.first() else {
        panic!("expected init, not {acts:?}");
    };
    let expected = EventSourcedInit {
        service_name: SERVICE.to_owned(),
        entity_id: ENTITY.to_owned(),
        snapshot: Some(EventSourcedSnapshot {
            snapshot_sequence: 7,
            snapshot: Some(any("seven")),
        }),
    };
    assert_eq!(message.message, Some(Message::Init(expected)));
}

#[test]
fn payloads_are_passed_on_byte_for_byte() {
    let odd = Any {
        type_url: "not a url".to_owned(),
        value: vec![255, 0, 1].into(),
    };
    let mut cart = Cart::loading();
    cart.when(no_snapshot());
    let acts = cart.acts(Input::Loaded(Recovered::Events {
        events: vec![(1, odd.clone())],
        more: false,
    }));
    let Some(Action::Send(EventSourcedStreamIn {
        message: Some(Message::Event(event)),
    })) = acts.first()
    else {
        panic!("expected an event, not {acts:?}");
    };
    assert_eq!((event.sequence, &event.payload), (1, &Some(odd.clone())));

    let mut reply = with_snapshot(emits(1, &[]), "state");
    reply.events = vec![odd.clone()];
    let acts = cart.acts(cart_says(reply));
    let Some(Action::Commit(commit)) = acts.first() else {
        panic!("expected a commit, not {acts:?}");
    };
    assert_eq!((commit.expected, &commit.events), (1, &vec![odd]));
}

#[test]
fn all_events_of_a_reply_are_one_commit_behind_the_last_stored_event() {
    let mut cart = cart_with_three_events();
    assert_eq!(
        cart.when(cart_says(emits(1, &["x", "y"]))),
        ["commit after 3: x y"]
    );
    assert_eq!(cart.when(applied(90)), ["answer a: ok"]);
    cart.when(asks("b"));
    assert_eq!(
        cart.when(cart_says(emits(2, &["z"]))),
        ["commit after 5: z"],
        "sequence numbers go on without a gap, whatever the offset"
    );
}

#[test]
fn a_reply_without_events_commits_nothing() {
    let mut cart = cart_with_three_events();
    assert_eq!(cart.when(cart_says(emits(1, &[]))), ["answer a: ok"]);
    cart.when(asks("b"));
    assert_eq!(cart.when(cart_says(emits(2, &["x"]))), ["commit after 3: x"]);
}

#[test]
fn effects_follow_the_commit_with_the_answer() {
    let mut cart = Cart::running();
    let mut reply = emits(1, &["x"]);
    reply.side_effects = vec![effect("first"), effect("second")];
    assert_eq!(cart.when(cart_says(reply)), ["commit after 0: x"]);
    assert_eq!(cart.when(applied(1)), ["answer a: ok + first + second"]);
}

#[test]
fn a_snapshot_is_saved_under_the_last_sequence_after_the_commit() {
    let mut cart = cart_with_three_events();
    let reply = with_snapshot(emits(1, &["x", "y"]), "five");
    assert_eq!(cart.when(cart_says(reply)), ["commit after 3: x y"]);
    assert_eq!(cart.when(applied(1)), ["save snapshot five at 5", "answer a: ok"]);
}

#[test]
fn a_snapshot_is_saved_once() {
    let mut cart = Cart::running();
    cart.when(cart_says(with_snapshot(emits(1, &["x"]), "one")));
    cart.when(applied(1));
    cart.when(asks("b"));
    cart.when(cart_says(emits(2, &["y"])));
    assert_eq!(cart.when(applied(2)), ["answer b: ok"]);
}

#[test]
fn no_snapshot_is_saved_when_the_commit_fails() {
    for outcome in [
        CommitOutcome::Unknown,
        CommitOutcome::Conflict,
        CommitOutcome::Fenced,
    ] {
        let mut cart = Cart::running();
        cart.when(asks("b"));
        cart.when(cart_says(with_snapshot(emits(1, &["x"]), "one")));
        let lines = cart.when(Input::Committed(outcome));
        assert!(!lines.iter().any(|line| line.starts_with("save")), "{lines:?}");
        cart.when(Input::Closed(None));
        cart.activates();
        cart.when(cart_says(emits(1, &["y"])));
        assert_eq!(
            cart.when(applied(1)),
            ["answer b: ok"],
            "nor by the next activation"
        );
    }
}

#[test]
fn a_snapshot_without_events_is_refused() {
    let mut cart = Cart::busy();
    assert_eq!(
        cart.when(cart_says(with_snapshot(emits(1, &[]), "alone"))),
        [
            r#"answer a: Violation("Unexpected entity reply: snapshot without events")"#,
            "report Unexpected entity reply - entity [e]: snapshot without events",
            r#"answer b: FunctionGone("Entity terminated")"#,
            r#"answer c: FunctionGone("Entity terminated")"#,
            "half-close",
        ]
    );
}

#[test]
fn events_of_a_failing_reply_are_stored_and_the_function_is_told() {
    let mut cart = Cart::running();
    let reply = with_snapshot(declined(emits(1, &["x"])), "one");
    assert_eq!(cart.when(cart_says(reply)), ["commit after 0: x"]);
    assert_eq!(
        cart.when(applied(1)),
        [
            "save snapshot one at 1",
            "report A failing reply carried events; they are stored. Set restart to have them dropped.",
            "answer a: declined, sold out",
        ]
    );
    cart.when(asks("b"));
    assert_eq!(cart.when(cart_says(emits(2, &["y"]))), ["commit after 1: y"]);
}

#[test]
fn a_failing_reply_without_events_needs_no_report() {
    let mut cart = Cart::running();
    assert_eq!(
        cart.when(cart_says(declined(emits(1, &[])))),
        ["answer a: declined, sold out"]
    );
}

#[test]
fn a_restart_answers_first_drops_events_and_snapshot_and_half_closes() {
    let mut cart = cart_with_three_events();
    let mut reply = with_snapshot(restarts(1), "dropped");
    reply.events = vec![any("dropped")];
    assert_eq!(
        cart.when(cart_says(reply)),
        [
            "log Restarting entity [e] after failure: no",
            "answer a: declined, no",
            "half-close",
        ]
    );
}

#[test]
fn a_restart_waits_for_the_function_then_reopens_at_once_and_replays() {
    let mut cart = cart_with_three_events();
    cart.when(cart_says(restarts(1)));
    assert_eq!(cart.when(Input::Closed(None)), ["stop Passivated", "open"]);
    assert_eq!(cart.when(Input::Opened), ["load beginning"]);
    assert_eq!(
        cart.when(stored_snapshot(2, "two")),
        ["send init with two at 2", "load events after 2"]
    );
    assert_eq!(cart.when(page(&[(3, "e3")], false)), ["send event 3 e3"]);
    assert!(cart.machine().is_idle(), "without a command it just waits");
}

#[test]
fn a_restart_keeps_waiting_commands_in_order_and_counts_from_1() {
    let mut cart = Cart::busy();
    let mut reply = restarts(1);
    reply.events = vec![any("dropped")];
    cart.when(cart_says(reply));
    assert!(cart.when(asks("d")).is_empty());
    cart.when(Input::Closed(None));
    assert!(cart.when(asks("e")).is_empty());
    let lines = cart.activates();
    assert_eq!(lines[lines.len() - 2..], ["send command 1 b", "turn"]);
    assert_eq!(
        cart.when(cart_says(emits(1, &["x"]))),
        ["commit after 0: x"],
        "the dropped event took no sequence number"
    );
    assert_eq!(
        cart.when(applied(1)),
        ["answer b: ok", "send command 2 c", "turn"]
    );
    assert_eq!(
        cart.when(cart_says(emits(2, &[]))),
        ["answer c: ok", "send command 3 d", "turn"]
    );
    assert_eq!(
        cart.when(cart_says(emits(3, &[]))),
        ["answer d: ok", "send command 4 e", "turn"]
    );
}

#[test]
fn a_snapshot_without_events_in_a_restarting_reply_is_dropped_with_all_else() {
    let mut cart = Cart::running();
    let lines = cart.when(cart_says(with_snapshot(restarts(1), "dropped")));
    assert_eq!(lines[1..], ["answer a: declined, no", "half-close"]);
}

#[test]
fn a_restarting_reply_with_a_wrong_id_is_a_violation_first() {
    let mut cart = Cart::running();
    let lines = cart.when(cart_says(restarts(2)));
    assert_eq!(lines[1], r#"answer a: Violation("Unexpected entity reply")"#);
}

#[test]
fn a_function_that_does_not_close_for_a_restart_is_cut_off() {
    let mut cart = Cart::running();
    cart.when(cart_says(restarts(1)));
    assert_eq!(cart.when(Input::TimedOut), ["reset", "stop Passivated", "open"]);
}

#[test]
fn a_restart_during_a_drain_ends_there_unless_commands_wait() {
    let mut cart = Cart::running();
    cart.when(Input::Drain);
    cart.when(cart_says(restarts(1)));
    assert_eq!(cart.when(Input::Closed(None)), ["stop Passivated"]);

    let mut cart = Cart::busy();
    cart.when(Input::Drain);
    cart.when(cart_says(restarts(1)));
    assert_eq!(cart.when(Input::Closed(None)), ["stop Passivated", "open"]);
}

#[test]
fn events_of_a_failed_commit_take_no_sequence_number() {
    let mut cart = Cart::busy();
    cart.when(cart_says(emits(1, &["x", "y"])));
    cart.when(Input::Committed(CommitOutcome::Unknown));
    cart.when(Input::Closed(None));
    cart.when(Input::Opened);
    cart.when(no_snapshot());
    cart.when(page(&[(1, "x"), (2, "y")], false));
    assert_eq!(
        cart.when(cart_says(emits(1, &["z"]))),
        ["commit after 2: z"],
        "the store says what took effect"
    );
}
