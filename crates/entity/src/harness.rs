//! A scenario: inputs go in, and the actions that come out are read as short lines.
//!
//! ```text
//! cart.when(asks("a"))  ──▶  ["open"]
//! cart.when(Opened)     ──▶  ["load beginning"]
//! ```

mod event_sourced;
mod value;

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use cloudstate_protocol::{self as protocol, Any, Failure, Metadata, Reply, SideEffect, client_action};

use crate::{Action, Activation, Answer, Caller, Command, CommitOutcome, Identity, Input, Kind, Limits};

pub(crate) use event_sourced::{emits, restarts, says as cart_says};
pub(crate) use value::{says as value_says, sets};

pub(crate) const SERVICE: &str = "shop.Cart";
pub(crate) const ENTITY: &str = "e";

/// A named caller, who may go away.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) name: String,
    gone: Rc<Cell<bool>>,
}

impl Client {
    pub(crate) fn new(name: &str) -> Self {
        Client {
            name: name.to_owned(),
            gone: Rc::default(),
        }
    }

    pub(crate) fn leaves(&self) {
        self.gone.set(true);
    }

    /// This caller's command, with the caller's name as payload.
    pub(crate) fn asks<K: Kind>(&self) -> Input<K, Client> {
        self.asks_with(any(&self.name))
    }

    pub(crate) fn asks_with<K: Kind>(&self, payload: Any) -> Input<K, Client> {
        Input::Command(Command {
            caller: self.clone(),
            name: Arc::from("Do"),
            payload,
            metadata: None,
        })
    }
}

impl Caller for Client {
    fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// What a reply holds beside the answer "ok", the same idea for both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Some,
}

/// A kind that scenarios can be told of.
pub(crate) trait Subject: Kind + Default {
    /// Stored state of an entity that was never used, part by part.
    fn nothing_stored() -> Vec<Self::Loaded>;
    /// Messages and reads that an activation starts with then, behind `open`.
    fn first_lines() -> Vec<&'static str>;
    fn reply(id: i64, action: Option<client_action::Action>, change: Change) -> Self::Out;
    /// Adds effects to a reply.
    fn with_effects(reply: Self::Out, effects: Vec<SideEffect>) -> Self::Out;
    fn failure(failure: Failure) -> Self::Out;
    fn empty() -> Self::Out;
    /// How the change of the first reply reads.
    fn first_commit() -> &'static str;
    fn sent(message: &Self::In) -> String;
    fn load(load: &Self::Load) -> String;
    fn commit(commit: &Self::Commit) -> String;
    fn snapshot(snapshot: &Self::Snapshot) -> String;
}

/// One entity under test.
pub(crate) struct Entity<K: Subject> {
    machine: Activation<K, Client>,
}

impl<K: Subject> Entity<K> {
    pub(crate) fn new(queued_commands: usize, queued_bytes: usize) -> Self {
        let identity = Identity {
            service: Arc::from(SERVICE),
            entity_id: Arc::from(ENTITY),
        };
        let limits = Limits {
            queued_commands,
            queued_bytes,
        };
        Entity {
            machine: Activation::new(identity, K::default(), limits),
        }
    }

    /// Never used, with room for ten waiting commands.
    pub(crate) fn unused() -> Self {
        Entity::new(10, 1000)
    }

    /// The stream is asked for; command `a` waits.
    pub(crate) fn opening() -> Self {
        let mut entity = Self::unused();
        entity.when(asks("a"));
        entity
    }

    /// The stored state is asked for; command `a` waits.
    pub(crate) fn loading() -> Self {
        let mut entity = Self::opening();
        entity.when(Input::Opened);
        entity
    }

    /// Command `a` is with the function.
    pub(crate) fn running() -> Self {
        let mut entity = Self::loading();
        entity.load_nothing();
        entity
    }

    /// Command `a` is with the function, `b` and `c` wait.
    pub(crate) fn busy() -> Self {
        let mut entity = Self::running();
        entity.when(asks("b"));
        entity.when(asks("c"));
        entity
    }

    /// The change of command `a` is with the store, `b` and `c` wait.
    pub(crate) fn committing() -> Self {
        let mut entity = Self::busy();
        entity.when(replies(1, Change::Some));
        entity
    }

    /// Active; command `a` is answered, nothing waits.
    pub(crate) fn idle() -> Self {
        let mut entity = Self::running();
        entity.when(replies(1, Change::Nothing));
        entity
    }

    /// The stream is half-closed, the function has not closed its side yet.
    pub(crate) fn closing() -> Self {
        let mut entity = Self::idle();
        entity.when(Input::Passivate);
        entity
    }

    /// Gives all parts of an empty stored state.
    pub(crate) fn load_nothing(&mut self) -> Vec<String> {
        let parts = K::nothing_stored().into_iter();
        parts.flat_map(|part| self.when(Input::Loaded(part))).collect()
    }

    /// Opens and loads nothing: from the `open` to the first turn.
    pub(crate) fn activates(&mut self) -> Vec<String> {
        let mut lines = self.when(Input::Opened);
        lines.extend(self.load_nothing());
        lines
    }

    pub(crate) fn machine(&self) -> &Activation<K, Client> {
        &self.machine
    }

    /// Hands the input in and gives the actions as they are.
    pub(crate) fn acts(&mut self, input: Input<K, Client>) -> Vec<Action<K, Client>> {
        let mut actions = Vec::new();
        self.machine.handle(input, &mut actions);
        actions
    }

    /// Hands the input in and reads out the actions.
    pub(crate) fn when(&mut self, input: Input<K, Client>) -> Vec<String> {
        self.acts(input).iter().map(line).collect()
    }
}

/// A command of a caller that stays.
pub(crate) fn asks<K: Kind>(name: &str) -> Input<K, Client> {
    Client::new(name).asks()
}

/// The function replies "ok".
pub(crate) fn replies<K: Subject>(id: i64, change: Change) -> Input<K, Client> {
    Input::Message(K::reply(id, Some(ok()), change))
}

/// The function fails the stream.
pub(crate) fn fails<K: Subject>(id: i64) -> Input<K, Client> {
    Input::Message(K::failure(failure(id, "boom")))
}

pub(crate) fn applied<K: Kind>(offset: u64) -> Input<K, Client> {
    Input::Committed(CommitOutcome::Applied { offset })
}

pub(crate) fn any(text: &str) -> Any {
    Any::message("shop.Text", text.to_owned())
}

pub(crate) fn ok() -> client_action::Action {
    client_action::Action::Reply(Reply {
        payload: Some(any("ok")),
        metadata: None,
    })
}

pub(crate) fn declines(text: &str) -> client_action::Action {
    client_action::Action::Failure(failure(0, text))
}

pub(crate) fn failure(command_id: i64, text: &str) -> Failure {
    Failure {
        command_id,
        description: text.to_owned(),
        restart: false,
    }
}

pub(crate) fn effect(name: &str) -> SideEffect {
    SideEffect {
        service_name: SERVICE.to_owned(),
        command_name: name.to_owned(),
        ..SideEffect::default()
    }
}

pub(crate) fn metadata() -> Metadata {
    [("key", "value")].into_iter().collect()
}

pub(crate) fn text(payload: Option<&Any>) -> String {
    payload.map_or_else(
        || "nothing".to_owned(),
        |any| String::from_utf8_lossy(&any.value).into_owned(),
    )
}

/// How a command to the function reads.
fn command(command: &protocol::Command) -> String {
    format!("send command {} {}", command.id, text(command.payload.as_ref()))
}

fn line<K: Subject>(action: &Action<K, Client>) -> String {
    match action {
        Action::Open => "open".to_owned(),
        Action::Load(load) => format!("load {}", K::load(load)),
        Action::Send(message) => K::sent(message),
        Action::TurnStarted => "turn".to_owned(),
        Action::Commit(commit) => format!("commit {}", K::commit(commit)),
        Action::SaveSnapshot(snapshot) => format!("save snapshot {}", K::snapshot(snapshot)),
        Action::Answer(caller, Ok(answer)) => format!("answer {}: {}", caller.name, answer_line(answer)),
        Action::Answer(caller, Err(error)) => format!("answer {}: {error:?}", caller.name),
        Action::Report(text) => format!("report {text}"),
        Action::Log(text) => format!("log {text}"),
        Action::HalfClose => "half-close".to_owned(),
        Action::Reset => "reset".to_owned(),
        Action::Stop(reason) => format!("stop {reason:?}"),
    }
}

fn answer_line(answer: &Answer) -> String {
    let mut line = match &answer.action {
        Some(client_action::Action::Reply(reply)) => text(reply.payload.as_ref()),
        Some(client_action::Action::Forward(forward)) => format!("forward to {}", forward.command_name),
        Some(client_action::Action::Failure(failure)) => format!("declined, {}", failure.description),
        None => "no message".to_owned(),
    };
    for effect in &answer.side_effects {
        line.push_str(&format!(" + {}", effect.command_name));
    }
    line
}

/// Makes each generic test one test of event sourced and one of value entities.
macro_rules! for_both_kinds {
    ($($test:ident),* $(,)?) => {
        mod event_sourced {
            $(#[test] fn $test() { super::$test::<crate::EventSourced>(); })*
        }
        mod value {
            $(#[test] fn $test() { super::$test::<crate::ValueEntity>(); })*
        }
    };
}
pub(crate) use for_both_kinds;

/// The texts of the specification's error table, written down once more.
pub(crate) trait ErrorTable: Subject {
    const REPLY: &str;
    const FAILURE: &str;
    const MESSAGE: &str;
    const TERMINATION: &str;
    const BEHAVIOR: &str;
    const QUEUED: &str;
}

impl ErrorTable for crate::EventSourced {
    const REPLY: &str = "Unexpected entity reply";
    const FAILURE: &str = "Unexpected entity failure";
    const MESSAGE: &str = "Unexpected entity message";
    const TERMINATION: &str = "Unexpected entity termination";
    const BEHAVIOR: &str = "Unexpected entity behavior";
    const QUEUED: &str = "Entity terminated";
}

impl ErrorTable for crate::ValueEntity {
    const REPLY: &str = "Unexpected Value entity reply";
    const FAILURE: &str = "Unexpected Value entity failure";
    const MESSAGE: &str = "Unexpected Value entity failure";
    const TERMINATION: &str = "Unexpected Value entity termination";
    const BEHAVIOR: &str = "Unexpected Value entity behavior";
    const QUEUED: &str = "Value entity terminated";
}
