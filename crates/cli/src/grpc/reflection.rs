//! Descriptors of a running server, by `grpc.reflection` v1, or v1alpha where that is all there is.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::wire::{Answer, Files, Query, ReflectionRequest, ReflectionResponse};
use super::{BytesCodec, Schema, explain};
use crate::exit::{Exit, Failure};

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// Asks one server.
pub(crate) struct Reflection {
    channel: Channel,
    path: &'static str,
}

impl Reflection {
    /// Will ask the server on this channel; nothing is sent yet.
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel, path: V1 }
    }

    /// The full names of the services that the server lists.
    pub(crate) async fn services(&mut self) -> Result<Vec<String>, Failure> {
        match self.ask(Query::ListServices(String::new())).await? {
            Answer::Services(list) => Ok(list.services.into_iter().map(|service| service.name).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// The descriptors of these symbols with everything that they refer to. Unknown symbols add nothing.
    pub(crate) async fn schema(&mut self, symbols: &[String]) -> Result<Schema, Failure> {
        let mut files = BTreeMap::new();
        for symbol in symbols {
            self.fetch(Query::FileOfSymbol(symbol.clone()), &mut files)
                .await?;
        }
        while let Some(name) = missing(&files) {
            self.fetch(Query::FileByName(name.clone()), &mut files).await?;
            if !files.contains_key(&name) {
                let text = format!("the server's reflection does not know its own file `{name}`");
                return Err(Failure::new(Exit::Failure, text));
            }
        }
        Schema::of_files(files.into_values().map(|file| file.encoded).collect())
    }

    async fn fetch(&mut self, query: Query, files: &mut BTreeMap<String, File>) -> Result<(), Failure> {
        match self.ask(query).await? {
            Answer::Files(Files { files: found }) => {
                for encoded in found {
                    let file = File::read(encoded)?;
                    files.insert(file.name.clone(), file);
                }
                Ok(())
            }
            // An unknown symbol: v1 says so, v1alpha of the original proxy sends an empty list.
            Answer::Error(error) if error.code == Code::NotFound as i32 => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&mut self, query: Query) -> Result<Answer, Failure> {
        let request = ReflectionRequest { query: Some(query) }.encode_to_vec();
        let mut result = self.send(Bytes::from(request.clone())).await;
        if self.path == V1
            && result
                .as_ref()
                .is_err_and(|status| status.code() == Code::Unimplemented)
        {
            self.path = V1ALPHA;
            result = self.send(Bytes::from(request)).await;
        }
        result.map_err(|status| {
            let text = format!("the server's reflection failed: {}", explain(&status));
            Failure::new(Exit::Status, text)
        })
    }

    async fn send(&self, request: Bytes) -> Result<Answer, Status> {
        let mut client = Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
        client
            .ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let requests = Request::new(tokio_stream::once(request));
        let path = PathAndQuery::from_static(self.path);
        let mut answers = client.streaming(requests, path, BytesCodec).await?.into_inner();
        let answer = answers
            .message()
            .await?
            .ok_or_else(|| Status::internal("no answer"))?;
        let response =
            ReflectionResponse::decode(answer).map_err(|error| Status::internal(error.to_string()))?;
        response
            .answer
            .ok_or_else(|| Status::internal("an answer without content"))
    }
}

/// An encoded descriptor with what is needed to complete the set.
struct File {
    name: String,
    dependencies: Vec<String>,
    encoded: Bytes,
}

impl File {
    fn read(encoded: Bytes) -> Result<Self, Failure> {
        let descriptor =
            prost_reflect::prost_types::FileDescriptorProto::decode(&*encoded).map_err(|error| {
                Failure::new(
                    Exit::Failure,
                    format!("the server's reflection sent a malformed descriptor: {error}"),
                )
            })?;
        Ok(Self {
            name: descriptor.name.unwrap_or_default(),
            dependencies: descriptor.dependency,
            encoded,
        })
    }
}

fn missing(files: &BTreeMap<String, File>) -> Option<String> {
    files
        .values()
        .flat_map(|file| &file.dependencies)
        .find(|name| !files.contains_key(*name))
        .cloned()
}

fn unexpected(answer: &Answer) -> Failure {
    let text = match answer {
        Answer::Error(error) => format!(
            "the server's reflection failed: {} (code {})",
            error.message, error.code
        ),
        Answer::Files(_) | Answer::Services(_) => {
            "the server's reflection answered another question".to_owned()
        }
    };
    Failure::new(Exit::Failure, text)
}
