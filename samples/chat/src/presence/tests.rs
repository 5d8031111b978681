use cloudstate_testkit::{CrdtTest, OpenStream};

use super::*;
use crate::proto::cloudstate::samples::chat::presence::presence::{calls, crdt};

fn ann() -> User {
    User {
        name: "ann".to_owned(),
    }
}

fn presence() -> CrdtTest {
    CrdtTest::with_id(crdt("presence", PresenceEntity), "ann")
}

/// What a monitor said: whether Ann is online, whether here, and on how many nodes. How many nodes there are changes by itself.
fn said(monitor: &mut OpenStream<OnlineStatus>) -> Vec<(bool, bool, i32)> {
    let told = |status: OnlineStatus| (status.online, status.here, status.connected_nodes);
    let mut said: Vec<_> = monitor.messages().into_iter().map(told).collect();
    said.dedup();
    said
}

#[test]
fn a_user_is_online_from_the_first_connection_to_the_end_of_the_last() {
    let mut presence = presence();
    let mut monitor = presence.open(calls::monitor(ann()));
    assert_eq!(said(&mut monitor), [(false, false, 0)], "at once");
    let first = presence.open(calls::connect(ann()));
    assert_eq!(said(&mut monitor), [(true, true, 1)]);
    let second = presence.open(calls::connect(ann()));
    assert_eq!(monitor.messages(), [], "the second changes nothing");
    presence.cancel(first);
    assert_eq!(monitor.messages(), []);
    presence.cancel(second);
    assert_eq!(said(&mut monitor), [(false, false, 0)]);
}

#[test]
fn every_node_knows_who_is_connected_to_it_and_who_is_online_at_all() {
    let mut presence = presence();
    let mut here = presence.open(calls::monitor(ann()));
    let mut elsewhere = presence.open_elsewhere(calls::monitor(ann()));
    let on_both = [
        presence.open_elsewhere(calls::connect(ann())),
        presence.open(calls::connect(ann())),
    ];
    assert_eq!(
        said(&mut here),
        [(false, false, 0), (true, false, 1), (true, true, 2)]
    );
    assert_eq!(
        said(&mut elsewhere),
        [(false, false, 0), (true, true, 1), (true, true, 2)]
    );
    for connection in on_both {
        presence.cancel(connection);
    }
    assert_eq!(said(&mut here).last(), Some(&(false, false, 0)));
    assert_eq!(said(&mut elsewhere).last(), Some(&(false, false, 0)));
}

#[test]
fn who_is_monitored_first_and_connected_later_is_counted_among_all_nodes() {
    let mut presence = presence();
    let mut monitor = presence.open(calls::monitor(ann()));
    presence.open_elsewhere(calls::connect(ann()));
    let nodes: Vec<_> = monitor.messages().iter().map(|status| status.nodes).collect();
    assert_eq!(nodes, [1, 2]);
}

#[test]
fn a_connection_says_nothing() {
    let mut presence = presence();
    let mut connection = presence.open(calls::connect(ann()));
    let other = presence.open(calls::connect(ann()));
    presence.cancel(other);
    assert_eq!(connection.messages(), []);
    assert!(!connection.is_over());
}
