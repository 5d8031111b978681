//! A scenario: one entity on this node, another node that changes the same entity, and what comes out as short lines.
//!
//! ```text
//! entity.asks("a")            ──▶  ["open"]
//! entity.when(Input::Opened)  ──▶  ["init", "command 1 a", "started 1"]
//! ```

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloudstate_crdt::{Change, Limits as CrdtLimits, NodeId};
use cloudstate_protocol::crdt::{
    CrdtDelete, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamOut, CrdtStreamedMessage,
    crdt_delta, crdt_state_action, crdt_stream_in, crdt_stream_out,
};
use cloudstate_protocol::{ClientAction, Failure, client_action};
use cloudstate_replica::{
    Acknowledged, Alone, Consistency, FirstUse, Id, Publication, Publish, Replica, Replicas, Watcher,
};

use super::super::*;
use crate::harness::{Client, any, effect, failure, ok, text};

const HERE: NodeId = NodeId::new(1, 1);
const THERE: NodeId = NodeId::new(2, 1);

/// A named listener of a stream, who may go away.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    name: &'static str,
    number: u64,
    gone: Rc<Cell<bool>>,
}

impl Stream for Listener {
    fn number(&self) -> u64 {
        self.number
    }
    fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

pub(super) type In = Input<Client, Listener>;

/// Acknowledges at once what needs this node only.
struct LaterUnlessLocal;

impl Publish for LaterUnlessLocal {
    fn publish(&self, _: &Id, _: Publication, consistency: Consistency) -> Acknowledged {
        match consistency {
            Consistency::Local => Acknowledged::Now,
            _ => Acknowledged::Later(Box::pin(std::future::pending())),
        }
    }
    fn first_use(&self, _: &Id) -> Option<FirstUse> {
        None
    }
}

#[derive(Default)]
struct Told(AtomicBool);

impl Watcher for Told {
    fn changed(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Scenario {
    pub(super) machine: CrdtEntity<Client, Listener>,
    here: Arc<Replicas>,
    there: Arc<Replicas>,
    /// The replica as somebody else uses it, at the other node.
    elsewhere: Replica,
    told: Arc<Told>,
    listeners: RefCell<Vec<Listener>>,
}

impl Scenario {
    pub(super) fn unused() -> Self {
        Self::with_limits(10, 1_000)
    }

    pub(super) fn with_limits(queued_commands: usize, queued_bytes: usize) -> Self {
        let here = Replicas::new(HERE, CrdtLimits::default(), Arc::new(LaterUnlessLocal));
        let there = Replicas::new(THERE, CrdtLimits::default(), Arc::new(Alone));
        let (id, told) = (Id::new("things", "e"), Arc::<Told>::default());
        let identity = Identity {
            service: "shop.Thing".into(),
            entity_id: "e".into(),
        };
        let limits = Limits {
            queued_commands,
            queued_bytes,
        };
        Scenario {
            machine: CrdtEntity::new(identity, here.open(id.clone(), told.clone()), limits),
            elsewhere: there.open(id, Arc::new(Told::default())),
            here,
            there,
            told,
            listeners: RefCell::default(),
        }
    }

    /// The stream is asked for; command `a` waits.
    pub(super) fn opening() -> Self {
        let mut entity = Self::unused();
        assert_eq!(entity.asks("a"), ["open"]);
        entity
    }

    /// Command `a` is with the function, which has no value yet.
    pub(super) fn running() -> Self {
        let mut entity = Self::opening();
        assert_eq!(entity.when(Input::Opened), ["init", "command 1 a", "started 1"]);
        entity
    }

    /// Active, with a PNCounter of 1.
    pub(super) fn counting() -> Self {
        let mut entity = Self::running();
        assert_eq!(entity.when(replies(1).change(count(1)).into()), ["answer a: ok"]);
        entity
    }

    /// As `counting`, with the streamed command 2 of `s` accepted.
    pub(super) fn streaming() -> Self {
        let mut entity = Self::counting();
        assert_eq!(entity.listens("s"), ["streamed command 2 s", "started 2"]);
        assert_eq!(entity.when(replies(2).streamed().into()), ["element s: ok"]);
        entity
    }

    pub(super) fn when(&mut self, input: In) -> Vec<String> {
        self.acts(input).iter().map(line).collect()
    }

    /// A caller who stays sends a unary command.
    pub(super) fn asks(&mut self, name: &str) -> Vec<String> {
        self.when(command(Call::Unary(Client::new(name)), name))
    }

    /// Somebody sends a streamed command.
    pub(super) fn listens(&mut self, name: &'static str) -> Vec<String> {
        let listener = self.listener(name);
        self.when(command(Call::Streamed(listener), name))
    }

    pub(super) fn listener(&self, name: &'static str) -> Listener {
        let mut listeners = self.listeners.borrow_mut();
        let listener = Listener {
            name,
            number: listeners.len() as u64,
            gone: Rc::default(),
        };
        listeners.push(listener.clone());
        listener
    }

    /// The client of a stream goes.
    pub(super) fn leaves(&mut self, name: &str) -> Vec<String> {
        let listener = self
            .listeners
            .borrow()
            .iter()
            .find(|one| one.name == name)
            .cloned();
        let listener = listener.expect("somebody of this name listens");
        listener.gone.set(true);
        self.when(Input::Cancelled(listener.number))
    }

    /// The function closes its side.
    pub(super) fn closes(&mut self) -> Vec<String> {
        self.when(Input::Closed(None))
    }

    /// The other node makes a change, and this one hears of it.
    pub(super) fn elsewhere(&mut self, change: &Change) -> Vec<String> {
        self.learn_there();
        let made = self.elsewhere.update(change, Consistency::Local, 500);
        assert!(made.is_ok(), "{made:?}");
        self.hear()
    }

    /// The other node makes a change that does not know of those here.
    pub(super) fn concurrently(&mut self, change: &Change) {
        let made = self.elsewhere.update(change, Consistency::Local, 500);
        assert!(made.is_ok(), "{made:?}");
    }

    pub(super) fn deleted_elsewhere(&mut self) -> Vec<String> {
        assert!(matches!(
            self.elsewhere.delete(Consistency::Local),
            Acknowledged::Now
        ));
        self.hear()
    }

    /// This node hears of what the other has.
    pub(super) fn hear(&mut self) -> Vec<String> {
        self.hears().iter().map(line).collect()
    }

    /// Whether there was anything new in it.
    fn merge_there(&self) -> bool {
        let id = self.elsewhere.id();
        self.here
            .merge_deleted(self.there.deleted(id.shard()).iter().collect::<Vec<_>>());
        if let Some(state) = self.there.state(id) {
            self.here.merge_state(id, &state);
        }
        self.told.0.swap(false, Ordering::Relaxed)
    }

    pub(super) fn learn_there(&self) {
        let id = self.elsewhere.id();
        if let Some(state) = self.here.state(id) {
            self.there.merge_state(id, &state);
        }
    }

    /// Another node becomes a member.
    pub(super) fn grows(&mut self) -> Vec<String> {
        assert!(self.here.set_members(HERE, &[HERE, THERE]));
        match self.told.0.swap(false, Ordering::Relaxed) {
            true => self.when(Input::Changed),
            false => Vec::new(),
        }
    }

    /// Hands the input in and gives the actions as they are.
    pub(super) fn acts(&mut self, input: In) -> Vec<Action<Client, Listener>> {
        let mut actions = Vec::new();
        self.machine.handle(input, 1_000, &mut actions);
        actions
    }

    /// This node hears of what the other has, as actions.
    pub(super) fn hears(&mut self) -> Vec<Action<Client, Listener>> {
        match self.merge_there() {
            true => self.acts(Input::Changed),
            false => Vec::new(),
        }
    }

    /// The PNCounter of this node's replica.
    pub(super) fn count_here(&self) -> i64 {
        let Ok(Found::Difference(Difference::Change(Change::PNCounter { change }))) =
            self.machine.replica().difference(None)
        else {
            return 0;
        };
        change
    }
}

/// What the last input began and nobody has answered.
pub(super) fn operation(actions: &[Action<Client, Listener>]) -> Operation {
    let started = actions.iter().rev().find_map(|action| match action {
        Action::Started(operation) => Some(*operation),
        _ => None,
    });
    started.expect("an operation was started")
}

pub(super) fn command(caller: Call<Client, Listener>, name: &str) -> In {
    Input::Command(Command {
        caller,
        name: Arc::from(name),
        payload: any(name),
        metadata: None,
    })
}

pub(super) fn count(change: i64) -> Change {
    Change::PNCounter { change }
}

/// Something that the function says. Starts as a plain "ok".
#[derive(Debug, Clone)]
pub(super) struct Says {
    id: i64,
    action: Option<client_action::Action>,
    effects: Vec<cloudstate_protocol::SideEffect>,
    state: Option<CrdtStateAction>,
    streamed: bool,
    how: How,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Reply,
    Message { end: bool },
    Cancelled,
}

/// A reply to a command.
pub(super) fn replies(id: i64) -> Says {
    Says {
        id,
        action: Some(ok()),
        effects: Vec::new(),
        state: None,
        streamed: false,
        how: How::Reply,
    }
}

/// A message of a stream.
pub(super) fn streams(id: i64) -> Says {
    Says {
        how: How::Message { end: false },
        ..replies(id)
    }
}

/// The response to `stream_cancelled`.
pub(super) fn responds(id: i64) -> Says {
    Says {
        how: How::Cancelled,
        action: None,
        ..replies(id)
    }
}

impl Says {
    pub(super) fn streamed(self) -> Says {
        Says {
            streamed: true,
            ..self
        }
    }
    pub(super) fn ends(self) -> Says {
        Says {
            how: How::Message { end: true },
            ..self
        }
    }
    pub(super) fn silently(self) -> Says {
        Says { action: None, ..self }
    }
    pub(super) fn declining(self, text: &str) -> Says {
        Says {
            action: Some(client_action::Action::Failure(failure(self.id, text))),
            ..self
        }
    }
    pub(super) fn effect(mut self, name: &str) -> Says {
        self.effects.push(effect(name));
        self
    }
    pub(super) fn change(self, change: Change) -> Says {
        self.change_at(change, 0)
    }
    pub(super) fn change_at(self, change: Change, write_consistency: i32) -> Says {
        let action = Some(crdt_state_action::Action::Update(convert::delta(change)));
        self.state(action, write_consistency)
    }
    pub(super) fn deleting_at(self, write_consistency: i32) -> Says {
        let action = Some(crdt_state_action::Action::Delete(CrdtDelete {}));
        self.state(action, write_consistency)
    }
    pub(super) fn deleting(self) -> Says {
        self.deleting_at(0)
    }
    pub(super) fn state(self, action: Option<crdt_state_action::Action>, write_consistency: i32) -> Says {
        Says {
            state: Some(CrdtStateAction {
                action,
                write_consistency,
            }),
            ..self
        }
    }
}

impl From<Says> for In {
    fn from(says: Says) -> In {
        let client_action = says.action.map(|action| ClientAction { action: Some(action) });
        let message = match says.how {
            How::Reply => crdt_stream_out::Message::Reply(CrdtReply {
                command_id: says.id,
                client_action,
                side_effects: says.effects,
                state_action: says.state,
                streamed: says.streamed,
            }),
            How::Message { end } => crdt_stream_out::Message::StreamedMessage(CrdtStreamedMessage {
                command_id: says.id,
                client_action,
                side_effects: says.effects,
                end_stream: end,
            }),
            How::Cancelled => {
                crdt_stream_out::Message::StreamCancelledResponse(CrdtStreamCancelledResponse {
                    command_id: says.id,
                    side_effects: says.effects,
                    state_action: says.state,
                })
            }
        };
        Input::Message(CrdtStreamOut {
            message: Some(message),
        })
    }
}

pub(super) fn fails(id: i64, text: &str) -> In {
    Input::Message(CrdtStreamOut {
        message: Some(crdt_stream_out::Message::Failure(Failure {
            command_id: id,
            description: text.to_owned(),
            restart: false,
        })),
    })
}

fn line(action: &Action<Client, Listener>) -> String {
    match action {
        Action::Open => "open".to_owned(),
        Action::Send(message) => message.message.as_ref().map(sent).unwrap_or_default(),
        Action::Started(operation) => format!("started {}", operation.command_id),
        Action::Answer(caller, result, after) => {
            format!("answer {}: {}{}", caller.name, outcome(result), when(after))
        }
        Action::Element {
            stream,
            result,
            after,
            last,
        } => {
            let last = if *last { ", last" } else { "" };
            format!(
                "element {}: {}{}{last}",
                stream.name,
                outcome(result),
                when(after)
            )
        }
        Action::Settle {
            stream,
            side_effects,
            after,
        } => {
            let effects: Vec<_> = side_effects.iter().map(|effect| &*effect.command_name).collect();
            format!("settle {}: {}{}", stream.name, effects.join(" + "), when(after))
        }
        Action::Report(text) => format!("report {text}"),
        Action::Log(text) => format!("log {text}"),
        Action::HalfClose => "half-close".to_owned(),
        Action::Reset => "reset".to_owned(),
        Action::Stop(reason) => format!("stop {reason:?}"),
    }
}

fn when(after: &Acknowledged) -> &'static str {
    match after {
        Acknowledged::Now => "",
        Acknowledged::Later(_) => ", later",
    }
}

fn outcome(result: &Result<Answer, TurnError>) -> String {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return format!("{error:?}"),
    };
    let mut line = match &answer.action {
        Some(client_action::Action::Reply(reply)) => text(reply.payload.as_ref()),
        Some(client_action::Action::Failure(failure)) => format!("declined, {}", failure.description),
        Some(client_action::Action::Forward(forward)) => format!("forward to {}", forward.command_name),
        None => "no message".to_owned(),
    };
    for effect in &answer.side_effects {
        line.push_str(&format!(" + {}", effect.command_name));
    }
    line
}

fn sent(message: &crdt_stream_in::Message) -> String {
    use crdt_stream_in::Message;
    match message {
        Message::Init(init) => {
            assert_eq!((&*init.service_name, &*init.entity_id), ("shop.Thing", "e"));
            match &init.delta {
                Some(delta) => format!("init {}", described(delta.delta.as_ref())),
                None => "init".to_owned(),
            }
        }
        Message::Delta(delta) => format!("delta {}", described(delta.delta.as_ref())),
        Message::Delete(_) => "delete".to_owned(),
        Message::Command(command) => {
            assert_eq!(&*command.entity_id, "e");
            assert_eq!(text(command.payload.as_ref()), command.name);
            let streamed = if command.streamed { "streamed " } else { "" };
            let metadata = if command.metadata.is_some() {
                " with metadata"
            } else {
                ""
            };
            format!("{streamed}command {} {}{metadata}", command.id, command.name)
        }
        Message::StreamCancelled(cancelled) => {
            assert_eq!(&*cancelled.entity_id, "e");
            format!("cancelled {}", cancelled.id)
        }
    }
}

fn described(delta: Option<&crdt_delta::Delta>) -> String {
    use crdt_delta::Delta;
    match delta {
        Some(Delta::Gcounter(counter)) => format!("+{}", counter.increment),
        Some(Delta::Pncounter(counter)) => format!("{:+}", counter.change),
        Some(Delta::Lwwregister(register)) => format!("= {}", text(register.value.as_ref())),
        Some(Delta::Flag(flag)) => format!("flag {}", flag.value),
        Some(Delta::Vote(vote)) => {
            format!("vote {} {}/{}", vote.self_vote, vote.votes_for, vote.total_voters)
        }
        other => format!("{other:?}"),
    }
}
