use std::pin::pin;

use cloudstate_protocol::action::ActionCommand;
use cloudstate_protocol::{Any, Metadata};
use futures_util::{Stream, StreamExt, stream};

use super::*;
use crate::doc_example::{Count, Number, Pair, sums};
use crate::{Call, Failure, Reply, UserFunction};

/// Adds up; negative numbers make it misbehave.
struct Sums;

impl sums::Action for Sums {
    async fn add(&self, pair: Pair, ctx: Context) -> Result<Reply<Count>, Failure> {
        let effect = sums::calls::forget(Number { value: 1 });
        match pair.left {
            -1 => Err(Failure::new("not today").with_effect(effect)),
            -2 => panic!("minus two"),
            -3 => Ok(Reply::forward(sums::calls::add(Pair {
                left: 1,
                right: pair.right,
            }))),
            left => {
                let metadata = ctx
                    .metadata()
                    .get("tag")
                    .map(|tag| ("tag", tag))
                    .into_iter()
                    .collect();
                Ok(Reply::new(Count {
                    value: left + pair.right,
                })
                .with_metadata(metadata)
                .with_effect(effect))
            }
        }
    }

    async fn total(&self, mut numbers: Commands<Number>, _: Context) -> Result<Reply<Count>, Failure> {
        let mut total = 0;
        while let Some(number) = numbers.next().await {
            total += number.value;
            if number.value == 0 {
                break;
            }
        }
        Ok(Count { value: total }.into())
    }

    fn upto(&self, number: Number, _: Context) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
        stream::iter(1..=number.value).map(|value| match value {
            13 => Err("unlucky".into()),
            66 => panic!("sixty-six"),
            _ => Ok(Count { value }.into()),
        })
    }

    fn running(
        &self,
        numbers: Commands<Number>,
        _: Context,
    ) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
        numbers.scan(0, |sum, number| {
            *sum += number.value;
            let reply = if number.value == 0 {
                Reply::nothing()
            } else {
                Count { value: *sum }.into()
            };
            std::future::ready(Some(Ok(reply)))
        })
    }

    async fn forget(&self, _: Number, _: Context) -> Result<Reply<()>, Failure> {
        Ok(Reply::empty())
    }
}

fn services() -> Arc<HashMap<&'static str, Registration>> {
    UserFunction::new("test", "1")
        .with(sums::action(Sums))
        .declare()
        .unwrap()
        .action
}

fn unary<O>(call: &Call<O>) -> ActionCommand {
    ActionCommand {
        payload: Some(call.payload().clone()),
        ..opening(call)
    }
}

fn opening<O>(call: &Call<O>) -> ActionCommand {
    ActionCommand {
        service_name: call.service().into(),
        name: call.command().into(),
        ..Default::default()
    }
}

fn add(left: i64) -> ActionCommand {
    unary(&sums::calls::add(Pair { left, right: 5 }))
}

fn number(value: i64) -> ActionCommand {
    ActionCommand {
        payload: Some(Any::pack(&Number { value })),
        ..Default::default()
    }
}

fn messages(commands: impl IntoIterator<Item = ActionCommand>) -> Messages {
    Box::pin(stream::iter(commands.into_iter().map(Ok).collect::<Vec<_>>()))
}

async fn responses(input: Messages) -> Vec<ActionResponse> {
    match start(&services(), input).await {
        Answer::One(response) => response.await.into_iter().collect(),
        Answer::Many(responses) => responses.collect().await,
    }
}

#[track_caller]
fn value(response: &ActionResponse) -> i64 {
    match &response.response {
        Some(Response::Reply(reply)) => reply.payload.as_ref().unwrap().unpack::<Count>().unwrap().value,
        other => panic!("expected a reply, but got {other:?}"),
    }
}

#[track_caller]
fn description(response: &ActionResponse) -> &str {
    match &response.response {
        Some(Response::Failure(failure)) => &failure.description,
        other => panic!("expected a failure, but got {other:?}"),
    }
}

#[tokio::test]
async fn a_unary_call_has_one_response_with_metadata_and_effects() {
    let metadata: Metadata = [("Tag", "blue")].into_iter().collect();
    let command = ActionCommand {
        metadata: Some(metadata),
        ..add(2)
    };
    let answer = responses(messages([command])).await;
    assert_eq!(answer.iter().map(value).collect::<Vec<_>>(), [7]);
    let Some(Response::Reply(reply)) = &answer[0].response else {
        unreachable!()
    };
    assert_eq!(reply.metadata, Some([("tag", "blue")].into_iter().collect()));
    assert_eq!(answer[0].side_effects.len(), 1);
}

#[tokio::test]
async fn a_failing_action_keeps_its_effects() {
    let answer = responses(messages([add(-1)])).await;
    assert_eq!(description(&answer[0]), "not today");
    assert_eq!(answer[0].side_effects.len(), 1);
}

#[tokio::test]
async fn a_forward_names_service_command_and_payload() {
    let answer = responses(messages([add(-3)])).await;
    let Some(Response::Forward(forward)) = &answer[0].response else {
        panic!("expected a forward")
    };
    assert_eq!(
        (forward.service_name.as_str(), forward.command_name.as_str()),
        (sums::NAME, "Add")
    );
    assert_eq!(forward.payload, Some(Any::pack(&Pair { left: 1, right: 5 })));
}

#[tokio::test]
async fn a_panic_becomes_a_failure_without_details() {
    let expected = |command| format!("Error handling command {command} of service {}", sums::NAME);
    assert_eq!(
        description(&responses(messages([add(-2)])).await[0]),
        expected("Add")
    );
    let upto = unary(&sums::calls::upto(Number { value: 66 }));
    let answer = responses(messages([upto])).await;
    assert_eq!(
        description(&answer[12]),
        "unlucky",
        "a failure ends the stream before that"
    );
}

#[tokio::test]
async fn streamed_input_comes_after_a_message_without_payload() {
    let total = opening(&sums::calls::total(Number::default()));
    let answer = responses(messages([total.clone(), number(1), number(2), number(3)])).await;
    assert_eq!(answer.iter().map(value).collect::<Vec<_>>(), [6]);
    assert_eq!(
        value(&responses(messages([total])).await[0]),
        0,
        "no payloads at all"
    );
}

#[tokio::test]
async fn a_handler_may_answer_before_the_input_ends() {
    let total = opening(&sums::calls::total(Number::default()));
    let endless = messages([total, number(4), number(0)]).chain(stream::pending());
    assert_eq!(value(&responses(Box::pin(endless)).await[0]), 4);
}

#[tokio::test]
async fn streamed_output_has_all_replies_in_order_and_ends_with_a_failure() {
    let upto = |value| messages([unary(&sums::calls::upto(Number { value }))]);
    assert_eq!(
        responses(upto(3)).await.iter().map(value).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(responses(upto(0)).await.is_empty());
    let answer = responses(upto(20)).await;
    assert_eq!(answer.len(), 13, "nothing after the failure");
    assert_eq!(description(&answer[12]), "unlucky");
}

#[tokio::test]
async fn input_and_output_interleave() {
    let running = opening(&sums::calls::running(Number::default()));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(Ok(running)).await.unwrap();
    let input = stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    let Answer::Many(mut answer) = start(&services(), Box::pin(input)).await else {
        panic!("expected a stream")
    };
    for (number_in, sum) in [(1, 1), (2, 3), (3, 6)] {
        sender.send(Ok(number(number_in))).await.unwrap();
        assert_eq!(value(&answer.next().await.unwrap()), sum);
    }
    sender.send(Ok(number(0))).await.unwrap();
    assert_eq!(
        answer.next().await.unwrap().response,
        None,
        "nothing is a response without reply"
    );
    drop(sender);
    assert!(answer.next().await.is_none());
    assert!(answer.next().await.is_none(), "the end stays the end");
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_call_without_a_response() {
    for call in [
        sums::calls::total(Number::default()),
        sums::calls::running(Number::default()),
    ] {
        let gone = stream::iter([Ok(opening(&call)), Ok(number(1)), Err(Cancelled)]);
        let answer = responses(Box::pin(gone)).await;
        let failures = answer
            .iter()
            .filter(|it| matches!(it.response, Some(Response::Failure(_))))
            .count();
        assert_eq!(failures, 0, "{}", call.command());
    }
    assert!(
        responses(Box::pin(stream::iter([Err(Cancelled)])))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn garbage_in_the_input_is_a_failure() {
    let garbage = || ActionCommand {
        payload: Some(Any {
            value: vec![0xff].into(),
            ..Any::default()
        }),
        ..add(0)
    };
    let text = "Protocol error: malformed command message: ";
    assert!(description(&responses(messages([garbage()])).await[0]).starts_with(text));
    let total = opening(&sums::calls::total(Number::default()));
    assert!(description(&responses(messages([total.clone(), garbage()])).await[0]).starts_with(text));
    let empty = ActionCommand::default();
    let answer = responses(messages([total, empty])).await;
    assert_eq!(description(&answer[0]), "Protocol error: No command payload");
    let answer = responses(messages([opening(&sums::calls::add(Pair::default()))])).await;
    assert_eq!(description(&answer[0]), "Protocol error: No command payload");
}

#[tokio::test]
async fn unknown_names_and_empty_streams_are_failures_with_the_texts_of_the_protocol() {
    let stranger = ActionCommand {
        service_name: "x.Y".into(),
        ..add(0)
    };
    assert_eq!(
        description(&responses(messages([stranger])).await[0]),
        "Unknown service: x.Y"
    );
    let unknown = ActionCommand {
        name: "Subtract".into(),
        ..add(0)
    };
    let text = format!("Unknown command: Subtract of service {}", sums::NAME);
    assert_eq!(description(&responses(messages([unknown])).await[0]), text);
    let text = "Cloudstate protocol failure: expected command message with service name and command name, but got \
                empty stream";
    assert_eq!(description(&responses(messages([])).await[0]), text);
}

#[tokio::test]
async fn nothing_runs_before_the_answer_is_polled() {
    let Answer::One(response) = start(&services(), messages([add(-2)])).await else {
        panic!("expected one")
    };
    drop(response);
    let Answer::One(response) = start(&services(), messages([add(1)])).await else {
        panic!("expected one")
    };
    assert_eq!(value(&pin!(response).await.unwrap()), 6);
}
