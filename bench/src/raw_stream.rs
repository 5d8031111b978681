//! An event sourced stream without a proxy: the least that the function accepts.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use cloudstate_protocol::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedStreamIn, EventSourcedStreamOut,
    event_sourced_stream_in as input, event_sourced_stream_out as output,
};
use cloudstate_protocol::{Any, Command, client_action, names};

use crate::wire::{Connection, Duplex};

/// An entity's stream to the function.
#[derive(Debug)]
pub struct EntityStream {
    entity_id: String,
    stream: Duplex,
    last_command: i64,
}

impl EntityStream {
    /// Opens a stream and sends `init`.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn open(connection: &Connection, service: &str, entity_id: &str) -> Result<EntityStream> {
        let mut stream = Duplex::open(connection, names::EVENT_SOURCED_PATH)?;
        let init = EventSourcedInit {
            service_name: service.to_owned(),
            entity_id: entity_id.to_owned(),
            snapshot: None,
        };
        stream.send(&message(input::Message::Init(init)))?;
        Ok(EntityStream {
            entity_id: entity_id.to_owned(),
            stream,
            last_command: 0,
        })
    }

    /// Sends the events `1..=count`, all alike.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn replay(&mut self, count: i64, payload: &Any) -> Result<()> {
        for sequence in 1..=count {
            let event = EventSourcedEvent {
                sequence,
                payload: Some(payload.clone()),
            };
            self.stream
                .send_when_room(&message(input::Message::Event(event)))
                .await?;
        }
        Ok(())
    }

    /// Sends a command and returns the payload of its reply.
    ///
    /// # Errors
    /// The stream has ended, or the function answered anything but a reply.
    pub async fn command(&mut self, name: &str, payload: Any) -> Result<Bytes> {
        self.last_command += 1;
        let command = Command {
            entity_id: self.entity_id.clone(),
            id: self.last_command,
            name: name.to_owned(),
            payload: Some(payload),
            ..Command::default()
        };
        self.stream.send(&message(input::Message::Command(command)))?;
        let answer: EventSourcedStreamOut = self.stream.next().await?;
        let Some(output::Message::Reply(reply)) = answer.message else {
            bail!("not a reply: {answer:?}")
        };
        let action = reply
            .client_action
            .and_then(|action| action.action)
            .context("no client action")?;
        let client_action::Action::Reply(reply) = action else {
            bail!("not a reply: {action:?}")
        };
        Ok(reply.payload.unwrap_or_default().value)
    }
}

fn message(message: input::Message) -> EventSourcedStreamIn {
    EventSourcedStreamIn {
        message: Some(message),
    }
}
