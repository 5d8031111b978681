//! Store, function and callers around one machine, and the laws that each action must keep.

use proptest::sample::Index;

use super::model::{Model, Shape, Wanted};
use crate::harness::*;
use crate::{Action, Answer, CommitOutcome, Input, TurnError};

const QUEUED_COMMANDS: usize = 4;

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Move {
    /// Whatever the machine waits for comes out well; the function replies like this.
    Progress(Shape),
    /// A new caller asks, and may be gone before anybody listens.
    Ask {
        padding: usize,
        gone: bool,
    },
    /// One of the callers goes away.
    Leave(Index),
    /// The function replies to the outstanding command, or to one so far off.
    Reply {
        shape: Shape,
        off: i64,
    },
    /// The function fails the stream.
    Fail {
        off: i64,
    },
    /// The function sends an empty message.
    Empty,
    /// The function ends its side.
    Close {
        error: bool,
    },
    /// The store answers the commit.
    Commit(Ending),
    Opened,
    OpenFails,
    Loaded,
    LoadFails,
    TimeOut,
    Passivate,
    Drain,
}

/// How a commit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Applied,
    Fenced,
    Conflict,
    NotApplied,
    Unknown { durable: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    None,
    Opening,
    Open,
    HalfClosed,
}

/// The command that the function has.
#[derive(Debug)]
struct Turn {
    caller: usize,
    id: i64,
    wanted: Option<Wanted>,
    durable: bool,
}

#[derive(Debug)]
struct Asked {
    client: Client,
    sent: bool,
    answers: usize,
}

pub(super) struct World<K: Model> {
    entity: Entity<K>,
    store: K::Store,
    stream: Stream,
    /// Whether the function may still speak on the stream.
    function_speaks: bool,
    loading: Option<K::Load>,
    commit: Option<K::Commit>,
    turn: Option<Turn>,
    next_id: i64,
    replayed: Vec<String>,
    /// In order of arrival.
    asked: Vec<Asked>,
    /// All callers before this one were sent or passed over.
    next_to_send: usize,
    /// All callers before this one had their answers or have none to come.
    next_to_answer: usize,
}

impl<K: Model> World<K> {
    pub(super) fn new() -> Self {
        World {
            entity: Entity::new(QUEUED_COMMANDS, 20),
            store: K::Store::default(),
            stream: Stream::None,
            function_speaks: false,
            loading: None,
            commit: None,
            turn: None,
            next_id: 1,
            replayed: Vec::new(),
            asked: Vec::new(),
            next_to_send: 0,
            next_to_answer: 0,
        }
    }

    pub(super) fn makes(&mut self, next: &Move) {
        match next {
            Move::Progress(shape) => self.progresses(*shape),
            Move::Ask { padding, gone } => self.asks(*padding, *gone),
            Move::Leave(who) if !self.asked.is_empty() => {
                who.get(&self.asked).client.leaves();
            }
            Move::Leave(_) => {}
            Move::Reply { shape, off } => self.replies(*shape, *off),
            Move::Fail { off } => {
                let id = self.outstanding() + off;
                self.speaks(fails(id));
            }
            Move::Empty => self.speaks(Input::Message(K::empty())),
            Move::Close { error } => self.closes(error.then(|| "oops".to_owned())),
            Move::Commit(ending) => self.commits(*ending),
            Move::Opened => self.opened(),
            Move::OpenFails => {
                let awaited = self.stream == Stream::Opening;
                self.gives(Input::OpenFailed("refused".to_owned()), awaited);
            }
            Move::Loaded => self.loaded(),
            Move::LoadFails => {
                let awaited = self.loading.is_some();
                self.gives(Input::LoadFailed("torn".to_owned()), awaited);
            }
            Move::TimeOut => self.gives(Input::TimedOut, true),
            Move::Passivate => {
                let awaited = self.is_idle();
                self.gives(Input::Passivate, awaited);
            }
            Move::Drain => self.gives(Input::Drain, true),
        }
    }

    /// Drains until nothing moves any more: then everybody has an answer.
    pub(super) fn settles(&mut self) {
        let calm = Shape {
            change: 0,
            snapshot: false,
            declining: false,
            restart: false,
        };
        self.gives(Input::Drain, true);
        let mut moves = 0;
        while self.stream != Stream::None {
            self.progresses(calm);
            moves += 1;
            assert!(moves < 1000, "it never ends: {:?}", self.entity.machine());
        }
        assert!(self.entity.machine().is_stopped());
        assert_eq!(self.entity.machine().queued(), 0);
        for asked in &self.asked {
            let dropped = is_gone(&asked.client) && !asked.sent;
            assert!(
                asked.answers == 1 || dropped,
                "a caller without an answer: {asked:?}"
            );
        }
    }

    fn progresses(&mut self, shape: Shape) {
        match self.stream {
            Stream::Opening => self.opened(),
            Stream::HalfClosed => self.closes(None),
            _ if self.loading.is_some() => self.loaded(),
            _ if self.commit.is_some() => self.commits(Ending::Applied),
            _ if self.turn.is_some() => self.replies(shape, 0),
            _ => {}
        }
    }

    fn asks(&mut self, padding: usize, gone: bool) {
        let name = self.asked.len().to_string();
        let client = Client::new(&name);
        if gone {
            client.leaves();
        }
        self.asked.push(Asked {
            client: client.clone(),
            sent: false,
            answers: 0,
        });
        let payload = any(&format!("{name}{}", "_".repeat(padding)));
        self.gives(client.asks_with(payload), !gone);
    }

    fn outstanding(&self) -> i64 {
        self.turn.as_ref().map_or(0, |turn| turn.id)
    }

    fn replies(&mut self, shape: Shape, off: i64) {
        let id = self.outstanding() + off;
        if let Some(turn) = &mut self.turn
            && turn.wanted.is_none()
        {
            let wanted = if off == 0 {
                K::wanted(&self.store, shape)
            } else {
                Wanted::Violation
            };
            turn.wanted = Some(wanted);
        }
        self.speaks(K::replies(id, shape));
    }

    /// A message; nothing follows one that comes before a stream is there. After the end of a stream none can come.
    fn speaks(&mut self, message: Input<K, Client>) {
        match self.stream {
            Stream::Open if !self.function_speaks => {}
            stream => self.gives(message, stream == Stream::Open),
        }
    }

    fn closes(&mut self, error: Option<String>) {
        match self.stream {
            Stream::None | Stream::Opening => self.gives(Input::Closed(error), false),
            _ if self.function_speaks => {
                self.function_speaks = false;
                self.gives(Input::Closed(error), true);
            }
            _ => {}
        }
    }

    fn opened(&mut self) {
        let awaited = self.stream == Stream::Opening;
        if awaited {
            self.stream = Stream::Open;
            self.function_speaks = true;
        }
        self.gives(Input::Opened, awaited);
    }

    fn loaded(&mut self) {
        match self.loading.take() {
            Some(load) => {
                let part = K::part(&self.store, &load);
                self.gives(Input::Loaded(part), true);
            }
            None => {
                let part = K::nothing_stored().swap_remove(0);
                self.gives(Input::Loaded(part), false);
            }
        }
    }

    fn commits(&mut self, ending: Ending) {
        let commit = self.commit.take();
        let mut offset = 99;
        if let (Some(commit), Ending::Applied | Ending::Unknown { durable: true }) = (&commit, ending) {
            offset = K::apply(&mut self.store, commit);
        }
        if let Some(turn) = self.turn.as_mut().filter(|_| commit.is_some()) {
            turn.durable = ending == Ending::Applied;
        }
        let outcome = match ending {
            Ending::Applied => CommitOutcome::Applied { offset },
            Ending::Fenced => CommitOutcome::Fenced,
            Ending::Conflict => CommitOutcome::Conflict,
            Ending::NotApplied => CommitOutcome::NotApplied {
                reason: "full".to_owned(),
                overloaded: true,
            },
            Ending::Unknown { .. } => CommitOutcome::Unknown,
        };
        self.gives(Input::Committed(outcome), commit.is_some());
    }

    /// Hands an input in and lives through the actions. Nothing may come of an input that nobody awaits.
    fn gives(&mut self, input: Input<K, Client>, awaited: bool) {
        let told = (!awaited).then(|| format!("{input:?}"));
        let actions = self.entity.acts(input);
        if let Some(told) = told {
            assert!(actions.is_empty(), "{told} led to {actions:?}");
        }
        for action in &actions {
            self.lives_through(action);
        }
        let machine = self.entity.machine();
        assert_eq!(machine.is_stopped(), self.stream == Stream::None, "{machine:?}");
        assert_eq!(machine.is_idle(), self.is_idle(), "{machine:?}");
        assert!(machine.queued() <= QUEUED_COMMANDS, "{machine:?}");
    }

    fn is_idle(&self) -> bool {
        self.stream == Stream::Open && self.is_quiet()
    }

    /// Whether neither turn nor commit nor load is under way.
    fn is_quiet(&self) -> bool {
        self.turn.is_none() && self.commit.is_none() && self.loading.is_none()
    }

    fn lives_through(&mut self, action: &Action<K, Client>) {
        match action {
            Action::Open => {
                assert_eq!(self.stream, Stream::None, "a second stream");
                assert!(self.is_quiet());
                self.stream = Stream::Opening;
                self.next_id = 1;
                self.replayed.clear();
            }
            Action::Load(load) => {
                assert_eq!(self.stream, Stream::Open);
                assert!(self.is_quiet(), "a load at the wrong time");
                self.loading = Some(load.clone());
            }
            Action::Send(message) => self.hears(message),
            Action::TurnStarted => assert!(self.turn.is_some()),
            Action::Commit(commit) => {
                assert!(self.commit.is_none(), "a second commit");
                let wanted = self.turn.as_ref().and_then(|turn| turn.wanted);
                assert_eq!(wanted, Some(Wanted::Commit));
                assert!(K::fits(&self.store, commit), "{commit:?} on {:?}", self.store);
                self.commit = Some(commit.clone());
            }
            Action::SaveSnapshot(snapshot) => {
                assert!(self.turn.as_ref().is_some_and(|turn| turn.durable));
                assert!(K::save(&mut self.store, snapshot), "{snapshot:?}");
            }
            Action::Answer(client, answer) => self.answers(client, answer),
            Action::Report(_) | Action::Log(_) => {}
            Action::HalfClose => {
                assert_eq!(self.stream, Stream::Open);
                self.loading = None;
                assert!(self.is_quiet(), "a turn was dropped");
                self.stream = Stream::HalfClosed;
            }
            Action::Reset => {
                assert_ne!(self.stream, Stream::None);
                self.function_speaks = false;
                self.loading = None;
            }
            Action::Stop(_) => {
                assert!(self.is_quiet(), "a turn was dropped");
                assert!(!self.function_speaks, "the function still speaks");
                self.stream = Stream::None;
            }
        }
    }

    fn hears(&mut self, message: &K::In) {
        assert_eq!(self.stream, Stream::Open, "sent without a stream: {message:?}");
        assert!(self.is_quiet(), "sent at the wrong time: {message:?}");
        let Some(command) = K::command_in(message) else {
            assert_eq!(self.next_id, 1, "replay after a command: {message:?}");
            return self.replayed.push(K::sent(message));
        };
        if self.next_id == 1 {
            assert_eq!(
                self.replayed,
                K::replay(&self.store),
                "replayed is what is stored"
            );
        }
        assert_eq!(command.id, self.next_id);
        self.next_id += 1;
        let caller = number(text(command.payload.as_ref()).trim_end_matches('_'));
        assert!(caller >= self.next_to_send, "out of order");
        self.next_to_send = caller + 1;
        let asked = &mut self.asked[caller];
        assert!(!is_gone(&asked.client), "sent for nobody");
        asked.sent = true;
        self.turn = Some(Turn {
            caller,
            id: command.id,
            wanted: None,
            durable: false,
        });
    }

    fn answers(&mut self, client: &Client, answer: &Result<Answer, TurnError>) {
        let caller = number(&client.name);
        let asked = &mut self.asked[caller];
        asked.answers += 1;
        assert_eq!(asked.answers, 1, "answered twice");
        if let Err(TurnError::QueueFull(_)) = answer {
            return assert!(!asked.sent && caller + 1 == self.asked.len());
        }
        assert!(caller >= self.next_to_answer, "answered out of order");
        self.next_to_answer = caller + 1;
        let Some(turn) = self.turn.take_if(|turn| turn.caller == caller) else {
            assert!(!asked.sent && answer.is_err(), "{answer:?} for a waiting command");
            return;
        };
        assert!(self.commit.is_none(), "answered before the commit came out");
        match turn.wanted {
            None | Some(Wanted::Violation) => assert!(answer.is_err(), "{answer:?}"),
            Some(Wanted::AnswerAtOnce | Wanted::Restart) => assert!(answer.is_ok(), "{answer:?}"),
            Some(Wanted::Commit) => assert_eq!(answer.is_ok(), turn.durable, "{answer:?}"),
        }
    }
}

fn is_gone(client: &Client) -> bool {
    crate::Caller::is_gone(client)
}

fn number(name: &str) -> usize {
    name.parse().expect("callers are called by number")
}
