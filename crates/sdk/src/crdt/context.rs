//! What a command handler works with, beside the state.

use cloudstate_protocol::Metadata;
use cloudstate_protocol::cloud_event::CloudEvent;
use cloudstate_protocol::crdt::CrdtWriteConsistency;

/// On how many nodes a change has to be before the client gets its reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// On this one.
    #[default]
    Local,
    /// On more than half of the members of the cluster.
    Majority,
    /// On all of them.
    All,
}

impl Consistency {
    pub(super) fn on_the_wire(self) -> CrdtWriteConsistency {
        match self {
            Consistency::Local => CrdtWriteConsistency::Local,
            Consistency::Majority => CrdtWriteConsistency::Majority,
            Consistency::All => CrdtWriteConsistency::All,
        }
    }
}

/// A command, or the end of a stream: what is known about it, and what else it wants.
#[derive(Debug)]
pub struct Context {
    entity_id: String,
    metadata: Metadata,
    streams: usize,
    pub(super) consistency: Consistency,
    pub(super) deletes: bool,
}

impl Context {
    pub(super) fn new(entity_id: String, metadata: Metadata, streams: usize) -> Self {
        Context {
            entity_id,
            metadata,
            streams,
            consistency: Consistency::default(),
            deletes: false,
        }
    }

    /// The entity id.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// The caller's metadata. Empty behind a proxy that sends none to entities, and at the end of a stream.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The command as a CloudEvent, if it came from an event source.
    pub fn cloud_event(&self) -> Option<CloudEvent> {
        CloudEvent::from_metadata(&self.metadata)
    }

    /// How many streams of this method are open for this entity on this node, this one not counted.
    pub fn other_streams(&self) -> usize {
        self.streams
    }

    /// Asks for the change of this command to be on so many nodes before the client gets its reply. If that takes too
    /// long, the client gets a failure; the change stays and spreads all the same.
    pub fn write_consistency(&mut self, consistency: Consistency) {
        self.consistency = consistency;
    }

    /// Deletes the entity, everywhere and for ever: its id cannot be used again. Changes of this command go with it.
    pub fn delete(&mut self) {
        self.deletes = true;
    }
}
