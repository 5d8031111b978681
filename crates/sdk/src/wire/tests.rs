use cloudstate_protocol::Any;
use cloudstate_protocol::eventsourced::{
    EventSourcedSnapshot, EventSourcedStreamIn, event_sourced_stream_in::Message as EventSourced,
};
use cloudstate_protocol::valueentity::{
    ValueEntityInitState, ValueEntityStreamIn, value_entity_stream_in::Message as Value,
};
use proptest::prelude::*;

use super::*;

fn any_payload() -> impl Strategy<Value = Any> {
    (".*", prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(type_url, value)| Any {
        type_url,
        value: value.into(),
    })
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    prop::collection::vec((".*", ".*"), 0..4).prop_map(|entries| entries.into_iter().collect())
}

prop_compose! {
    fn any_command()(
        entity_id in ".*",
        id: i64,
        name in ".*",
        payload in prop::option::of(any_payload()),
        streamed: bool,
        metadata in prop::option::of(any_metadata()),
    ) -> cloudstate_protocol::Command {
        cloudstate_protocol::Command { entity_id, id, name, payload, streamed, metadata }
    }
}

fn check(command: cloudstate_protocol::Command, decoded: Command) {
    assert_eq!(decoded.name(), command.name);
    assert_eq!(decoded.entity_id, command.entity_id);
    assert_eq!(decoded.id, command.id);
    assert_eq!(
        decoded.payload.map(|payload| payload.value),
        command.payload.map(|payload| payload.value)
    );
    let metadata = LazyMetadata::new(decoded.metadata);
    assert_eq!(metadata.get(), &command.metadata.unwrap_or_default());
}

proptest! {
    #[test]
    fn commands_read_as_the_protocol_writes_them(command in any_command()) {
        let message = Some(EventSourced::Command(command.clone()));
        let encoded: Bytes = EventSourcedStreamIn { message }.encode_to_vec().into();
        match EventSourcedIn::decode(encoded).unwrap().message {
            Some(EventSourcedMessage::Command(decoded)) => check(command.clone(), decoded),
            other => panic!("not a command, but {other:?}"),
        }
        let encoded: Bytes = ValueEntityStreamIn { message: Some(Value::Command(command.clone())) }.encode_to_vec().into();
        match ValueEntityIn::decode(encoded).unwrap().message {
            Some(ValueEntityMessage::Command(decoded)) => check(command, decoded),
            other => panic!("not a command, but {other:?}"),
        }
    }

    #[test]
    fn other_messages_read_as_the_protocol_writes_them(
        service_name in ".*",
        entity_id in ".*",
        sequence: i64,
        payload in prop::option::of(any_payload()),
    ) {
        let snapshot = payload.clone().map(|it| EventSourcedSnapshot { snapshot_sequence: sequence, snapshot: Some(it) });
        let init = EventSourcedInit { service_name: service_name.clone(), entity_id: entity_id.clone(), snapshot };
        let encoded = EventSourcedStreamIn { message: Some(EventSourced::Init(init.clone())) }.encode_to_vec();
        let decoded = EventSourcedIn::decode(encoded.as_slice()).unwrap().message;
        prop_assert_eq!(decoded, Some(EventSourcedMessage::Init(init)));

        let event = EventSourcedEvent { sequence, payload: payload.clone() };
        let encoded = EventSourcedStreamIn { message: Some(EventSourced::Event(event.clone())) }.encode_to_vec();
        let decoded = EventSourcedIn::decode(encoded.as_slice()).unwrap().message;
        prop_assert_eq!(decoded, Some(EventSourcedMessage::Event(event)));

        let init = ValueEntityInit { service_name, entity_id, state: Some(ValueEntityInitState { value: payload }) };
        let encoded = ValueEntityStreamIn { message: Some(Value::Init(init.clone())) }.encode_to_vec();
        let decoded = ValueEntityIn::decode(encoded.as_slice()).unwrap().message;
        prop_assert_eq!(decoded, Some(ValueEntityMessage::Init(init)));
    }
}

#[test]
fn malformed_metadata_is_empty() {
    assert!(LazyMetadata::new(Bytes::from_static(&[0xff])).get().is_empty());
}

#[test]
fn a_name_that_is_not_text_is_no_method() {
    let command = Command {
        name: Bytes::from_static(&[0xff]),
        ..Command::default()
    };
    assert_eq!(command.name(), "");
}
