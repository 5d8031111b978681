use cloudstate_testkit::CrdtTest;

use super::*;
use crate::proto::cloudstate::samples::chat::places::places::{calls, crdt};

fn window(origin: &str) -> Window {
    Window {
        chat: "chat".to_owned(),
        origin: origin.to_owned(),
    }
}

fn places() -> CrdtTest {
    CrdtTest::with_id(crdt("places", PlacesEntity), "chat")
}

#[test]
fn a_window_hears_where_others_came_from() {
    let mut places = places();
    let mut one = places.open(calls::follow(window("http://localhost:9000")));
    let mut other = places.open_elsewhere(calls::follow(window("http://localhost:9001")));
    let both = ["http://localhost:9000", "http://localhost:9001"];
    let last = |lists: Vec<PlaceList>| lists.last().map(|list| list.origins.clone());
    assert_eq!(last(one.messages()), Some(both.map(str::to_owned).to_vec()));
    assert_eq!(last(other.messages()), Some(both.map(str::to_owned).to_vec()));

    let rest = places.call(calls::forget(window(both[0]))).reply();
    assert_eq!(rest.origins, [both[1]]);
    assert_eq!(other.messages(), [rest]);
}

#[test]
fn only_places_are_kept_and_not_without_end() {
    let mut places = places();
    let refused = places.open(calls::follow(window("javascript:alert(1)")));
    assert_eq!(
        refused.failure().as_deref(),
        Some("javascript:alert(1) is no place where a node can be reached.")
    );
    for port in 0..=MAX_PLACES {
        places.open(calls::follow(window(&format!("http://localhost:{port}"))));
    }
    let list = places.call(calls::forget(window("http://nowhere"))).reply();
    assert_eq!(list.origins.len(), MAX_PLACES);
}
