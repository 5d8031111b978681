//! One call: finds what is called and runs it.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_protocol::action::ActionCommand;
use cloudstate_protocol::crdt::CrdtStreamOut;
use cloudstate_protocol::{ProxyInfo, UserFunctionError, names};
use futures_util::StreamExt;
use futures_util::stream;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use prost::{DecodeError, Message};
use tokio::task::JoinSet;

use super::Shared;
use super::frames::{FrameError, Frames};
use super::output::{Code, Output, Status, frame};
use crate::action::{self, Answer, Cancelled};
use crate::dispatch::Step;
use crate::{Declaration, crdt, event_sourced, value};

/// Why a call ended before its time.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("malformed message: {0}")]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Http(#[from] h2::Error),
}

impl CallError {
    /// What the proxy is told; `None` if it has gone.
    fn status(&self) -> Option<Status> {
        let code = match self {
            CallError::Frame(FrameError::Gone(_)) | CallError::Http(_) => return None,
            CallError::Frame(FrameError::TooLarge { .. }) => Code::ResourceExhausted,
            CallError::Frame(FrameError::Compressed) => Code::Unimplemented,
            CallError::Frame(FrameError::Truncated) | CallError::Decode(_) => Code::InvalidArgument,
        };
        Some(Status::new(code, self.to_string()))
    }
}

/// What this server can be asked for.
enum Method {
    EventSourced,
    Value,
    Crdt,
    Action,
    Discover,
    ReportError,
}

impl Method {
    /// The method at a path, if there is anything registered for it.
    fn at(path: &str, declaration: &Declaration) -> Option<Self> {
        let (method, served) = match path {
            names::EVENT_SOURCED_PATH => (Method::EventSourced, !declaration.event_sourced.is_empty()),
            names::VALUE_ENTITY_PATH => (Method::Value, !declaration.value.is_empty()),
            names::CRDT_PATH => (Method::Crdt, !declaration.crdt.is_empty()),
            names::ACTION_UNARY_PATH
            | names::ACTION_STREAMED_IN_PATH
            | names::ACTION_STREAMED_OUT_PATH
            | names::ACTION_STREAMED_PATH => (Method::Action, !declaration.action.is_empty()),
            names::DISCOVER_PATH => (Method::Discover, true),
            names::REPORT_ERROR_PATH => (Method::ReportError, true),
            _ => return None,
        };
        served.then_some(method)
    }
}

/// The calls of a connection, each a task that ends with it.
#[derive(Default)]
pub(super) struct Calls {
    entities: JoinSet<()>,
    others: JoinSet<()>,
}

impl Calls {
    /// Starts serving a call.
    pub(super) fn start(
        &mut self,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        shared: &Arc<Shared>,
    ) {
        let path = request.uri().path();
        let Some(method) = Method::at(path, &shared.declaration) else {
            return log_lost(Output::reject(respond, path));
        };
        let input = Frames::new(request.into_body(), shared.options.max_message_bytes);
        let declaration = &shared.declaration;
        let output = match Output::open(respond) {
            Ok(output) => output,
            Err(error) => return log_lost(Err(error)),
        };
        match method {
            Method::EventSourced => {
                let machine = event_sourced::Stream::new(declaration.event_sourced.clone());
                self.entities.spawn(entity(input, output, machine))
            }
            Method::Value => {
                let machine = value::Stream::new(declaration.value.clone());
                self.entities.spawn(entity(input, output, machine))
            }
            Method::Crdt => {
                let machine = crdt::Stream::new(declaration.crdt.clone());
                self.entities.spawn(entity(input, output, machine))
            }
            Method::Action => self.others.spawn(call_action(input, output, shared.clone())),
            Method::Discover => self.others.spawn(discover(input, output, shared.clone())),
            Method::ReportError => self.others.spawn(report_error(input, output)),
        };
    }

    /// Waits for a call to end, and forgets it. Pending while there is none. Cancel-safe.
    pub(super) async fn reap(&mut self) {
        tokio::select! {
            Some(_) = self.entities.join_next(), if !self.entities.is_empty() => {}
            Some(_) = self.others.join_next(), if !self.others.is_empty() => {}
            else => std::future::pending().await,
        }
    }

    /// Ends the streams of entities; the proxy is told that the function is unavailable. Calls of actions go on.
    pub(super) fn end_entities(&mut self) {
        self.entities.abort_all();
    }
}

/// The proxy has gone in the middle of a call; it knows, and nobody else is concerned.
fn log_lost(sent: Result<(), h2::Error>) {
    if let Err(error) = sent {
        tracing::debug!("a call could not be answered: {error}");
    }
}

fn finish(output: Output, ended: Result<(), CallError>) {
    let status = match ended {
        Ok(()) => Some(Status::OK),
        Err(error) => {
            let status = error.status();
            tracing::debug!("a call ended early: {error}");
            status
        }
    };
    if let Some(status) = status {
        log_lost(output.finish(&status));
    }
}

/// The machine of an entity stream of any kind.
trait Machine: Send + 'static {
    /// Handles a message, and encodes what comes out.
    fn turn(&mut self, message: Bytes) -> Result<Step<Bytes>, DecodeError>;
}

impl Machine for event_sourced::Stream {
    fn turn(&mut self, message: Bytes) -> Result<Step<Bytes>, DecodeError> {
        Ok(encode(self.receive(message)?))
    }
}

impl Machine for value::Stream {
    fn turn(&mut self, message: Bytes) -> Result<Step<Bytes>, DecodeError> {
        Ok(encode(self.receive(message)?))
    }
}

impl Machine for crdt::Stream {
    fn turn(&mut self, message: Bytes) -> Result<Step<Bytes>, DecodeError> {
        let frames = |messages: Vec<CrdtStreamOut>| messages.iter().flat_map(frame).collect();
        Ok(match self.receive(message)? {
            Step::Silent => Step::Silent,
            Step::Send(messages) => Step::Send(frames(messages)),
            Step::End(messages) => Step::End(frames(messages)),
        })
    }
}

/// Encodes before anything waits, so that the task of an idle entity has no room for a message.
fn encode(step: Step<impl Message>) -> Step<Bytes> {
    match step {
        Step::Silent => Step::Silent,
        Step::Send(message) => Step::Send(frame(&message)),
        Step::End(message) => Step::End(frame(&message)),
    }
}

/// Serves one activation of an entity, until the proxy half-closes or the entity fails. May be aborted: an entity is
/// idle wherever this waits, so all that is lost is a reply that the proxy had no room for.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would keep room for its arguments twice"
)]
fn entity(mut input: Frames, mut output: Output, mut machine: impl Machine) -> impl Future<Output = ()> {
    async move {
        let ended = loop {
            let message = input.next().await;
            match take_turn(&mut machine, message) {
                Ok(Step::Silent) => {}
                Ok(Step::Send(frame)) => match output.send_frame(frame).await {
                    Ok(()) => {}
                    Err(error) => break Err(error.into()),
                },
                Ok(Step::End(frame)) => break output.send_frame(frame).await.map_err(CallError::from),
                Err(ended) => break ended,
            }
        };
        finish(output, ended);
    }
}

/// `Err` says how the call ends.
fn take_turn(
    machine: &mut impl Machine,
    message: Result<Option<Bytes>, FrameError>,
) -> Result<Step<Bytes>, Result<(), CallError>> {
    match message {
        Ok(Some(message)) => machine.turn(message).map_err(|error| Err(error.into())),
        Ok(None) => Err(Ok(())),
        Err(error) => Err(Err(error.into())),
    }
}

/// Serves one call of an action, in any of the four shapes.
async fn call_action(input: Frames, mut output: Output, shared: Arc<Shared>) {
    let answered = {
        let running = answer(messages(input), &mut output, &shared);
        pin!(running).await
    };
    match answered {
        Some(ended) => finish(output, ended),
        None => tracing::debug!("the proxy cancelled the call of an action"),
    }
}

async fn answer(
    messages: action::Messages,
    output: &mut Output,
    shared: &Shared,
) -> Option<Result<(), CallError>> {
    let answer = tokio::select! {
        biased;
        answer = action::start(&shared.declaration.action, messages) => answer,
        () = output.cancelled() => return None,
    };
    let mut responses = match answer {
        Answer::One(response) => stream::once(response).filter_map(std::future::ready).boxed(),
        Answer::Many(responses) => responses,
    };
    loop {
        let response = tokio::select! {
            biased;
            response = responses.next() => response,
            () = output.cancelled() => return None,
        };
        let Some(response) = response else {
            return Some(Ok(()));
        };
        if let Err(error) = output.send(&response).await {
            return Some(Err(error.into()));
        }
    }
}

/// The messages of an action's call. Whatever is wrong with them, the call is over.
fn messages(input: Frames) -> action::Messages {
    Box::pin(stream::unfold(input, |mut input| async move {
        let message = match input.next().await {
            Ok(None) => return None,
            Ok(Some(bytes)) => ActionCommand::decode(bytes).map_err(CallError::from),
            Err(error) => Err(CallError::from(error)),
        };
        let message = message.map_err(|error| {
            tracing::debug!("an action's call lost its input: {error}");
            Cancelled
        });
        Some((message, input))
    }))
}

async fn discover(mut input: Frames, mut output: Output, shared: Arc<Shared>) {
    let ended = async {
        let proxy: ProxyInfo = read_one(&mut input).await?;
        log_proxy(&proxy, &shared.declaration);
        Ok(output.send(&shared.declaration.spec).await?)
    };
    let ended = ended.await;
    finish(output, ended);
}

fn log_proxy(proxy: &ProxyInfo, declaration: &Declaration) {
    let ProxyInfo {
        proxy_name,
        proxy_version,
        protocol_major_version,
        protocol_minor_version,
        ..
    } = proxy;
    tracing::info!(
        "discovered by {proxy_name} {proxy_version}, protocol {protocol_major_version}.{protocol_minor_version}"
    );
    for entity in &declaration.spec.entities {
        if !proxy.supported_entity_types.contains(&entity.entity_type) {
            tracing::error!(
                "the proxy does not support {} of {}",
                entity.entity_type,
                entity.service_name
            );
        }
    }
}

async fn report_error(mut input: Frames, mut output: Output) {
    let ended = async {
        let report: UserFunctionError = read_one(&mut input).await?;
        tracing::error!("the proxy reports: {}", report.message);
        Ok(output.send(&()).await?)
    };
    let ended = ended.await;
    finish(output, ended);
}

async fn read_one<M: Message + Default>(input: &mut Frames) -> Result<M, CallError> {
    let bytes = input.next().await?.ok_or(FrameError::Truncated)?;
    Ok(M::decode(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: impl Fn(Frames, Output, event_sourced::Stream) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_an_idle_entity_is_small() {
        let size = size(entity);
        assert!(
            size <= 400,
            "a hundred thousand idle entities need {size} bytes each for their tasks alone"
        );
    }
}
