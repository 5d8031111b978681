//! Server reflection, v1 and v1alpha. The two protocols have the same messages but different manners:
//!
//! | | v1 | v1alpha |
//! |---|---|---|
//! | `list_services` | everything served, sorted | the v1alpha service, then the function's services, sorted |
//! | an unknown name | NOT_FOUND in the answer | an empty list of files |
//! | no question | INVALID_ARGUMENT in the answer | an answer without content |
//!
//! Both send a file together with all files that it needs, so that a client can link what it gets.

mod files;

use std::rc::Rc;

use cloudstate_runtime::{CallError, Code, Reply, RequestStream};
use futures_core::Stream;
use futures_util::{StreamExt, future};

use self::files::Files;
use super::{decode, reply};
use crate::gateway::Core;
use crate::packages::grpc::reflection::v1::server_reflection_request::MessageRequest as Question;
use crate::packages::grpc::reflection::v1::server_reflection_response::MessageResponse as Content;
use crate::packages::grpc::reflection::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

/// The reflection protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V1Alpha,
}

const V1: &str = "grpc.reflection.v1.ServerReflection";
const V1_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
const HEALTH: &str = "grpc.health.v1.Health";

/// One answer for each request, in order, until the requests end or shutdown.
pub(super) fn answers<R: 'static>(
    version: Version,
    core: Rc<Core<R>>,
    requests: RequestStream,
) -> impl Stream<Item = Result<Reply, CallError>> {
    let shutdown = core.shutdown.clone().cancelled_owned();
    requests.take_until(shutdown).then(move |request| {
        let answer = request.and_then(|request| Ok(decode::<ServerReflectionRequest>(request)?));
        future::ready(answer.map(|request| reply(&answer_one(version, &core, request))))
    })
}

/// The answer is of what is served at this moment, so that a stream survives a new declaration.
fn answer_one<R>(
    version: Version,
    core: &Core<R>,
    request: ServerReflectionRequest,
) -> ServerReflectionResponse {
    let front = core.front.borrow().clone();
    let content = match &front.routes {
        Some(routes) => {
            let services = routes.catalog.services().iter().map(|service| &*service.name);
            Reflection {
                version,
                files: Files::new(Some(routes.catalog.pool())),
                services: services.collect(),
            }
            .answer(request.message_request.as_ref())
        }
        None => Reflection {
            version,
            files: Files::new(None),
            services: Vec::new(),
        }
        .answer(request.message_request.as_ref()),
    };
    ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: content,
    }
}

struct Reflection<'a> {
    version: Version,
    files: Files<'a>,
    /// What the function serves.
    services: Vec<&'a str>,
}

impl Reflection<'_> {
    fn answer(&self, question: Option<&Question>) -> Option<Content> {
        match question {
            None => self.without_question(),
            Some(Question::ListServices(_)) => Some(self.list_services()),
            Some(Question::FileByFilename(name)) => Some(self.file(self.files.by_name(name), name)),
            Some(Question::FileContainingSymbol(symbol)) => {
                Some(self.file(self.files.by_symbol(symbol), symbol))
            }
            Some(Question::FileContainingExtension(extension)) => {
                let (of, number) = (&extension.containing_type, extension.extension_number);
                Some(self.file(
                    self.files.by_extension(of, number),
                    &format!("extension {number} of {of}"),
                ))
            }
            Some(Question::AllExtensionNumbersOfType(name)) => Some(self.extension_numbers(name)),
        }
    }

    fn list_services(&self) -> Content {
        let mut names = self.services.clone();
        match self.version {
            Version::V1 => {
                names.extend([V1, V1_ALPHA, HEALTH]);
                names.sort_unstable();
                names.dedup();
            }
            Version::V1Alpha => {
                names.sort_unstable();
                names.retain(|name| *name != V1_ALPHA);
                names.insert(0, V1_ALPHA);
            }
        }
        let service = names
            .into_iter()
            .map(|name| ServiceResponse {
                name: name.to_owned(),
            })
            .collect();
        Content::ListServicesResponse(ListServiceResponse { service })
    }

    fn file(&self, found: Option<prost_reflect::FileDescriptor>, asked: &str) -> Content {
        match (found, self.version) {
            (Some(file), _) => Content::FileDescriptorResponse(FileDescriptorResponse {
                file_descriptor_proto: files::with_dependencies(file),
            }),
            (None, Version::V1Alpha) => Content::FileDescriptorResponse(FileDescriptorResponse::default()),
            (None, Version::V1) => not_found(asked),
        }
    }

    fn extension_numbers(&self, name: &str) -> Content {
        match (self.files.extension_numbers(name), self.version) {
            (None, Version::V1) => not_found(name),
            (numbers, _) => Content::AllExtensionNumbersResponse(ExtensionNumberResponse {
                base_type_name: name.to_owned(),
                extension_number: numbers.unwrap_or_default(),
            }),
        }
    }

    fn without_question(&self) -> Option<Content> {
        match self.version {
            Version::V1 => Some(error(
                Code::InvalidArgument,
                "the request asks nothing".to_owned(),
            )),
            Version::V1Alpha => None,
        }
    }
}

fn not_found(asked: &str) -> Content {
    error(Code::NotFound, format!("[{asked}] is not known here"))
}

fn error(code: Code, error_message: String) -> Content {
    Content::ErrorResponse(ErrorResponse {
        error_code: code as i32,
        error_message,
    })
}
