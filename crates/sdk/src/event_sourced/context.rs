//! What a command handler works with.

use cloudstate_protocol::cloud_event::CloudEvent;
use cloudstate_protocol::{Any, Metadata};

use super::{EventSourced, Snapshot};
use crate::wire::LazyMetadata;
use crate::{Payload, PayloadError};

/// The entity as its command handlers see it: state to read, events to emit, and what is known about the command.
pub struct Context<S> {
    entity_id: String,
    state: S,
    sequence: i64,
    snapshot_every: u64,
    events: Vec<Any>,
    snapshot_due: bool,
    /// Boxed, since it is rare and there are many entities.
    fault: Option<Box<PayloadError>>,
    metadata: LazyMetadata,
}

impl<S: EventSourced> Context<S> {
    pub(super) fn new(entity_id: String, snapshot_every: u64) -> Self {
        let mut state = S::default();
        state.created(&entity_id);
        Context {
            entity_id,
            state,
            sequence: 0,
            snapshot_every,
            events: Vec::new(),
            snapshot_due: false,
            fault: None,
            metadata: LazyMetadata::default(),
        }
    }

    /// The entity id.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// The state, with all events emitted so far.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Sequence number of the newest event, emitted ones included; 0 before the first.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The caller's metadata. Empty behind a proxy that sends none to entities.
    pub fn metadata(&self) -> &Metadata {
        self.metadata.get()
    }

    /// The command as a CloudEvent, if it came from an event source.
    pub fn cloud_event(&self) -> Option<CloudEvent> {
        CloudEvent::from_metadata(self.metadata())
    }

    /// Says that something has happened. The event is applied at once, so that the handler goes on with the new state;
    /// it is stored with all others of the command, or none is. A failure after an event drops the state, which the
    /// proxy then rebuilds from the log.
    pub fn emit(&mut self, event: impl Into<S::Event>) {
        let event = event.into();
        match event.to_any() {
            Ok(encoded) => self.record(encoded, event),
            Err(error) => self.fault = self.fault.take().or(Some(Box::new(error))),
        }
    }

    fn record(&mut self, encoded: Any, event: S::Event) {
        self.state.apply(event);
        self.events.push(encoded);
        self.sequence += 1;
        self.snapshot_due |=
            self.snapshot_every != 0 && self.sequence.unsigned_abs().is_multiple_of(self.snapshot_every);
    }

    pub(super) fn restore(&mut self, sequence: i64, snapshot: &Any) -> Result<(), PayloadError> {
        S::Snapshot::from_any(snapshot)?.restore(&mut self.state);
        self.sequence = sequence;
        Ok(())
    }

    pub(super) fn replay(&mut self, sequence: i64, event: &Any) -> Result<(), PayloadError> {
        self.state.apply(S::Event::from_any(event)?);
        self.sequence = sequence;
        Ok(())
    }

    /// Lets go of the metadata, which shares a buffer with whatever else came in at the time.
    pub(super) fn end(&mut self) {
        self.metadata = LazyMetadata::default();
    }

    pub(super) fn begin(&mut self, metadata: LazyMetadata) {
        self.metadata = metadata;
    }

    /// Takes what the command emitted and, if due, a snapshot of the state after it.
    pub(super) fn finish(&mut self) -> Result<(Vec<Any>, Option<Any>), PayloadError> {
        if let Some(fault) = self.fault.take() {
            return Err(*fault);
        }
        let snapshot = if std::mem::take(&mut self.snapshot_due) {
            S::Snapshot::of(&self.state)
        } else {
            None
        };
        Ok((
            std::mem::take(&mut self.events),
            snapshot.as_ref().map(Payload::to_any).transpose()?,
        ))
    }

    pub(super) fn has_emitted(&self) -> bool {
        !self.events.is_empty()
    }
}
