use cloudstate_sdk::Call;
use cloudstate_testkit::CrdtTest;

use super::*;
use crate::proto::cloudstate::samples::chat::rooms::rooms::{calls, crdt};

fn room() -> CrdtTest {
    CrdtTest::with_id(crdt("rooms", RoomEntity), "lounge")
}

fn lounge() -> Room {
    Room {
        room: "lounge".to_owned(),
    }
}

fn post(user: &str, text: &str) -> Call<Message> {
    calls::post(PostMessage {
        room: "lounge".to_owned(),
        user: user.to_owned(),
        text: text.to_owned(),
    })
}

fn typing(user: &str, typing: bool) -> Call<()> {
    calls::r#type(SetTyping {
        room: "lounge".to_owned(),
        user: user.to_owned(),
        typing,
    })
}

fn texts(changes: &Changes) -> Vec<&str> {
    changes
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

fn typing_users(changes: &Changes) -> Vec<&str> {
    changes.typing.iter().map(|typist| typist.user.as_str()).collect()
}

#[test]
fn what_is_said_on_one_node_is_heard_on_the_other_once() {
    let mut room = room();
    room.call(post("ann", "Hello")).reply();
    let mut bob = room.open_elsewhere(calls::follow(lounge()));
    let [all] = &bob.messages()[..] else {
        panic!("one message, at once");
    };
    assert!(all.whole);
    assert_eq!(texts(all), ["Hello"]);

    room.call(post("ann", " Anybody there? ")).reply();
    room.call_elsewhere(post("bob", "Me")).reply();
    let changes = bob.messages();
    assert_eq!(
        changes.iter().map(texts).collect::<Vec<_>>(),
        [["Anybody there?"], ["Me"]]
    );
    assert!(changes.iter().all(|changes| !changes.whole));
    let all = room.call(calls::get_room(lounge())).reply();
    assert_eq!(texts(&all), ["Hello", "Anybody there?", "Me"]);
}

#[test]
fn messages_posted_on_both_nodes_at_the_same_time_are_all_there_in_one_order() {
    let mut room = room();
    room.part();
    for number in 0..10 {
        room.call(post("ann", &format!("here {number}"))).reply();
        room.call_elsewhere(post("ann", &format!("elsewhere {number}")))
            .reply();
    }
    room.heal();
    let (here, elsewhere) = (
        room.call(calls::get_room(lounge())).reply(),
        room.call_elsewhere(calls::get_room(lounge())).reply(),
    );
    assert_eq!(here.messages.len(), 20);
    assert_eq!(here, elsewhere);
}

#[test]
fn a_room_keeps_the_last_messages() {
    let mut room = room();
    let mut bob = room.open_elsewhere(calls::follow(lounge()));
    let first = room.call(post("ann", "0")).reply();
    for number in 1..=HISTORY {
        room.call(post("ann", &number.to_string())).reply();
    }
    let all = room.call(calls::get_room(lounge())).reply();
    assert_eq!(all.messages.len(), HISTORY);
    assert_eq!(texts(&all)[0], "1");
    let last = bob.messages().pop().expect("the last message");
    assert_eq!(last.forgotten, [first.id]);
    assert_eq!(texts(&last), [HISTORY.to_string()]);
}

#[test]
fn a_typist_is_seen_until_he_stops_or_posts() {
    let mut room = room();
    let mut bob = room.open_elsewhere(calls::follow(lounge()));
    room.call(typing("ann", true)).reply();
    room.call(typing("cid", true)).reply();
    room.call(typing("cid", false)).reply();
    room.call(post("ann", "Hello")).reply();
    let changes = bob.messages();
    let seen: Vec<_> = changes.iter().map(typing_users).collect();
    assert_eq!(
        seen,
        [vec![], vec!["ann"], vec!["ann", "cid"], vec!["ann"], vec![]]
    );
}

#[test]
fn a_typist_who_never_stops_is_forgotten() {
    let mut room = Entries::default();
    let at = Some(timestamp(50_000));
    let user = "ann".to_owned();
    write(
        &mut room,
        &typist_key("ann"),
        entry::Entry::Typist(Typist { user, at }),
    );
    let users = |now| typists(&room, now).count();
    assert_eq!((users(50_000), users(60_000), users(60_001)), (1, 1, 0));
    tidy(&mut room, 60_000);
    assert_eq!(room.len(), 1);
    tidy(&mut room, 60_001);
    assert_eq!(room.len(), 0);
}

#[test]
fn an_answer_comes_behind_what_it_answers_though_its_clock_is_late() {
    let mut room = Entries::default();
    let tomorrow = now() + 86_400_000;
    let message = new_message("ann".to_owned(), "From a fast clock".to_owned(), tomorrow);
    write(
        &mut room,
        &message_key(&message.id),
        entry::Entry::Message(message.clone()),
    );
    assert_eq!(newest(&room), tomorrow);
    let answer = new_message("bob".to_owned(), "Hm".to_owned(), newest(&room) + 1);
    assert!(answer.id > message.id);
}

#[test]
fn nothing_and_too_much_are_declined() {
    let mut room = room();
    assert_eq!(room.call(post("ann", " \n")).failure(), "The message is empty.");
    assert_eq!(room.call(post("", "Hello")).failure(), "The name is empty.");
    assert_eq!(
        room.call(post("ann", &"é".repeat(2001))).failure(),
        "The message has 2001 characters, more than 2000."
    );
    assert_eq!(
        room.call(typing(&"n".repeat(41), true)).failure(),
        "The name has 41 characters, more than 40."
    );
    room.call(post("ann", &"é".repeat(2000))).reply();
}
