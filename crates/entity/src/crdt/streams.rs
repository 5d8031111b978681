//! Streamed commands: from their first reply to the end, whoever brings it.
//!
//! ```text
//!             streamed reply            end_stream, a failure that names it
//!   command ────────────────▶ streams ──────────────────────────────────────▶ over
//!      │                        │
//!      │ client gone            │ client gone, a failure for it, shutdown
//!      ▼                        ▼                          answered, given up
//!   cancelled ─streamed reply─▶ stream_cancelled is sent ─────────────────────▶ over
//! ```

use std::sync::Arc;

use cloudstate_protocol::crdt::{CrdtStreamCancelledResponse, CrdtStreamedMessage, crdt_stream_in};
use cloudstate_protocol::{StreamCancelled, client_action};
use cloudstate_replica::Acknowledged;

use super::replies::answer;
use super::{Action, Actions, Call, CrdtEntity, Phase, Stream, Waiting, end, send, shutting_down};
use crate::turn::{Answer, Caller};

/// Streams whose end the function did not answer in time, and may still answer. The oldest are forgotten.
const GIVEN_UP_MAX: usize = 1_000;

impl<U: Caller, S: Stream> CrdtEntity<U, S> {
    /// Delivers the first reply; `keep` is set if the function means to go on.
    pub(super) fn first_reply(
        &mut self,
        stream: S,
        cancelled: bool,
        keep: Option<(i64, Arc<str>)>,
        answer: Answer,
        after: Acknowledged,
        out: &mut Actions<U, S>,
    ) {
        let keep = keep.filter(|_| self.phase == Phase::Running);
        let failed = is_failure(&answer);
        if cancelled {
            settle(&stream, answer, after, out);
        } else {
            out.push(Action::Element {
                stream: stream.clone(),
                result: Ok(answer),
                after,
                last: keep.is_none(),
            });
        }
        let Some((id, name)) = keep else { return };
        if self.draining && !cancelled {
            end(stream.clone(), Err(shutting_down()), out);
        }
        if cancelled || failed || self.draining {
            self.cancel(id, stream, name, out);
        } else {
            self.streams.insert(id, (stream, name));
        }
    }

    /// Tells the function that a stream has ended.
    fn cancel(&mut self, id: i64, stream: S, name: Arc<str>, out: &mut Actions<U, S>) {
        if self.phase != Phase::Running {
            return;
        }
        let cancelled = StreamCancelled {
            entity_id: self.identity.entity_id.to_string(),
            id,
        };
        send(crdt_stream_in::Message::StreamCancelled(cancelled), out);
        self.await_answer(id, name, Waiting::Cancellation(stream), out);
    }

    /// A client has gone.
    pub(super) fn cancelled(&mut self, number: u64, out: &mut Actions<U, S>) {
        let is_meant =
            |call: &Call<U, S>| matches!(call, Call::Streamed(stream) if stream.number() == number);
        if self.queue.remove(is_meant).is_some() {
            return;
        }
        let mut streams = self.streams.iter();
        if let Some(id) = streams.find_map(|(id, (stream, _))| (stream.number() == number).then_some(*id)) {
            self.end_for_function(id, out);
            return self.rest(out);
        }
        for open in self.open.values_mut() {
            if let Waiting::FirstReply { stream, cancelled } = &mut open.what
                && stream.number() == number
            {
                *cancelled = true;
            }
        }
    }

    /// A stream that its client hears no more of.
    fn end_for_function(&mut self, id: i64, out: &mut Actions<U, S>) {
        if let Some((stream, name)) = self.streams.remove(&id) {
            self.cancel(id, stream, name, out);
        }
    }

    pub(super) fn streamed_message(&mut self, message: CrdtStreamedMessage, out: &mut Actions<U, S>) {
        let id = message.command_id;
        let answer = answer(message.client_action, message.side_effects, false);
        let says_something = answer.action.is_some() || !answer.side_effects.is_empty();
        if let Some((stream, _)) = self.streams.get(&id) {
            let last = message.end_stream || self.phase != Phase::Running;
            let failed = is_failure(&answer);
            if says_something || last {
                out.push(Action::Element {
                    stream: stream.clone(),
                    result: Ok(answer),
                    after: Acknowledged::Now,
                    last,
                });
            }
            if last {
                self.streams.remove(&id);
            } else if failed {
                self.end_for_function(id, out);
            }
            return self.rest(out);
        }
        match self.open.get(&id).map(|open| &open.what) {
            // It crossed the news that the client has gone.
            Some(Waiting::Cancellation(stream)) => settle(stream, answer, Acknowledged::Now, out),
            _ => out.push(Action::Report(format!(
                "Received streamed message for unknown command id: {id}"
            ))),
        }
    }

    pub(super) fn cancellation_answered(
        &mut self,
        response: CrdtStreamCancelledResponse,
        now_ms: i64,
        out: &mut Actions<U, S>,
    ) {
        let id = response.command_id;
        let stream = match self.open.get(&id).map(|open| &open.what) {
            Some(Waiting::Cancellation(stream)) => stream.clone(),
            _ if self.given_up.remove(&id) && response.state_action.is_none() => return,
            _ => {
                let text = format!("Received response to a stream cancellation for unknown command {id}");
                return self.crash(&text, out);
            }
        };
        let done = match self.carry_out(response.state_action, now_ms) {
            Ok(done) => done,
            Err(error) => return self.crash(&error.to_string(), out),
        };
        self.open.remove(&id);
        let answer = answer(None, response.side_effects, done.took_effect);
        settle(&stream, answer, done.after, out);
        match done.deleted {
            true => self.deleted_here(out),
            false => self.finished(out),
        }
    }

    /// Goes on without an answer to the end of a stream: some libraries give none when they have nothing to say.
    pub(super) fn give_up(&mut self, id: i64, out: &mut Actions<U, S>) {
        if self.given_up.len() >= GIVEN_UP_MAX {
            self.given_up.pop_first();
        }
        self.given_up.insert(id);
        let entity = &self.identity.entity_id;
        let text = format!(
            "Received no response to the stream cancellation for command {id} of entity id {entity} in time: every \
             stream_cancelled needs one, also an empty one"
        );
        out.push(Action::Report(text));
        self.finished(out);
    }

    /// Ends all streams for a shutdown, and lets the function say its last words about them.
    pub(super) fn end_streams(&mut self, out: &mut Actions<U, S>) {
        for (id, (stream, name)) in std::mem::take(&mut self.streams) {
            end(stream.clone(), Err(shutting_down()), out);
            self.cancel(id, stream, name, out);
        }
    }
}

fn is_failure(answer: &Answer) -> bool {
    matches!(answer.action, Some(client_action::Action::Failure(_)))
}

/// What is left of an answer that nobody waits for.
fn settle<U, S: Stream>(stream: &S, answer: Answer, after: Acknowledged, out: &mut Actions<U, S>) {
    if answer.side_effects.is_empty() && matches!(after, Acknowledged::Now) {
        return;
    }
    out.push(Action::Settle {
        stream: stream.clone(),
        side_effects: answer.side_effects,
        after,
    });
}
