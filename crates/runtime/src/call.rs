//! What goes into the runtime and what comes out of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_catalog::Method;
use cloudstate_protocol::Metadata;
use cloudstate_telemetry::trace::Trace;
use futures_core::Stream;
use tokio::time::Instant;

use crate::CallError;

/// Requests of a client-streaming call. An error ends the call; dropping it tells that the call is over.
pub type RequestStream = Pin<Box<dyn Stream<Item = Result<Bytes, CallError>>>>;
/// Replies of a streaming call, in order. An error is the last item. Dropping it cancels the call.
pub type ReplyStream = Pin<Box<dyn Stream<Item = Result<Reply, CallError>>>>;

/// The request messages of a call, still encoded.
pub enum Input {
    /// Exactly one.
    One(Bytes),
    /// Any number, as the client sends them.
    Stream(RequestStream),
}

/// One call of a client.
pub struct Call {
    /// What is called.
    pub method: Arc<Method>,
    /// The requests: a stream if the method streams its input, else one.
    pub input: Input,
    /// The caller's headers.
    pub metadata: Metadata,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// The trace that the call belongs to. Its root is the parent of what is done here; whoever began it ends that.
    pub trace: Option<Arc<Trace>>,
}

/// One message for the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The encoded message; `None` when the function replied without a payload, which sends no message.
    pub payload: Option<Bytes>,
    /// Becomes headers, if this is the first reply.
    pub metadata: Metadata,
}

/// What a call answers.
pub enum Replies {
    /// The call succeeded without a message.
    None,
    /// One message, then the end.
    One(Reply),
    /// Messages as they come.
    Stream(ReplyStream),
}

/// Takes calls: the one door into the runtime. A value belongs to one thread; each core has its own.
///
/// Dropping the returned future cancels what was not sent to the function yet; a command that was sent runs to its
/// end and commits, whoever waits.
pub trait Router: Clone + 'static {
    /// Runs a call. Errors before the first reply are `Err`; later ones come in the stream.
    fn call(&self, call: Call) -> impl Future<Output = Result<Replies, CallError>> + 'static;
}
