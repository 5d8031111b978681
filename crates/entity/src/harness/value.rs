//! Scenarios of value entities.

use cloudstate_protocol::valueentity::{
    ValueEntityAction, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut, ValueEntityUpdate,
    value_entity_action, value_entity_stream_in as stream_in, value_entity_stream_out as stream_out,
};
use cloudstate_protocol::{Any, ClientAction, Failure, SideEffect, client_action};

use super::{Change, Client, Subject, any, command, ok, text};
use crate::{Input, ValueEntity, Write};

/// A reply that updates the value.
pub(crate) fn sets(id: i64, value: &str) -> ValueEntityReply {
    let update = ValueEntityUpdate {
        value: Some(any(value)),
    };
    ValueEntityReply {
        command_id: id,
        client_action: Some(ClientAction { action: Some(ok()) }),
        state_action: Some(ValueEntityAction {
            action: Some(value_entity_action::Action::Update(update)),
        }),
        ..ValueEntityReply::default()
    }
}

pub(crate) fn says(reply: ValueEntityReply) -> Input<ValueEntity, Client> {
    Input::Message(ValueEntityStreamOut {
        message: Some(stream_out::Message::Reply(reply)),
    })
}

impl Subject for ValueEntity {
    fn nothing_stored() -> Vec<Option<(u64, Any)>> {
        vec![None]
    }

    fn first_lines() -> Vec<&'static str> {
        vec!["load value", "send init with nothing"]
    }

    fn reply(id: i64, action: Option<client_action::Action>, change: Change) -> ValueEntityStreamOut {
        let mut reply = sets(id, "x");
        reply.client_action = Some(ClientAction { action });
        if change == Change::Nothing {
            reply.state_action = None;
        }
        ValueEntityStreamOut {
            message: Some(stream_out::Message::Reply(reply)),
        }
    }

    fn with_effects(mut reply: ValueEntityStreamOut, effects: Vec<SideEffect>) -> ValueEntityStreamOut {
        if let Some(stream_out::Message::Reply(reply)) = &mut reply.message {
            reply.side_effects = effects;
        }
        reply
    }

    fn failure(failure: Failure) -> ValueEntityStreamOut {
        ValueEntityStreamOut {
            message: Some(stream_out::Message::Failure(failure)),
        }
    }

    fn empty() -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: None }
    }

    fn first_commit() -> &'static str {
        "commit over nothing: x"
    }

    fn sent(message: &ValueEntityStreamIn) -> String {
        match &message.message {
            Some(stream_in::Message::Init(init)) => match &init.state {
                Some(state) => format!("send init with {}", text(state.value.as_ref())),
                None => "send init without state".to_owned(),
            },
            Some(stream_in::Message::Command(sent)) => command(sent),
            None => "send nothing".to_owned(),
        }
    }

    fn load((): &()) -> String {
        "value".to_owned()
    }

    fn commit(commit: &Write) -> String {
        let before = commit
            .expected
            .map_or_else(|| "nothing".to_owned(), |version| format!("version {version}"));
        match &commit.value {
            Some(value) => format!("over {before}: {}", text(Some(value))),
            None => format!("over {before}: delete"),
        }
    }

    fn snapshot(snapshot: &std::convert::Infallible) -> String {
        match *snapshot {}
    }
}
