use cloudstate_testkit::CrdtTest;

use super::*;
use crate::proto::cloudstate::samples::chat::friends::friends::{calls, crdt};

fn friends() -> CrdtTest {
    CrdtTest::with_id(crdt("friends", FriendsEntity), "ann")
}

fn request(user: &str, avatar: &str) -> FriendRequest {
    let (user, avatar) = (user.to_owned(), avatar.to_owned());
    FriendRequest {
        user: "ann".to_owned(),
        friend: Some(Friend { user, avatar }),
    }
}

fn ann() -> User {
    User {
        user: "ann".to_owned(),
    }
}

fn told(list: &FriendsList) -> Vec<(&str, &str)> {
    list.friends
        .iter()
        .map(|friend| (friend.user.as_str(), friend.avatar.as_str()))
        .collect()
}

#[test]
fn friends_come_and_go_on_every_node() {
    let mut friends = friends();
    let mut elsewhere = friends.open_elsewhere(calls::follow(ann()));
    friends.call(calls::add(request("cid", "3"))).reply();
    friends.call(calls::add(request("bob", "2"))).reply();
    friends.call(calls::add(request("bob", "2"))).reply();
    friends.call(calls::remove(request("cid", "whatever"))).reply();
    let lists = elsewhere.messages();
    let lists: Vec<_> = lists.iter().map(told).collect();
    assert_eq!(
        lists,
        [
            vec![],
            vec![("cid", "3")],
            vec![("bob", "2"), ("cid", "3")],
            vec![("bob", "2")]
        ]
    );
}

#[test]
fn who_is_added_again_gets_the_new_avatar() {
    let mut friends = friends();
    friends.call(calls::add(request("bob", "2"))).reply();
    friends.call(calls::add(request("bob", "7"))).reply();
    assert_eq!(
        told(&friends.call(calls::get_friends(ann())).reply()),
        [("bob", "7")]
    );
}

#[test]
fn who_is_added_with_two_avatars_at_the_same_time_is_one_friend() {
    let mut friends = friends();
    friends.part();
    friends.call(calls::add(request("bob", "2"))).reply();
    friends.call_elsewhere(calls::add(request("bob", "7"))).reply();
    friends.heal();
    assert_eq!(friends.call(calls::get_friends(ann())).reply().friends.len(), 1);
    friends.call(calls::remove(request("bob", "2"))).reply();
    assert_eq!(
        friends.call_elsewhere(calls::get_friends(ann())).reply().friends,
        []
    );
}

#[test]
fn adding_wins_over_removing_at_the_same_time() {
    let mut friends = friends();
    friends.call(calls::add(request("bob", "2"))).reply();
    friends.part();
    friends.call(calls::remove(request("bob", "2"))).reply();
    friends.call_elsewhere(calls::add(request("bob", "7"))).reply();
    friends.heal();
    assert_eq!(
        told(&friends.call(calls::get_friends(ann())).reply()),
        [("bob", "7")]
    );
}

#[test]
fn nobody_is_his_own_friend_or_a_friend_of_nobody() {
    let mut friends = friends();
    assert_eq!(
        friends.call(calls::add(request("ann", "1"))).failure(),
        "Nobody can be his own friend."
    );
    assert_eq!(
        friends.call(calls::add(request(" ", "1"))).failure(),
        "Who is the friend? The name is empty."
    );
}
