//! Actions, in the four shapes; and what all kinds do alike: replies, forwards, side effects.

use cloudstate_protocol::action::{ActionCommand, ActionResponse, action_response::Response};
use cloudstate_protocol::{Any, Failure, Forward, Metadata, Reply, SideEffect, client_action, names};
use prost::Message;

use super::wire::Call;
use crate::harness::{Do, Elsewhere, done};

pub(super) fn replies(payload: Any) -> client_action::Action {
    client_action::Action::Reply(Reply {
        payload: Some(payload),
        metadata: None,
    })
}

/// The forward of the request, if it has one, else a reply with this text.
pub(super) fn conclusion(request: &Do, text: &str) -> client_action::Action {
    let forward = match request.what.as_str() {
        "circle" => Some(circle(request)),
        _ => request.forward.as_deref().cloned(),
    };
    match forward {
        None => replies(done(text)),
        Some(target) => client_action::Action::Forward(Forward {
            payload: Some(payload(&target)),
            service_name: target.service,
            command_name: target.command,
            metadata: None,
        }),
    }
}

/// The same command again, for the same entity.
fn circle(request: &Do) -> Elsewhere {
    let (service, command) = request.text.split_once('/').expect("service/command");
    Elsewhere {
        service: service.to_owned(),
        command: command.to_owned(),
        request: Some(Box::new(request.clone())),
        synchronous: true,
    }
}

pub(super) fn effects(request: &Do) -> Vec<SideEffect> {
    let effect = |target: &Elsewhere| SideEffect {
        service_name: target.service.clone(),
        command_name: target.command.clone(),
        payload: Some(payload(target)),
        synchronous: target.synchronous,
        metadata: None,
    };
    if request.what == "circle of effects" {
        return vec![effect(&circle(request))];
    }
    request.effects.iter().map(effect).collect()
}

fn payload(target: &Elsewhere) -> Any {
    let request = target.request.as_deref().cloned().unwrap_or_default();
    Any::message("whole.Do", request.encode_to_vec())
}

fn response(request: &Do, text: &str) -> ActionResponse {
    let response = match conclusion(request, text) {
        client_action::Action::Reply(reply) => Response::Reply(reply),
        client_action::Action::Forward(forward) => Response::Forward(forward),
        client_action::Action::Failure(failure) => Response::Failure(failure),
    };
    ActionResponse {
        response: Some(response),
        side_effects: effects(request),
    }
}

fn request(command: ActionCommand) -> Do {
    let payload = command.payload.expect("a payload");
    assert_eq!(payload.type_url, "type.googleapis.com/whole.Do");
    Do::decode(payload.value).expect("a Do")
}

pub(super) async fn serve(path: &str, mut call: Call) -> Result<(), h2::Error> {
    let first: ActionCommand = call.requests.next().await.expect("a first command");
    let name = first.name.clone();
    call.shared.note_caller(first.metadata.as_ref());
    call.shared.note(format!("call {}/{name}", first.service_name));
    call.shared.note_trace("call", first.metadata.as_ref());
    let result = match path {
        names::ACTION_UNARY_PATH => unary(&mut call, &request(first)).await,
        names::ACTION_STREAMED_OUT_PATH => {
            let metadata = first.metadata.clone().unwrap_or_default();
            streamed_out(&mut call, &request(first), &metadata).await
        }
        names::ACTION_STREAMED_IN_PATH => streamed_in(&mut call, first).await,
        names::ACTION_STREAMED_PATH => streamed(&mut call, first).await,
        other => panic!("{other} is not served"),
    };
    if result.is_err() {
        call.shared.note(format!("call {name} cut off"));
    }
    result
}

async fn unary(call: &mut Call, request: &Do) -> Result<(), h2::Error> {
    call.shared
        .note(format!("job: {} {}", request.what, request.text));
    let mut what = request.what.as_str();
    if let Some(then) = what.strip_prefix("hold, ") {
        what = then;
        call.shared.held().await;
    }
    match what {
        "add" | "read" | "circle" | "circle of effects" => answer(call, request),
        "decline" => {
            call.output.message(&declined(request))?;
            call.output.end("0", "")
        }
        "reply without payload" => {
            let response = ActionResponse {
                response: None,
                side_effects: effects(request),
            };
            call.output.message(&response)?;
            call.output.end("0", "")
        }
        "reply with another type" => {
            let payload = Any::message("whole.Other", done(&request.text).value);
            let reply = Reply {
                payload: Some(payload),
                metadata: None,
            };
            call.output.message(&ActionResponse {
                response: Some(Response::Reply(reply)),
                side_effects: Vec::new(),
            })?;
            call.output.end("0", "")
        }
        "end with a status" => call.output.end("5", &request.text),
        "end the stream" => call.output.end("0", ""),
        "reset the stream" => call.output.reset(),
        "say garbage" => {
            call.output.raw(&b"\0\0\0\0\x02\x0a\xff"[..])?;
            call.output.cut_off().await
        }
        "say too much" => {
            call.output.raw(&b"\0\x7f\0\0\0"[..])?;
            call.output.cut_off().await
        }
        "never answer" => {
            call.output.cut_off().await?;
            call.shared.note("call Act cut off".to_owned());
            Ok(())
        }
        other => panic!("an action cannot {other:?}"),
    }
}

fn answer(call: &mut Call, request: &Do) -> Result<(), h2::Error> {
    call.output.message(&response(request, &request.text))?;
    call.output.end("0", "")
}

fn declined(request: &Do) -> ActionResponse {
    ActionResponse {
        response: Some(Response::Failure(Failure {
            description: request.text.clone(),
            ..Failure::default()
        })),
        side_effects: effects(request),
    }
}

/// | `what` | |
/// |---|---|
/// | `count` | as many replies as `text` says |
/// | `events` | the same, each with its number as `sse-id`, after the one that `last-event-id` names |
/// | `flood` | the same with 64 KiB each; notes when all have gone |
/// | `endless` | replies until the proxy cuts the stream off |
/// | `silence` | one reply, then none until the proxy cuts the stream off |
/// | `break` | one reply, then a status with `text` |
async fn streamed_out(call: &mut Call, request: &Do, metadata: &Metadata) -> Result<(), h2::Error> {
    let count = || request.text.parse().expect("a number");
    let last = metadata
        .get("last-event-id")
        .map_or(0, |id| id.parse().expect("our id"));
    let (first, limit) = match request.what.as_str() {
        "events" => (last + 1, 1 + count()),
        "count" | "flood" => (0, count()),
        "endless" => (0, usize::MAX),
        "silence" | "break" => (0, 1),
        other => panic!("an action cannot stream {other:?}"),
    };
    for number in first..limit {
        call.output.room().await?;
        call.output.message(&numbered(request, number))?;
    }
    match request.what.as_str() {
        "silence" => return call.output.cut_off().await.and(Err(h2::Reason::CANCEL.into())),
        "break" => return call.output.end("5", &request.text),
        "flood" => call.shared.note("flooded".to_owned()),
        _ => {}
    }
    call.output.end("0", "")
}

fn numbered(request: &Do, number: usize) -> ActionResponse {
    let text = match request.what.as_str() {
        "flood" => "x".repeat(1 << 16),
        _ => number.to_string(),
    };
    let mut response = response(request, &text);
    if let (Some(Response::Reply(reply)), "events") = (&mut response.response, request.what.as_str()) {
        reply.metadata = Some([("sse-id", number.to_string())].into_iter().collect());
    }
    response
}

/// Replies with all texts once the caller has sent its last.
async fn streamed_in(call: &mut Call, first: ActionCommand) -> Result<(), h2::Error> {
    assert!(first.payload.is_none(), "the first command has no payload");
    let mut texts = Vec::new();
    while let Some(command) = call.requests.next::<ActionCommand>().await {
        let request = request(command);
        call.shared.note(format!("item {}", request.text));
        texts.push(request.text);
    }
    if call.requests.reset {
        call.shared.note("call In cut off".to_owned());
        return Ok(());
    }
    let times = if texts.iter().any(|text| text == "twice") {
        2
    } else {
        1
    };
    for _ in 0..times {
        call.output.message(&response(&Do::default(), &texts.join(",")))?;
    }
    call.output.end("0", "")
}

/// Answers each command at once.
async fn streamed(call: &mut Call, first: ActionCommand) -> Result<(), h2::Error> {
    assert!(first.payload.is_none(), "the first command has no payload");
    while let Some(command) = call.requests.next::<ActionCommand>().await {
        let request = request(command);
        match request.what.as_str() {
            "decline" => call.output.message(&declined(&request))?,
            "end the stream" => return call.output.end("0", ""),
            "end with a status" => return call.output.end("5", &request.text),
            _ => call.output.message(&response(&request, &request.text))?,
        }
    }
    if call.requests.ended().await {
        call.shared.note("call Both cut off".to_owned());
        return Ok(());
    }
    call.output.end("0", "")
}
