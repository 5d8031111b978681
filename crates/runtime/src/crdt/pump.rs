//! The way of a stream's elements, from the entity to the core of the client.
//!
//! ```text
//!   machine ─▶ Listener ══queue══▶ pump ─▶ awaits the change, runs effects ══queue══▶ the client's core ─▶ client
//! ```
//!
//! The pump is a task on the entity's core, since effects run there. It also notices when the client has gone.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use cloudstate_catalog::Method;
use cloudstate_entity::crdt::{Input, Stream};
use cloudstate_entity::{Answer, TurnError};
use cloudstate_protocol::client_action;
use cloudstate_replica::Acknowledged;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use super::drive::{feed, settle};
use super::slot::{Began, Slot};
use crate::context::Context;
use crate::deliver::run_effects;
use crate::{CallError, Code, Core};

/// What the core of the client gets.
pub(super) type Answered = Result<Answer, CallError>;

/// The client of a streamed command, perhaps on another core.
pub(crate) struct Sink {
    pub(super) number: u64,
    pub(super) method: Arc<Method>,
    pub(super) context: Context,
    pub(super) answers: mpsc::Sender<Answered>,
}

impl Sink {
    /// The command does not reach its entity.
    pub(super) fn refuse(self, error: CallError) {
        // The queue is empty; an error means that the client has gone.
        let _ = self.answers.try_send(Err(error));
    }
}

impl cloudstate_entity::Caller for Sink {
    fn is_gone(&self) -> bool {
        self.answers.is_closed()
    }
}

/// An element as the machine gives it.
pub(super) struct Element {
    pub(super) result: Result<Answer, TurnError>,
    pub(super) after: Acknowledged,
    pub(super) last: bool,
}

/// Takes the elements of a stream on the core of its entity.
#[derive(Clone)]
pub(super) struct Listener {
    elements: mpsc::Sender<Element>,
    shared: Rc<Listening>,
}

struct Listening {
    number: u64,
    method: Arc<Method>,
    context: Context,
    /// Until the first reply.
    began: RefCell<Option<Began>>,
    /// The client took too long to read.
    overrun: Notify,
}

impl Listener {
    pub(super) fn method(&self) -> &Arc<Method> {
        &self.shared.method
    }

    pub(super) fn context(&self) -> &Context {
        &self.shared.context
    }

    /// When the command began, for the first of its answers.
    pub(super) fn take_began(&self) -> Option<Began> {
        self.shared.began.take()
    }

    /// Passes an element on. `Err` with the number of the stream means that too many wait: the stream has to end.
    pub(super) fn push(self, core: &Core, element: Element) -> Result<(), u64> {
        match self.elements.try_send(element) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(element)) => {
                // The client has gone, which the machine hears of next. The effects are owed all the same.
                if let Ok(answer) = element.result
                    && !answer.side_effects.is_empty()
                {
                    let core = core.clone();
                    core.clone().0.tasks.spawn_local(async move {
                        run_effects(&core, answer.side_effects, self.method(), self.context()).await;
                    });
                }
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                self.shared.overrun.notify_one();
                Err(self.shared.number)
            }
        }
    }
}

impl Stream for Listener {
    fn number(&self) -> u64 {
        self.shared.number
    }

    fn is_gone(&self) -> bool {
        self.elements.is_closed()
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({}, {})", self.shared.number, self.shared.method.path)
    }
}

/// Starts the pump of a stream.
pub(super) fn listen(core: &Core, slot: &Rc<Slot>, sink: Sink) -> Listener {
    let (elements, queue) = mpsc::channel(core.options().stream_messages.max(1));
    let shared = Rc::new(Listening {
        number: sink.number,
        began: RefCell::new(Some(Began::now(&sink.context))),
        method: sink.method,
        context: sink.context,
        overrun: Notify::new(),
    });
    let pump = Pump {
        core: core.clone(),
        slot: slot.clone(),
        shared: shared.clone(),
        answers: sink.answers,
    };
    core.0.tasks.spawn_local(pump.run(queue));
    Listener { elements, shared }
}

struct Pump {
    core: Core,
    slot: Rc<Slot>,
    shared: Rc<Listening>,
    answers: mpsc::Sender<Answered>,
}

/// Why a pump ends.
enum End {
    /// The stream is over.
    Over,
    /// The client has gone.
    Gone,
    /// The client took too long.
    Overrun,
}

impl Pump {
    async fn run(self, mut queue: mpsc::Receiver<Element>) {
        // Kept free for the last word to a client that does not read.
        let Ok(last_word) = self.answers.clone().reserve_owned().await else {
            return self.gone(queue).await;
        };
        self.slot.served.metrics.streams_begun.inc();
        let end = tokio::select! {
            biased;
            () = self.answers.closed() => End::Gone,
            () = self.shared.overrun.notified() => End::Overrun,
            end = self.pass_on(&mut queue) => end,
        };
        self.slot.served.metrics.streams_ended.inc();
        match end {
            End::Over => {}
            End::Gone => self.gone(queue).await,
            End::Overrun => {
                let limit = self.core.options().stream_messages;
                let _ = last_word.send(Err(CallError::Status {
                    code: Code::Aborted,
                    message: format!(
                        "the client reads too slowly: {limit} messages waited for it (crdt.stream_messages), the limit"
                    ),
                }));
                self.settle_rest(queue).await;
            }
        }
    }

    async fn pass_on(&self, queue: &mut mpsc::Receiver<Element>) -> End {
        while let Some(element) = queue.recv().await {
            let Element { result, after, last } = element;
            let result = match after {
                Acknowledged::Now => result,
                Acknowledged::Later(later) => self.slot.acknowledged(later.await).and(result),
            };
            let result = match result {
                Ok(mut answer) => {
                    let effects = std::mem::take(&mut answer.side_effects);
                    answer.took_effect |= !effects.is_empty();
                    run_effects(&self.core, effects, &self.shared.method, &self.shared.context).await;
                    Ok(answer)
                }
                Err(error) => Err(self.core.turn_error(error)),
            };
            let fails = match &result {
                Ok(answer) => matches!(answer.action, Some(client_action::Action::Failure(_))),
                Err(_) => true,
            };
            if self.answers.send(result).await.is_err() {
                return End::Gone;
            }
            if last || fails {
                return End::Over;
            }
        }
        End::Over
    }

    async fn gone(self, queue: mpsc::Receiver<Element>) {
        feed(&self.core, &self.slot, Input::Cancelled(self.shared.number));
        settle(&self.core, &self.slot);
        self.settle_rest(queue).await;
    }

    /// Runs the effects of what the client does not hear any more.
    async fn settle_rest(self, mut queue: mpsc::Receiver<Element>) {
        queue.close();
        while let Some(Element { result, after, .. }) = queue.recv().await {
            if let Acknowledged::Later(later) = after
                && self.slot.acknowledged(later.await).is_err()
            {
                continue;
            }
            if let Ok(answer) = result {
                let (method, context) = (&self.shared.method, &self.shared.context);
                run_effects(&self.core, answer.side_effects, method, context).await;
            }
        }
    }
}
