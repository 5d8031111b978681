//! One CRDT entity on two nodes.

mod node;

use std::marker::PhantomData;

use cloudstate_crdt::NodeId;
use cloudstate_sdk::crdt::Registration;
use cloudstate_sdk::{Call, UserFunction};
use prost::Message;

use crate::{ENTITY_ID, Outcome};
use node::{Listener, Node};

/// A CRDT entity under test, on two nodes of a cluster, each with a user function of its own. What one changes the other hears
/// at once, unless they are apart.
///
/// The machine that drives the entity and the replicas are those of the proxy.
pub struct CrdtTest {
    here: Node,
    elsewhere: Node,
    apart: bool,
}

/// A streamed command that is open.
pub struct OpenStream<O> {
    listener: Listener,
    reply_type: PhantomData<fn() -> O>,
}

impl CrdtTest {
    /// A new entity, which exists nowhere yet.
    ///
    /// # Panics
    /// If the registration cannot be served, for example because its persistence id is empty.
    #[track_caller]
    pub fn new(registration: Registration) -> Self {
        Self::with_id(registration, ENTITY_ID)
    }

    /// The same, with an id of your choice.
    ///
    /// # Panics
    /// As [`CrdtTest::new`].
    #[track_caller]
    pub fn with_id(registration: Registration, entity_id: &str) -> Self {
        let declaration = match UserFunction::new("test", "0").with(registration).declare() {
            Ok(declaration) => declaration,
            Err(error) => panic!("cannot test this entity: {error}"),
        };
        let members = [NodeId::new(1, 1), NodeId::new(2, 1)];
        let node = |own| Node::new(&declaration, entity_id, own, &members);
        CrdtTest {
            here: node(members[0]),
            elsewhere: node(members[1]),
            apart: false,
        }
    }

    /// Sends a command to this node.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a call is made on the spot, and a reference would be noise"
    )]
    pub fn call<O>(&mut self, call: Call<O>) -> Outcome<O> {
        let outcome = self.here.call(&call);
        self.gossip();
        outcome
    }

    /// Sends a command to the other node.
    #[expect(clippy::needless_pass_by_value, reason = "as above")]
    pub fn call_elsewhere<O>(&mut self, call: Call<O>) -> Outcome<O> {
        let outcome = self.elsewhere.call(&call);
        self.gossip();
        outcome
    }

    /// Sends a streamed command to this node.
    #[expect(clippy::needless_pass_by_value, reason = "as above")]
    pub fn open<O>(&mut self, call: Call<O>) -> OpenStream<O> {
        let listener = self.here.open(&call);
        self.gossip();
        OpenStream {
            listener,
            reply_type: PhantomData,
        }
    }

    /// Sends a streamed command to the other node.
    #[expect(clippy::needless_pass_by_value, reason = "as above")]
    pub fn open_elsewhere<O>(&mut self, call: Call<O>) -> OpenStream<O> {
        let listener = self.elsewhere.open(&call);
        self.gossip();
        OpenStream {
            listener,
            reply_type: PhantomData,
        }
    }

    /// The client of a stream goes.
    #[expect(clippy::needless_pass_by_value, reason = "the stream is over")]
    pub fn cancel<O>(&mut self, stream: OpenStream<O>) {
        for node in [&mut self.here, &mut self.elsewhere] {
            node.cancel(&stream.listener);
        }
        self.gossip();
    }

    /// From here on the nodes do not hear of each other.
    pub fn part(&mut self) {
        self.apart = true;
    }

    /// The nodes hear of each other again, and of all that they have missed.
    pub fn heal(&mut self) {
        self.apart = false;
        self.gossip();
    }

    /// Takes the entity out of the memory of the function on this node, as passivation does; the next command tells it the
    /// whole state. Does nothing while streams are open.
    pub fn restart(&mut self) {
        self.here.passivate();
    }

    fn gossip(&mut self) {
        while !self.apart && (self.here.hear(&self.elsewhere) | self.elsewhere.hear(&self.here)) {}
    }
}

impl<O: Message + Default> OpenStream<O> {
    /// The messages that came since they were last asked for.
    ///
    /// # Panics
    /// If one does not decode.
    #[track_caller]
    pub fn messages(&mut self) -> Vec<O> {
        let decode = |payload: prost::bytes::Bytes| match O::decode(payload) {
            Ok(message) => message,
            Err(error) => panic!("a message of the stream does not decode: {error}"),
        };
        self.listener.take_messages().into_iter().map(decode).collect()
    }
}

impl<O> OpenStream<O> {
    /// Whether the stream has ended.
    pub fn is_over(&self) -> bool {
        self.listener.ended().is_some()
    }

    /// The text of the failure that ended the stream, if one did.
    pub fn failure(&self) -> Option<String> {
        self.listener.ended().flatten()
    }
}
