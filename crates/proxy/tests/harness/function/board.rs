//! CRDT entities: a PNCounter, in two services that share their entities.
//!
//! | `what` | |
//! |---|---|
//! | `add` | adds `text`, or 1 if that is no number; replies with the count |
//! | `add at majority` | the same, with that consistency |
//! | `read` | replies with the count |
//! | `hold, …` | waits for [`Function::release`](super::Function::release) first, and all messages with it |
//! | `keep, …` | does it when `answer kept` comes; then the last one first |
//! | `watch` | streams the count: now, and whenever it changes |
//! | `watch, leave` | the same; adds `text` when the client goes |
//! | `watch until` | the same, until it is `text` |
//! | `watch nothing` | replies once, and does not stream |
//! | `watch a failure` | streams the count, then a failure |
//! | `flood` | streams as many messages of 64 KiB as `text` says |
//! | `delete` | deletes the entity, replies with the count |
//! | `decline` | fails the command in its reply, with `text` |
//! | `fail` | fails the command by a message of its own, with `text` |
//! | `end the stream`, `reset the stream`, `never answer`, `say nothing`, `say garbage`, `break` | breaks the protocol |

use cloudstate_protocol::crdt::{
    CrdtDelete, CrdtDelta, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamIn,
    CrdtStreamOut, CrdtStreamedMessage, CrdtWriteConsistency, PnCounterDelta, crdt_delta::Delta,
    crdt_state_action::Action, crdt_stream_in::Message as In, crdt_stream_out::Message as Out,
};
use cloudstate_protocol::{ClientAction, Command, Failure, client_action};
use prost::Message;

use super::action;
use super::wire::Call;
use crate::harness::{Do, done};

/// A stream, and what it waits for.
struct Watcher {
    command_id: i64,
    until: Option<i64>,
    leave: i64,
}

/// One activation.
struct Board {
    call: Call,
    name: String,
    count: i64,
    kept: Vec<(i64, Do)>,
    watchers: Vec<Watcher>,
}

pub(super) async fn serve(call: Call) -> Result<(), h2::Error> {
    let mut board = Board {
        call,
        name: String::new(),
        count: 0,
        kept: Vec::new(),
        watchers: Vec::new(),
    };
    while let Some(message) = board.call.requests.next::<CrdtStreamIn>().await {
        board.take(message.message.expect("a message")).await?;
    }
    let how = if board.call.requests.reset {
        "reset"
    } else {
        "half-closed"
    };
    board.note(how);
    board.call.output.end("0", "")
}

impl Board {
    fn note(&self, line: &str) {
        self.call.shared.note(format!("{}: {line}", self.name));
    }

    async fn take(&mut self, message: In) -> Result<(), h2::Error> {
        match message {
            In::Init(init) => {
                let service = init.service_name.trim_start_matches("whole.");
                self.name = format!("{service} {}", init.entity_id);
                let line = match init.delta {
                    Some(delta) => format!("init {}", self.apply(&delta)),
                    None => "init".to_owned(),
                };
                self.note(&line);
                Ok(())
            }
            In::Delta(delta) => {
                let change = self.apply(&delta);
                self.note(&format!("delta {change}"));
                self.tell_watchers()
            }
            In::Delete(_) => {
                self.note("delete");
                Ok(())
            }
            In::StreamCancelled(cancelled) => self.cancelled(cancelled.id),
            In::Command(command) => self.command(command).await,
        }
    }

    fn apply(&mut self, delta: &CrdtDelta) -> i64 {
        let Some(Delta::Pncounter(PnCounterDelta { change })) = delta.delta else {
            panic!("a PNCounter: {delta:?}")
        };
        self.count += change;
        change
    }

    async fn command(&mut self, command: Command) -> Result<(), h2::Error> {
        let payload = command.payload.expect("a payload");
        let mut request = Do::decode(payload.value).expect("a Do");
        let how = if command.streamed { "streamed " } else { "" };
        self.note(&format!(
            "{how}command {} {} {}",
            command.id, request.what, request.text
        ));
        if let Some(what) = request.what.strip_prefix("hold, ") {
            request.what = what.to_owned();
            self.call.shared.held().await;
        }
        if let Some(what) = request.what.strip_prefix("keep, ") {
            request.what = what.to_owned();
            self.kept.push((command.id, request));
            return Ok(());
        }
        self.answer(command.id, &request).await
    }

    async fn answer(&mut self, id: i64, request: &Do) -> Result<(), h2::Error> {
        let number = || request.text.parse().unwrap_or(1);
        match request.what.as_str() {
            "add" => self.change(id, request, number(), CrdtWriteConsistency::Local),
            "add at majority" => self.change(id, request, number(), CrdtWriteConsistency::Majority),
            "read" => self.reply(id, request, None, false),
            "answer kept" => {
                self.reply(id, request, None, false)?;
                while let Some((id, request)) = self.kept.pop() {
                    Box::pin(self.answer(id, &request)).await?;
                }
                Ok(())
            }
            "watch" => self.watch(id, request, None, 0),
            "watch, leave" => self.watch(id, request, None, number()),
            "watch until" => self.watch(id, request, Some(number()), 0),
            "watch nothing" => self.reply(id, request, None, false),
            "watch a failure" => {
                self.watch(id, request, None, 0)?;
                self.stream(id, Some(declined("enough of it")), false)
            }
            "flood" => {
                self.reply(id, request, None, true)?;
                let payload = "x".repeat(64 << 10);
                for _ in 0..number() {
                    self.stream(id, Some(action::replies(done(&payload))), false)?;
                }
                Ok(())
            }
            "delete" => {
                let delete = CrdtStateAction {
                    action: Some(Action::Delete(CrdtDelete {})),
                    write_consistency: 0,
                };
                self.reply(id, request, Some(delete), false)
            }
            "decline" => self.say(Out::Reply(CrdtReply {
                command_id: id,
                client_action: Some(ClientAction {
                    action: Some(declined(&request.text)),
                }),
                ..CrdtReply::default()
            })),
            "fail" => self.say(Out::Failure(Failure {
                command_id: id,
                description: request.text.clone(),
                restart: false,
            })),
            "break" => self.say(Out::Reply(CrdtReply {
                command_id: id + 100,
                ..CrdtReply::default()
            })),
            "say nothing" => self.call.output.message(&CrdtStreamOut { message: None }),
            "say garbage" => self.call.output.raw(&b"\0\0\0\0\x02\x0a\xff"[..]),
            "end the stream" => self.call.output.end("0", ""),
            "reset the stream" => self.call.output.reset(),
            "never answer" => Ok(()),
            other => panic!("a CRDT entity cannot {other:?}"),
        }
    }

    fn change(
        &mut self,
        id: i64,
        request: &Do,
        change: i64,
        consistency: CrdtWriteConsistency,
    ) -> Result<(), h2::Error> {
        self.count += change;
        self.reply(id, request, Some(update(change, consistency)), false)?;
        self.tell_watchers()
    }

    fn reply(
        &mut self,
        id: i64,
        request: &Do,
        state_action: Option<CrdtStateAction>,
        streamed: bool,
    ) -> Result<(), h2::Error> {
        let action = action::conclusion(request, &self.count.to_string());
        self.say(Out::Reply(CrdtReply {
            command_id: id,
            client_action: Some(ClientAction { action: Some(action) }),
            side_effects: action::effects(request),
            state_action,
            streamed,
        }))
    }

    fn watch(&mut self, id: i64, request: &Do, until: Option<i64>, leave: i64) -> Result<(), h2::Error> {
        self.watchers.push(Watcher {
            command_id: id,
            until,
            leave,
        });
        self.reply(id, request, None, true)
    }

    fn tell_watchers(&mut self) -> Result<(), h2::Error> {
        let told: Vec<_> = self
            .watchers
            .iter()
            .map(|watcher| (watcher.command_id, watcher.until == Some(self.count)))
            .collect();
        self.watchers.retain(|watcher| watcher.until != Some(self.count));
        for (id, end) in told {
            self.stream(id, Some(action::replies(done(&self.count.to_string()))), end)?;
        }
        Ok(())
    }

    fn stream(
        &mut self,
        command_id: i64,
        action: Option<client_action::Action>,
        end_stream: bool,
    ) -> Result<(), h2::Error> {
        self.say(Out::StreamedMessage(CrdtStreamedMessage {
            command_id,
            client_action: Some(ClientAction { action }),
            side_effects: Vec::new(),
            end_stream,
        }))
    }

    fn cancelled(&mut self, id: i64) -> Result<(), h2::Error> {
        self.note(&format!("cancelled {id}"));
        let at = self.watchers.iter().position(|watcher| watcher.command_id == id);
        let leave = at.map_or(0, |at| self.watchers.remove(at).leave);
        self.count += leave;
        self.say(Out::StreamCancelledResponse(CrdtStreamCancelledResponse {
            command_id: id,
            side_effects: Vec::new(),
            state_action: (leave != 0).then(|| update(leave, CrdtWriteConsistency::Local)),
        }))?;
        match leave {
            0 => Ok(()),
            _ => self.tell_watchers(),
        }
    }

    fn say(&mut self, message: Out) -> Result<(), h2::Error> {
        let message = Some(message);
        self.call.output.message(&CrdtStreamOut { message })
    }
}

fn update(change: i64, consistency: CrdtWriteConsistency) -> CrdtStateAction {
    let delta = Some(Delta::Pncounter(PnCounterDelta { change }));
    CrdtStateAction {
        action: Some(Action::Update(CrdtDelta { delta })),
        write_consistency: consistency as i32,
    }
}

fn declined(text: &str) -> client_action::Action {
    client_action::Action::Failure(Failure {
        description: text.to_owned(),
        ..Failure::default()
    })
}
