//! What a command handler works with.

use cloudstate_protocol::cloud_event::CloudEvent;
use cloudstate_protocol::valueentity::{
    ValueEntityAction, ValueEntityDelete, ValueEntityUpdate, value_entity_action::Action,
};
use cloudstate_protocol::{Any, Metadata};

use crate::wire::LazyMetadata;
use crate::{Payload, PayloadError};

/// The entity as its command handlers see it: a value to read, replace or delete, and what is known about the command.
pub struct Context<S> {
    entity_id: String,
    stored: Option<S>,
    change: Change<S>,
    metadata: LazyMetadata,
}

/// What the command did to the value so far.
enum Change<S> {
    None,
    Update(S),
    Delete,
}

impl<S: Payload> Context<S> {
    pub(super) fn new(entity_id: String, value: Option<&Any>) -> Result<Self, PayloadError> {
        let stored = value.map(S::from_any).transpose()?;
        Ok(Context {
            entity_id,
            stored,
            change: Change::None,
            metadata: LazyMetadata::default(),
        })
    }

    /// The entity id.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// The value, with this command's change; `None` if it was never set or is deleted.
    pub fn state(&self) -> Option<&S> {
        match &self.change {
            Change::None => self.stored.as_ref(),
            Change::Update(value) => Some(value),
            Change::Delete => None,
        }
    }

    /// Replaces the value. The last update or delete of a command counts; a failure undoes it.
    pub fn update(&mut self, value: S) {
        self.change = Change::Update(value);
    }

    /// Deletes the value. The last update or delete of a command counts; a failure undoes it.
    pub fn delete(&mut self) {
        self.change = Change::Delete;
    }

    /// The caller's metadata. Empty behind a proxy that sends none to entities.
    pub fn metadata(&self) -> &Metadata {
        self.metadata.get()
    }

    /// The command as a CloudEvent, if it came from an event source.
    pub fn cloud_event(&self) -> Option<CloudEvent> {
        CloudEvent::from_metadata(self.metadata())
    }

    /// Lets go of the metadata, which shares a buffer with whatever else came in at the time.
    pub(super) fn end(&mut self) {
        self.metadata = LazyMetadata::default();
    }

    pub(super) fn begin(&mut self, metadata: LazyMetadata) {
        self.metadata = metadata;
    }

    pub(super) fn roll_back(&mut self) {
        self.change = Change::None;
    }

    /// Takes the change over and says what the proxy must store.
    pub(super) fn finish(&mut self) -> Result<Option<ValueEntityAction>, PayloadError> {
        let action = match std::mem::replace(&mut self.change, Change::None) {
            Change::None => return Ok(None),
            Change::Update(value) => {
                let encoded = value.to_any()?;
                self.stored = Some(value);
                Action::Update(ValueEntityUpdate { value: Some(encoded) })
            }
            Change::Delete => {
                self.stored = None;
                Action::Delete(ValueEntityDelete {})
            }
        };
        Ok(Some(ValueEntityAction { action: Some(action) }))
    }
}
