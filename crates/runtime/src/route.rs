//! From a call to its replies, through entities, actions, forwards.

use std::future::{Ready, ready};
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_catalog::{EntityKind, Method};
use cloudstate_entity::crdt::Call;
use cloudstate_entity::{Answer, Command, TurnError, action};
use cloudstate_protocol::action::{ActionCommand, ActionResponse};
use cloudstate_protocol::{self as protocol, Any, Metadata, client_action, names};
use cloudstate_store::EntityKey;
use futures_util::future::{Either, LocalBoxFuture};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::admission::Permit;
use crate::context::{Context, How};
use crate::core::Offered;
use crate::crdt;
use crate::deliver::run_effects;
use crate::drive::waiter;
use crate::function_call::FunctionCall;
use crate::metrics::Shed;
use crate::streams::{self, Holding};
use crate::traced::Following;
use crate::{CallError, Code, Core, Input, Replies, Reply, ReplyStream, Router};

impl Router for Core {
    fn call(&self, call: crate::Call) -> impl Future<Output = Result<Replies, CallError>> + 'static {
        let core = self.clone();
        async move {
            let permit = core.admit(&call.input)?;
            let context = Context::of_client(call.trace.clone());
            let replies = core.route(call, context)?.replies().await?;
            Ok(hold(replies, permit))
        }
    }
}

/// A call on its way. Every client's call holds one while it waits: what a command of an entity needs is kept small, the
/// rest is boxed.
enum Routed {
    Turn(Turn),
    Other(LocalBoxFuture<'static, Result<Replies, CallError>>),
}

impl Routed {
    async fn replies(self) -> Result<Replies, CallError> {
        match self {
            Routed::Turn(turn) => turn.replies().await,
            Routed::Other(replies) => replies.await,
        }
    }
}

/// What the client gets: known, or that of a forward.
type Concluded<'a> =
    Either<Ready<Result<Replies, CallError>>, LocalBoxFuture<'a, Result<Replies, CallError>>>;

/// A command that its entity has.
struct Turn {
    core: Core,
    method: Arc<Method>,
    deadline: Option<Instant>,
    context: Context,
    answered: oneshot::Receiver<Result<Answer, TurnError>>,
}

impl Turn {
    async fn replies(self) -> Result<Replies, CallError> {
        match within(self.deadline, self.answered).await? {
            Ok(Ok(answer)) => {
                let concluded = self
                    .core
                    .conclude(answer, &self.method, self.deadline, self.context);
                concluded.await
            }
            Ok(Err(error)) => Err(self.core.turn_error(error)),
            // The command was dropped unsent: its core ended.
            Err(_) => Err(CallError::FunctionUnavailable(
                "the proxy is shutting down".to_owned(),
            )),
        }
    }
}

/// A streaming call is in progress until its stream is dropped.
fn hold(replies: Replies, held: impl Unpin + 'static) -> Replies {
    match replies {
        Replies::Stream(stream) => Replies::Stream(Box::pin(Holding::new(stream, held))),
        other => other,
    }
}

impl Core {
    pub(crate) fn cores(&self) -> usize {
        self.0.shared.cores()
    }

    fn admit(&self, input: &Input) -> Result<Permit, CallError> {
        let metrics = &self.0.metrics;
        if self.0.draining.get() {
            metrics.shed(Shed::Draining);
            let message = "the proxy is shutting down".to_owned();
            return Err(CallError::Overloaded {
                message,
                retry_after: self.options().retry_after,
            });
        }
        let bytes = match input {
            Input::One(bytes) => bytes.len(),
            Input::Stream(_) => 0,
        };
        let admitted = self.0.shared.admission.admit(bytes);
        admitted.map_err(|(why, error)| {
            metrics.shed(why);
            error
        })
    }

    /// Starts a call, whoever makes it.
    fn route(&self, call: crate::Call, context: Context) -> Result<Routed, CallError> {
        let crate::Call {
            method,
            input,
            metadata,
            deadline,
            trace: _,
        } = call;
        match (method.service.kind, input) {
            (EntityKind::EventSourced | EntityKind::Value, Input::One(payload)) => {
                let turn = self.command(method, payload, metadata, deadline, context)?;
                Ok(Routed::Turn(turn))
            }
            (EntityKind::Action, input) if method.client_streaming || method.server_streaming => {
                let replies = streams::action_stream(self, method, input, metadata, deadline, context);
                Ok(Routed::Other(Box::pin(ready(Ok(Replies::Stream(replies))))))
            }
            (EntityKind::Action, Input::One(payload)) => {
                let core = self.clone();
                Ok(Routed::Other(Box::pin(async move {
                    core.action_call(method, payload, metadata, deadline, context)
                        .await
                })))
            }
            (EntityKind::Crdt, Input::One(payload)) if method.server_streaming => {
                let replies = self.streamed_command(method, payload, metadata, deadline, context)?;
                Ok(Routed::Other(Box::pin(ready(Ok(Replies::Stream(replies))))))
            }
            (EntityKind::Crdt, Input::One(payload)) => {
                let turn = self.command(method, payload, metadata, deadline, context)?;
                Ok(Routed::Turn(turn))
            }
            (_, Input::Stream(_)) => Err(CallError::InvalidRequest(format!(
                "{} takes one request, not a stream",
                method.path
            ))),
        }
    }

    /// Gives a command to its entity.
    fn command(
        &self,
        method: Arc<Method>,
        payload: Bytes,
        metadata: Metadata,
        deadline: Option<Instant>,
        context: Context,
    ) -> Result<Turn, CallError> {
        let key = entity_key(&method, &payload)?;
        let metadata = method.service.command_metadata.then(|| context.write(metadata));
        let (caller, answered) = waiter(method.clone(), context.clone());
        let (name, payload) = (method.name.clone(), request(&method, payload));
        let offered = match method.service.kind {
            EntityKind::Crdt => Offered::Crdt(Command {
                caller: Call::Unary(caller),
                name,
                payload,
                metadata,
            }),
            _ => Offered::Stored(Command {
                caller,
                name,
                payload,
                metadata,
            }),
        };
        self.dispatch(key, &method.service, offered)?;
        Ok(Turn {
            core: self.clone(),
            method,
            deadline,
            context,
            answered,
        })
    }

    /// Gives a streamed command to its CRDT entity.
    fn streamed_command(
        &self,
        method: Arc<Method>,
        payload: Bytes,
        metadata: Metadata,
        deadline: Option<Instant>,
        context: Context,
    ) -> Result<ReplyStream, CallError> {
        let key = entity_key(&method, &payload)?;
        let metadata = method.service.command_metadata.then(|| context.write(metadata));
        let (sink, answered) = crdt::sink(self, method.clone(), context.clone());
        let command = Command {
            caller: Call::Streamed(sink),
            name: method.name.clone(),
            payload: request(&method, payload),
            metadata,
        };
        self.dispatch(key, &method.service, Offered::Crdt(command))?;
        Ok(crdt::crdt_stream(self, method, answered, deadline, context))
    }

    async fn action_call(
        &self,
        method: Arc<Method>,
        payload: Bytes,
        metadata: Metadata,
        deadline: Option<Instant>,
        context: Context,
    ) -> Result<Replies, CallError> {
        let limit = self.limit(&self.served(&method.service), &method);
        let place = match &limit {
            Some(limit) if self.is_delayed(limit, &context) => {
                self.0.metrics.shed(Shed::Delay);
                return Err(limit.refusal(self.options()));
            }
            limit => limit.as_ref().map(|limit| limit.begin()),
        };
        let mut call = FunctionCall::begin(self, &method, &context);
        let command = unary_command(&method, payload, context.write(metadata));
        let latest = call.began + self.options().turn_timeout;
        let by = deadline.map_or(latest, |deadline| deadline.min(latest));
        let response: ActionResponse = self
            .0
            .link
            .unary(names::ACTION_UNARY_PATH, &command, Some(by))
            .await
            .map_err(|error| call.failed(link_error(error)))?;
        call.answered(&response);
        if let Some(limit) = limit {
            let now = Instant::now();
            limit.answered(now - call.began, now);
        }
        drop((call, place));
        let answer = self
            .settle_effects(action::answer(response), &method, &context)
            .await;
        self.conclude(answer, &method, deadline, context).await
    }

    /// Runs the effects of an action's answer, to the end even if the caller goes.
    pub(crate) async fn settle_effects(
        &self,
        mut answer: Answer,
        method: &Arc<Method>,
        context: &Context,
    ) -> Answer {
        if answer.side_effects.is_empty() {
            return answer;
        }
        let effects = std::mem::take(&mut answer.side_effects);
        answer.took_effect = true;
        let (core, method, context) = (self.clone(), method.clone(), context.clone());
        let run = self
            .0
            .tasks
            .spawn_local(async move { run_effects(&core, effects, &method, &context).await });
        // Effects never fail their command, not even by a panic.
        let _ = run.await;
        answer
    }

    /// What the client gets of an answer whose effects have run. Known at once, unless it is a forward.
    pub(crate) fn conclude<'a>(
        &'a self,
        answer: Answer,
        method: &'a Arc<Method>,
        deadline: Option<Instant>,
        context: Context,
    ) -> Concluded<'a> {
        let known = match answer.action {
            None => Ok(Replies::None),
            Some(client_action::Action::Reply(reply)) => {
                Ok(Replies::One(self.reply(reply, method, &context)))
            }
            Some(client_action::Action::Failure(failure)) => {
                let trace_id = context.trace_id().map(tracing::field::display);
                tracing::debug!(method = %method.path, trace_id, "User Function responded with a failure: {}", failure.description);
                Err(CallError::Failure(failure.description))
            }
            Some(client_action::Action::Forward(forward)) => {
                self.0.metrics.forwards.inc();
                let took_effect = answer.took_effect;
                let followed = self.forward(forward, method, deadline, context);
                return Either::Right(Box::pin(async move {
                    followed.await.map_err(|error| match took_effect {
                        true => error.after_effect(&method.path),
                        false => error,
                    })
                }));
            }
        };
        Either::Left(ready(known))
    }

    async fn forward(
        &self,
        forward: protocol::Forward,
        method: &Arc<Method>,
        deadline: Option<Instant>,
        context: Context,
    ) -> Result<Replies, CallError> {
        let protocol::Forward {
            service_name,
            command_name,
            payload,
            metadata,
        } = forward;
        let context = context.followed(How::Forward, method);
        let mut following = Following::begin(&context, &service_name, &command_name);
        let follow = self.follow(&service_name, &command_name, payload, metadata, context);
        let outcome = within(deadline, follow).await.and_then(|outcome| outcome);
        following.outcome(&outcome);
        match following.is_traced() {
            true => outcome.map(|replies| hold(replies, following)),
            false => outcome,
        }
    }

    fn reply(&self, reply: protocol::Reply, method: &Arc<Method>, context: &Context) -> Reply {
        let payload = reply.payload.map(|payload| {
            if payload.type_url != *method.output_type_url {
                let text = format!(
                    "Warning: {}.{}: Expected reply type_url to be [{}] but was [{}].",
                    method.service.name, method.name, method.output_type_url, payload.type_url
                );
                self.report(text, context.trace_id());
            }
            payload.value
        });
        Reply {
            payload,
            metadata: reply.metadata.unwrap_or_default(),
        }
    }

    /// Runs the target of a forward or effect.
    pub(crate) fn follow<'a>(
        &'a self,
        service: &str,
        command: &str,
        payload: Option<Any>,
        metadata: Option<Metadata>,
        context: Context,
    ) -> LocalBoxFuture<'a, Result<Replies, CallError>> {
        let target = self.target(service, command, &context);
        Box::pin(async move {
            let input = Input::One(payload.unwrap_or_default().value);
            let call = crate::Call {
                method: target?,
                input,
                metadata: metadata.unwrap_or_default(),
                deadline: None,
                trace: None,
            };
            self.route(call, context)?.replies().await
        })
    }

    fn target(&self, service: &str, command: &str, context: &Context) -> Result<Arc<Method>, CallError> {
        let catalog = self.0.catalog.borrow();
        let known = catalog.as_ref().and_then(|catalog| catalog.service(service));
        let method = catalog
            .as_ref()
            .and_then(|catalog| catalog.method(service, command));
        let text = match (known, method) {
            (_, Some(_)) if context.length() > self.options().forward_limit => format!(
                "{service}.{command} was reached over more than {} forwards and side effects, the limit: they seem to run in a circle",
                self.options().forward_limit
            ),
            (_, Some(method)) => return Ok(method.clone()),
            (None, _) => format!("Service [{service}] unknown"),
            (Some(_), None) => format!("Service [{service}] does not have a command named: [{command}]"),
        };
        self.report(format!("{text}{}", context.chain()), context.trace_id());
        Err(CallError::Unroutable(text))
    }

    pub(crate) fn turn_error(&self, error: TurnError) -> CallError {
        let retry_after = self.options().retry_after;
        match error {
            TurnError::EntityFailed(text) => CallError::EntityFailed(text.to_owned()),
            TurnError::Violation(text) => CallError::Violation(text),
            TurnError::FunctionGone(text) => CallError::FunctionUnavailable(text),
            TurnError::TimedOut { .. } => CallError::DeadlineExceeded(error.to_string()),
            TurnError::LoadFailed(text) => CallError::StoreUnavailable(text),
            TurnError::NotCommitted {
                reason,
                overloaded: true,
            } => CallError::Overloaded {
                message: reason,
                retry_after,
            },
            TurnError::NotCommitted { .. } => CallError::StoreUnavailable(error.to_string()),
            TurnError::OutcomeUnknown => CallError::OutcomeUnknown(error.to_string()),
            TurnError::QueueFull(message) => CallError::QueueFull { message, retry_after },
        }
    }
}

pub(crate) fn unary_command(method: &Arc<Method>, payload: Bytes, metadata: Metadata) -> ActionCommand {
    action::unary_command(
        &method.service.name,
        &method.name,
        request(method, payload),
        metadata,
    )
}

pub(crate) fn request(method: &Method, value: Bytes) -> Any {
    Any {
        type_url: method.input_type_url.to_string(),
        value,
    }
}

fn entity_key(method: &Method, payload: &Bytes) -> Result<EntityKey, CallError> {
    let id = method
        .key
        .extract(payload)
        .map_err(|error| CallError::InvalidRequest(error.to_string()))?;
    EntityKey::new(method.service.persistence_id.clone(), id.as_ref())
        .map_err(|error| CallError::InvalidRequest(error.to_string()))
}

/// Awaits until the caller's deadline. Boxed then: a timer is larger than most of what is awaited here.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Result<T, CallError> {
    match deadline {
        None => Ok(future.await),
        Some(deadline) => Box::pin(timeout_at(deadline, future))
            .await
            .map_err(|_| CallError::DeadlineExceeded("the deadline of the call has passed".to_owned())),
    }
}

/// An action call's failure, as the client sees it.
pub(crate) fn link_error(error: cloudstate_function::Error) -> CallError {
    use cloudstate_function::Error;
    match error {
        Error::Status { code, message } => CallError::Status {
            code: Code::from_number(code),
            message,
        },
        Error::DeadlineExceeded => {
            CallError::DeadlineExceeded("the user function did not answer in time".to_owned())
        }
        // Of an action call, nothing is stored before its answer.
        error if error.is_unavailable() || error.is_lost() => {
            CallError::FunctionUnavailable(error.to_string())
        }
        error => CallError::Violation(error.to_string()),
    }
}
