//! Calls of actions.

use cloudstate_sdk::doc_example::{Count, Number, Pair, sums};
use cloudstate_sdk::protocol::action::{ActionCommand, ActionResponse, action_response::Response};
use cloudstate_sdk::protocol::names;
use cloudstate_sdk::{Any, Call};

use crate::function::{Served, Sums, options};

fn command<O>(call: &Call<O>, with_payload: bool) -> ActionCommand {
    ActionCommand {
        service_name: call.service().into(),
        name: call.command().into(),
        payload: with_payload.then(|| call.payload().clone()),
        metadata: None,
    }
}

fn number(value: i64) -> ActionCommand {
    ActionCommand {
        payload: Some(Any::pack(&Number { value })),
        ..Default::default()
    }
}

pub(crate) fn add(left: i64, right: i64) -> ActionCommand {
    command(&sums::calls::add(Pair { left, right }), true)
}

#[track_caller]
pub(crate) fn value(response: ActionResponse) -> i64 {
    match response.response {
        Some(Response::Reply(reply)) => reply.payload.unwrap().unpack::<Count>().unwrap().value,
        other => panic!("expected a reply, but got {other:?}"),
    }
}

#[tokio::test]
async fn the_four_shapes_have_a_path_each() {
    let served = Served::start();
    let client = served.client().await;
    assert_eq!(value(client.unary(names::ACTION_UNARY_PATH, &add(2, 3)).await), 5);

    let mut call = client.open(names::ACTION_STREAMED_IN_PATH).await;
    call.send(&command(&sums::calls::total(Number::default()), false))
        .await;
    call.send(&number(4)).await;
    call.send(&number(5)).await;
    call.half_close();
    assert_eq!(value(call.next().await.unwrap()), 9);

    let mut call = client.open(names::ACTION_STREAMED_OUT_PATH).await;
    call.send(&command(&sums::calls::upto(Number { value: 2 }), true))
        .await;
    assert_eq!(value(call.next().await.unwrap()), 1);
    assert_eq!(value(call.next().await.unwrap()), 2);
    assert_eq!(call.next::<ActionResponse>().await, None);
    assert_eq!(call.status(), 0);

    let mut call = client.open(names::ACTION_STREAMED_PATH).await;
    call.send(&command(&sums::calls::running(Number::default()), false))
        .await;
    for (number_in, sum) in [(1, 1), (2, 3)] {
        call.send(&number(number_in)).await;
        assert_eq!(value(call.next().await.unwrap()), sum, "before the input ends");
    }
    call.half_close();
    assert_eq!(call.next::<ActionResponse>().await, None);
}

#[tokio::test]
async fn more_output_than_the_window_waits_for_the_reader() {
    let served = Served::start();
    let mut call = served.client().await.open(names::ACTION_STREAMED_OUT_PATH).await;
    call.send(&command(&sums::calls::upto(Number { value: 50_000 }), true))
        .await;
    for expected in 1..=50_000 {
        assert_eq!(value(call.next().await.unwrap()), expected);
    }
    assert_eq!(call.next::<ActionResponse>().await, None);
}

#[tokio::test]
async fn cancelling_a_call_drops_its_handler() {
    let sums = Sums::default();
    let served = Served::with(sums.clone(), options());
    let mut call = served.client().await.open(names::ACTION_UNARY_PATH).await;
    call.send(&add(-1, 0)).await;
    sums.begun.notified().await;
    call.reset();
    sums.dropped.notified().await;
}
