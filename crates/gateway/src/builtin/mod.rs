//! The services that the gateway itself answers: reflection and health.

mod health;
mod reflection;

use std::rc::Rc;

use bytes::Bytes;
use cloudstate_protocol::Metadata;
use cloudstate_runtime::{Code, Input, Replies, Reply};
use prost::Message;

use crate::gateway::Core;
use crate::status::Status;

pub(crate) use self::reflection::Version;

/// A method of the gateway itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    /// `ServerReflectionInfo`.
    Reflection(Version),
    /// `grpc.health.v1.Health/Check`.
    HealthCheck,
    /// `grpc.health.v1.Health/Watch`.
    HealthWatch,
}

/// All of them, by path.
pub(crate) const ALL: [(&str, Builtin); 4] = [
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Builtin::Reflection(Version::V1),
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Builtin::Reflection(Version::V1Alpha),
    ),
    ("/grpc.health.v1.Health/Check", Builtin::HealthCheck),
    ("/grpc.health.v1.Health/Watch", Builtin::HealthWatch),
];

impl Builtin {
    /// Whether the client sends a stream.
    pub(crate) fn client_streaming(self) -> bool {
        matches!(self, Builtin::Reflection(_))
    }
}

/// Answers a call.
pub(crate) fn call<R: 'static>(
    builtin: Builtin,
    core: &Rc<Core<R>>,
    input: Input,
) -> Result<Replies, Status> {
    match (builtin, input) {
        (Builtin::Reflection(version), Input::Stream(requests)) => Ok(Replies::Stream(Box::pin(
            reflection::answers(version, core.clone(), requests),
        ))),
        (Builtin::HealthCheck, Input::One(request)) => {
            health::check(core, &decode(request)?).map(|answer| Replies::One(reply(&answer)))
        }
        (Builtin::HealthWatch, Input::One(request)) => {
            Ok(Replies::Stream(Box::pin(health::watch(core, decode(request)?))))
        }
        // The input is made by `client_streaming`, so it always fits.
        _ => Err(Status::new(Code::Internal, "the request has the wrong shape")),
    }
}

fn decode<M: Message + Default>(request: Bytes) -> Result<M, Status> {
    M::decode(request).map_err(|error| {
        Status::new(
            Code::InvalidArgument,
            format!("the request is malformed: {error}"),
        )
    })
}

fn reply(message: &impl Message) -> Reply {
    Reply {
        payload: Some(message.encode_to_vec().into()),
        metadata: Metadata::default(),
    }
}
