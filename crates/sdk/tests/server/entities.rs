//! Discovery, and streams of event sourced entities.

use bytes::Bytes;
use cloudstate_sdk::doc_example::{Count, Increase, counter};
use cloudstate_sdk::protocol::eventsourced::{
    EventSourcedInit, EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in::Message as In,
    event_sourced_stream_out::Message as Out,
};
use cloudstate_sdk::protocol::{
    Command, EntitySpec, ProxyInfo, UserFunctionError, client_action::Action, names,
};
use cloudstate_sdk::{Any, Listener, UserFunction};

use crate::client::{Call, Client};
use crate::function::{Served, counters, options};

pub(crate) async fn activate(client: &Client, id: &str) -> Call {
    let mut call = client.open(names::EVENT_SOURCED_PATH).await;
    let init = EventSourcedInit {
        service_name: counter::NAME.into(),
        entity_id: id.into(),
        ..EventSourcedInit::default()
    };
    call.send(&EventSourcedStreamIn {
        message: Some(In::Init(init)),
    })
    .await;
    call
}

fn increase(id: &str, command_id: i64, by: i64) -> EventSourcedStreamIn {
    let payload = Some(Any::pack(&Increase {
        counter: id.into(),
        by,
    }));
    let name = "Increase".into();
    let command = Command {
        entity_id: id.into(),
        id: command_id,
        name,
        payload,
        ..Command::default()
    };
    EventSourcedStreamIn {
        message: Some(In::Command(command)),
    }
}

/// The count in the reply to the command.
async fn count(call: &mut Call, command_id: i64) -> i64 {
    let message = call
        .next::<EventSourcedStreamOut>()
        .await
        .and_then(|out| out.message);
    let Some(Out::Reply(reply)) = message else {
        panic!("expected a reply, but got {message:?}")
    };
    assert_eq!(reply.command_id, command_id);
    let Some(Action::Reply(answer)) = reply.client_action.unwrap().action else {
        panic!("expected a reply")
    };
    answer.payload.unwrap().unpack::<Count>().unwrap().value
}

#[tokio::test]
async fn discovery_describes_the_function() {
    let served = Served::start();
    let client = served.client().await;
    let spec: EntitySpec = client.unary(names::DISCOVER_PATH, &ProxyInfo::default()).await;
    let services: Vec<_> = spec
        .entities
        .iter()
        .map(|entity| entity.service_name.as_str())
        .collect();
    assert_eq!(
        services,
        ["cloudstate_sdk_example.Counter", "cloudstate_sdk_example.Sums"]
    );
    assert!(spec.entities.iter().all(|entity| entity.command_metadata));
    let error = UserFunctionError {
        message: "bad".into(),
    };
    let () = client.unary(names::REPORT_ERROR_PATH, &error).await;
}

#[tokio::test]
async fn what_is_not_served_is_not_found() {
    let function = UserFunction::new("test", "1").with(counters());
    let served = Served::on(function, Listener::tcp("127.0.0.1", 0).unwrap(), options());
    let client = served.client().await;
    for path in [
        "/other.Service/Method",
        names::VALUE_ENTITY_PATH,
        names::ACTION_UNARY_PATH,
        names::CRDT_PATH,
    ] {
        let mut call = client.open(path).await;
        assert_eq!(call.next::<()>().await, None);
        assert_eq!(call.status(), 12, "{path}");
    }
}

#[tokio::test]
async fn an_entity_answers_until_the_proxy_half_closes() {
    let served = Served::start();
    let mut call = activate(&served.client().await, "a").await;
    for id in 1..=3 {
        call.send(&increase("a", id, 2)).await;
        assert_eq!(count(&mut call, id).await, id * 2);
    }
    call.half_close();
    assert_eq!(call.next::<EventSourcedStreamOut>().await, None);
    assert_eq!(call.status(), 0);
}

#[tokio::test]
async fn a_panic_fails_its_entity_alone() {
    let served = Served::start();
    let client = served.client().await;
    let (mut broken, mut well) = (activate(&client, "broken").await, activate(&client, "well").await);
    broken.send(&increase("broken", 1, 13)).await;
    let message = broken
        .next::<EventSourcedStreamOut>()
        .await
        .and_then(|out| out.message);
    let Some(Out::Failure(failure)) = message else {
        panic!("expected a failure, but got {message:?}")
    };
    assert_eq!(failure.command_id, 1);
    assert!(
        failure.description.starts_with("Unexpected failure: "),
        "{}",
        failure.description
    );
    assert_eq!(
        broken.next::<EventSourcedStreamOut>().await,
        None,
        "the stream is closed"
    );
    well.send(&increase("well", 1, 1)).await;
    assert_eq!(count(&mut well, 1).await, 1);
}

#[tokio::test]
async fn thousands_of_small_commands_in_flight_share_a_connection() {
    const ENTITIES: usize = 2000;
    let served = Served::start();
    let client = served.client().await;
    let mut calls = Vec::new();
    for index in 0..ENTITIES {
        calls.push(activate(&client, &index.to_string()).await);
    }
    for (index, call) in calls.iter_mut().enumerate() {
        call.send(&increase(&index.to_string(), 1, 5)).await;
        call.send(&increase(&index.to_string(), 2, 6)).await;
    }
    for call in &mut calls {
        assert_eq!(count(call, 1).await, 5);
        assert_eq!(count(call, 2).await, 11);
    }
}

#[tokio::test]
async fn a_message_larger_than_every_window_passes() {
    let served = Served::start();
    let mut call = activate(&served.client().await, "a").await;
    let id = "x".repeat(3 << 20);
    // The command is for another entity, which is found out only after all of it has come.
    call.send(&increase(&id, 7, 1)).await;
    let message = call
        .next::<EventSourcedStreamOut>()
        .await
        .and_then(|out| out.message);
    let Some(Out::Failure(failure)) = message else {
        panic!("expected a failure, but got {message:?}")
    };
    assert_eq!(failure.command_id, 7);
}

#[tokio::test]
async fn bad_framing_ends_the_call_with_a_status() {
    let mut options = options();
    options.max_message_bytes = 100;
    let served = Served::with(crate::function::Sums::default(), options);
    let client = served.client().await;
    for (bytes, status, what) in [
        (&[0, 0, 0, 0, 101][..], 8, "too large"),
        (&[1, 0, 0, 0, 0][..], 12, "compressed"),
        (&[0, 0, 0, 0, 1, 0xff][..], 3, "not a message"),
    ] {
        let mut call = client.open(names::EVENT_SOURCED_PATH).await;
        call.send_raw(Bytes::copy_from_slice(bytes)).await;
        assert_eq!(call.next::<EventSourcedStreamOut>().await, None, "{what}");
        assert_eq!(call.status(), status, "{what}");
    }
    let mut call = client.open(names::EVENT_SOURCED_PATH).await;
    call.send_raw(Bytes::from_static(&[0, 0, 0])).await;
    call.half_close();
    assert_eq!(call.next::<EventSourcedStreamOut>().await, None);
    assert_eq!(call.status(), 3, "cut off");
}
