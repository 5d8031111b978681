//! What a proxy and its function do on one node, without clock and network.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloudstate_crdt::{Limits as CrdtLimits, NodeId};
use cloudstate_entity::crdt::{Action, Call as Wanted, CrdtEntity, Input, Stream as Listening};
use cloudstate_entity::{Answer, Caller, Command, Identity, Limits, TurnError};
use cloudstate_protocol::client_action::Action as ClientActionKind;
use cloudstate_protocol::crdt::{CrdtStreamIn, CrdtStreamOut};
use cloudstate_protocol::{ClientAction, Failure};
use cloudstate_replica::{Alone, Id, Replicas, Watcher};
use cloudstate_sdk::crdt::{Registration, Stream};
use cloudstate_sdk::dispatch::Step;
use cloudstate_sdk::{Bytes, Call, Declaration};

use crate::Outcome;

/// A caller and what he was told.
#[derive(Debug, Clone, Default)]
struct Asked(Rc<RefCell<Option<Result<Answer, TurnError>>>>);

impl Caller for Asked {
    fn is_gone(&self) -> bool {
        false
    }
}

/// A client of a stream and what it was told.
#[derive(Debug, Clone)]
pub(super) struct Listener(Rc<Heard>);

#[derive(Debug)]
struct Heard {
    number: u64,
    messages: RefCell<Vec<Bytes>>,
    ended: RefCell<Option<Option<String>>>,
}

impl Listener {
    pub(super) fn take_messages(&self) -> Vec<Bytes> {
        self.0.messages.take()
    }

    /// Whether the stream has ended, and with which failure.
    pub(super) fn ended(&self) -> Option<Option<String>> {
        self.0.ended.borrow().clone()
    }

    fn take(&self, result: Result<Answer, TurnError>, last: bool) {
        match result.map(|answer| answer.action) {
            Ok(Some(ClientActionKind::Reply(reply))) => {
                let payload = reply.payload.unwrap_or_default();
                self.0.messages.borrow_mut().push(payload.value);
            }
            Ok(Some(ClientActionKind::Failure(failure))) => self.end(Some(failure.description)),
            Ok(Some(ClientActionKind::Forward(_)) | None) => {}
            Err(error) => self.end(Some(error.to_string())),
        }
        if last {
            self.end(None);
        }
    }

    fn end(&self, failure: Option<String>) {
        self.0.ended.borrow_mut().get_or_insert(failure);
    }
}

impl Listening for Listener {
    fn number(&self) -> u64 {
        self.0.number
    }

    fn is_gone(&self) -> bool {
        self.ended().is_some()
    }
}

#[derive(Default)]
struct Told(AtomicBool);

impl Watcher for Told {
    fn changed(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Node {
    services: Arc<HashMap<&'static str, Registration>>,
    entity_id: String,
    replicas: Arc<Replicas>,
    told: Arc<Told>,
    machine: CrdtEntity<Asked, Listener>,
    function: Option<Stream>,
    /// What the function was told that it did wrong.
    reports: Vec<String>,
    streams: u64,
}

impl Node {
    pub(super) fn new(declaration: &Declaration, entity_id: &str, own: NodeId, members: &[NodeId]) -> Node {
        let replicas = Replicas::new(own, CrdtLimits::default(), Arc::new(Alone));
        replicas.set_members(own, members);
        let told = Arc::<Told>::default();
        let service = declaration.crdt.keys().next().copied().unwrap_or_default();
        let identity = Identity {
            service: service.into(),
            entity_id: entity_id.into(),
        };
        let limits = Limits {
            queued_commands: 1,
            queued_bytes: usize::MAX,
        };
        let replica = replicas.open(Id::new("test", entity_id), told.clone());
        Node {
            services: declaration.crdt.clone(),
            entity_id: entity_id.to_owned(),
            machine: CrdtEntity::new(identity, replica, limits),
            replicas,
            told,
            function: None,
            reports: Vec::new(),
            // Streams of both nodes are told apart by their numbers.
            streams: own.address << 32,
        }
    }

    pub(super) fn call<O>(&mut self, call: &Call<O>) -> Outcome<O> {
        let asked = Asked::default();
        let reports = self.reports.len();
        self.feed(command(Wanted::Unary(asked.clone()), call));
        let crash = self.reports.drain(reports..).next();
        match (asked.0.take(), crash) {
            (Some(Ok(answer)), _) => {
                let action = answer.action.map(|action| ClientAction { action: Some(action) });
                Outcome::new(action, answer.side_effects)
            }
            (Some(Err(_)), Some(description)) => Outcome::crash(description),
            (Some(Err(error)), None) => Outcome::new(Some(declined(&error)), Vec::new()),
            (None, _) => Outcome::crash(format!("{} was not answered", self.entity_id)),
        }
    }

    pub(super) fn open<O>(&mut self, call: &Call<O>) -> Listener {
        self.streams += 1;
        let listener = Listener(Rc::new(Heard {
            number: self.streams,
            messages: RefCell::default(),
            ended: RefCell::default(),
        }));
        self.feed(command(Wanted::Streamed(listener.clone()), call));
        listener
    }

    /// The client of a stream goes; nothing if it is not one of this node.
    pub(super) fn cancel(&mut self, listener: &Listener) {
        self.feed(Input::Cancelled(listener.0.number));
    }

    pub(super) fn passivate(&mut self) {
        self.feed(Input::Passivate);
    }

    /// Takes what another node knows; whether that was news.
    pub(super) fn hear(&mut self, other: &Node) -> bool {
        let id = self.machine.replica().id().clone();
        if other.replicas.is_deleted(&id) {
            self.replicas.merge_deleted([id.hash()]);
        } else if let Some(state) = other.replicas.state(&id) {
            self.replicas.merge_state(&id, &state);
        }
        let news = self.told.0.swap(false, Ordering::Relaxed);
        if news {
            self.feed(Input::Changed);
        }
        news
    }

    /// Hands an input in, and does what follows, to the end.
    fn feed(&mut self, input: Input<Asked, Listener>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut actions = Vec::new();
            // The wall clock of tests stands still.
            self.machine.handle(input, 0, &mut actions);
            for action in actions {
                self.perform(action, &mut inputs);
            }
        }
    }

    fn perform(&mut self, action: Action<Asked, Listener>, inputs: &mut VecDeque<Input<Asked, Listener>>) {
        match action {
            Action::Open => {
                self.function = Some(Stream::new(self.services.clone()));
                inputs.push_back(Input::Opened);
            }
            Action::Send(message) => self.send(message, inputs),
            Action::Answer(asked, result, _) => drop(asked.0.replace(Some(result))),
            Action::Element {
                stream, result, last, ..
            } => stream.take(result, last),
            Action::Report(text) | Action::Log(text) => self.reports.push(text),
            Action::HalfClose => {
                self.function = None;
                inputs.push_back(Input::Closed(None));
            }
            Action::Reset | Action::Stop(_) => self.function = None,
            Action::Started(_) | Action::Settle { .. } => {}
        }
    }

    fn send(&mut self, message: CrdtStreamIn, inputs: &mut VecDeque<Input<Asked, Listener>>) {
        let Some(function) = &mut self.function else {
            return;
        };
        let step = function.handle(message);
        let mut say = |messages: Vec<CrdtStreamOut>| inputs.extend(messages.into_iter().map(Input::Message));
        match step {
            Step::Silent => {}
            Step::Send(messages) => say(messages),
            Step::End(messages) => {
                say(messages);
                self.function = None;
                inputs.push_back(Input::Closed(None));
            }
        }
    }
}

fn command<O>(caller: Wanted<Asked, Listener>, call: &Call<O>) -> Input<Asked, Listener> {
    Input::Command(Command {
        caller,
        name: call.command().into(),
        payload: call.payload().clone(),
        metadata: Some(call.metadata().clone()),
    })
}

/// What the client sees of an error that is none of the function.
fn declined(error: &TurnError) -> ClientAction {
    let failure = Failure {
        description: error.to_string(),
        ..Failure::default()
    };
    ClientAction {
        action: Some(ClientActionKind::Failure(failure)),
    }
}
