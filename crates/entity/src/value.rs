//! The value kind: state is one value, or none.

#[cfg(test)]
mod tests;

use cloudstate_protocol::valueentity::{
    ValueEntityAction, ValueEntityInit, ValueEntityInitState, ValueEntityReply, ValueEntityStreamIn,
    ValueEntityStreamOut, value_entity_action, value_entity_stream_in as stream_in,
    value_entity_stream_out as stream_out,
};
use cloudstate_protocol::{self as protocol, Any, ClientAction};

use crate::kind::{Committed, Identity, Incoming, Kind, Loading, Texts, TurnReply};
use crate::turn::CommitOutcome;

/// A value entity's place in the store.
#[derive(Debug, Default)]
pub struct ValueEntity {
    /// Offset of the last put; `None` when nothing is stored.
    version: Option<u64>,
}

/// A change of the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Version that the change builds on.
    pub expected: Option<u64>,
    /// The new value; `None` deletes.
    pub value: Option<Any>,
}

impl Kind for ValueEntity {
    type In = ValueEntityStreamIn;
    type Out = ValueEntityStreamOut;
    type Load = ();
    type Loaded = Option<(u64, Any)>;
    type Commit = Write;
    type Snapshot = std::convert::Infallible;

    const TEXTS: Texts = Texts {
        reply: "Unexpected Value entity reply",
        failure: "Unexpected Value entity failure",
        message: "Unexpected Value entity failure",
        termination: "Unexpected Value entity termination",
        behavior: "Unexpected Value entity behavior",
        queued: "Value entity terminated",
    };

    fn begin(&mut self) {
        self.version = None;
    }

    fn loaded(&mut self, identity: &Identity, stored: Option<(u64, Any)>) -> Loading<Self> {
        let (version, value) = stored.unzip();
        self.version = version;
        let init = ValueEntityInit {
            service_name: identity.service.to_string(),
            entity_id: identity.entity_id.to_string(),
            state: Some(ValueEntityInitState { value }),
        };
        let messages = vec![ValueEntityStreamIn {
            message: Some(stream_in::Message::Init(init)),
        }];
        Loading { messages, next: None }
    }

    fn command(command: protocol::Command) -> ValueEntityStreamIn {
        ValueEntityStreamIn {
            message: Some(stream_in::Message::Command(command)),
        }
    }

    fn incoming(&self, message: ValueEntityStreamOut) -> Incoming<Self> {
        match message.message {
            Some(stream_out::Message::Reply(reply)) => Incoming::Reply(self.reply(reply)),
            Some(stream_out::Message::Failure(failure)) => Incoming::Failure(failure),
            None => Incoming::Unknown,
        }
    }

    fn pending(commit: &Write) -> Committed {
        if commit.value.is_some() {
            Committed::Put
        } else {
            Committed::Delete
        }
    }

    fn committed(&mut self, commit: Committed, outcome: &CommitOutcome) {
        if let CommitOutcome::Applied { offset } = outcome {
            self.version = (commit == Committed::Put).then_some(*offset);
        }
    }
}

impl ValueEntity {
    fn reply(&self, reply: ValueEntityReply) -> TurnReply<Self> {
        let ValueEntityReply {
            command_id,
            client_action,
            side_effects,
            state_action,
        } = reply;
        let action = client_action.and_then(|ClientAction { action }| action);
        let commit = self.change(state_action);
        TurnReply {
            command_id,
            action,
            side_effects,
            commit,
            snapshot: None,
            restart: false,
            report: None,
        }
    }

    fn change(&self, action: Option<ValueEntityAction>) -> Result<Option<Write>, String> {
        use value_entity_action::Action;
        let Some(ValueEntityAction { action }) = action else {
            return Ok(None);
        };
        match action {
            Some(Action::Update(update)) if update.value.is_none() => {
                Err("update without a value".to_owned())
            }
            Some(Action::Update(update)) => Ok(Some(Write {
                expected: self.version,
                value: update.value,
            })),
            // Deleting what is not there changes nothing and needs no commit.
            Some(Action::Delete(_)) if self.version.is_none() => Ok(None),
            Some(Action::Delete(_)) => Ok(Some(Write {
                expected: self.version,
                value: None,
            })),
            None => Err("state action without update or delete".to_owned()),
        }
    }
}
