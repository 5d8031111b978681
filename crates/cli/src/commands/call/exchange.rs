//! One call: requests out, replies printed as they come.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost_reflect::{MessageDescriptor, MethodDescriptor};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::client::Grpc;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{Arguments, describe, input};
use crate::exit::{Exit, Failure};
use crate::grpc::{BytesCodec, explain, to_json};

type Requests = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// What went wrong with the input after the call began; it wins over the status that follows from it.
type InputError = Arc<Mutex<Option<String>>>;

/// Runs the call that the arguments describe.
pub(super) async fn run(
    arguments: &Arguments,
    channel: Channel,
    method: &MethodDescriptor,
) -> Result<(), Failure> {
    let problem = InputError::default();
    let requests = requests(arguments, method, &problem).await?;
    let mut request = Request::new(requests);
    for header in &arguments.headers {
        header.add(request.metadata_mut()).map_err(usage)?;
    }
    if let Some(deadline) = arguments.deadline {
        request.set_timeout(deadline);
    }
    let call = exchange(channel, request, method, arguments.verbose);
    let result = within(arguments.deadline, call).await;
    let problem = problem.lock().unwrap_or_else(PoisonError::into_inner).take();
    problem.map_or(result, |problem| Err(usage(problem)))
}

/// The requests; for a method that takes one, exactly one.
async fn requests(
    arguments: &Arguments,
    method: &MethodDescriptor,
    problem: &InputError,
) -> Result<Requests, Failure> {
    let from_stdin = arguments.json == "-";
    if from_stdin && method.is_client_streaming() {
        return Ok(streamed_input(method.input(), Arc::clone(problem)));
    }
    let messages = if from_stdin {
        let text = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await;
        let text = text.map_err(|error| usage(error.to_string()))?;
        input::of_text(
            &method.input(),
            &text.map_err(|error| usage(format!("standard input: {error}")))?,
        )
    } else {
        input::of_text(&method.input(), &arguments.json)
    };
    let messages = messages.map_err(usage)?;
    if !method.is_client_streaming() && messages.len() != 1 {
        let (path, count) = (describe::path(method), messages.len());
        return Err(usage(format!(
            "{path} takes one request; found {count} JSON values"
        )));
    }
    Ok(Box::pin(tokio_stream::iter(messages)))
}

fn streamed_input(descriptor: MessageDescriptor, problem: InputError) -> Requests {
    let messages = ReceiverStream::new(input::of_stdin(descriptor));
    Box::pin(messages.map_while(move |message| {
        let text = match message {
            Ok(message) => return Some(message),
            Err(text) => text,
        };
        *problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        None
    }))
}

async fn within(
    deadline: Option<Duration>,
    call: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let Some(deadline) = deadline else {
        return call.await;
    };
    // The proxy ends the call by itself; this is for one that does not. The connection has a timer for the same time,
    // started later, whose end would look like a cancelled call: so this one is asked first.
    tokio::select! {
        biased;
        () = tokio::time::sleep(deadline) => {
            Err(status(&Status::deadline_exceeded(format!("no answer within {deadline:?}"))))
        }
        result = call => result,
    }
}

async fn exchange(
    channel: Channel,
    request: Request<Requests>,
    method: &MethodDescriptor,
    verbose: bool,
) -> Result<(), Failure> {
    let path = PathAndQuery::try_from(format!("/{}", describe::path(method))).map_err(usage)?;
    let mut client = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    client
        .ready()
        .await
        .map_err(|error| Failure::new(Exit::Unreachable, error))?;
    let response = client
        .streaming(request, path, BytesCodec)
        .await
        .map_err(|error| status(&error))?;
    let print = |metadata: &MetadataMap| {
        if verbose {
            print_metadata(metadata);
        }
    };
    print(response.metadata());
    let mut replies = response.into_inner();
    while let Some(reply) = replies.message().await.map_err(|error| status(&error))? {
        let text = to_json(&method.output(), reply, !method.is_server_streaming())?;
        crate::output::print(&format!("{text}\n"))?;
    }
    if let Some(trailers) = replies.trailers().await.map_err(|error| status(&error))? {
        print(&trailers);
    }
    Ok(())
}

fn print_metadata(metadata: &MetadataMap) {
    for entry in metadata.iter() {
        match entry {
            KeyAndValueRef::Ascii(name, value) => {
                eprintln!("{name}: {}", String::from_utf8_lossy(value.as_encoded_bytes()));
            }
            KeyAndValueRef::Binary(name, value) => {
                eprintln!("{name}: {}", String::from_utf8_lossy(value.as_encoded_bytes()));
            }
        }
    }
}

fn status(status: &Status) -> Failure {
    Failure::new(Exit::Status, explain(status))
}

fn usage(text: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, text)
}
