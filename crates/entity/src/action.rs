//! Stateless calls: what each answer of the function means for the client.

use std::sync::Arc;

use cloudstate_protocol::action::{ActionCommand, ActionResponse, action_response::Response};
use cloudstate_protocol::{Any, Metadata, client_action};

use crate::turn::Answer;

/// The command of a unary or server-streaming call.
pub fn unary_command(service: &Arc<str>, name: &Arc<str>, payload: Any, metadata: Metadata) -> ActionCommand {
    ActionCommand {
        service_name: service.to_string(),
        name: name.to_string(),
        payload: Some(payload),
        metadata: Some(metadata),
    }
}

/// The first command of a client-streaming call: names and metadata, no payload.
pub fn stream_head(service: &Arc<str>, name: &Arc<str>, metadata: Metadata) -> ActionCommand {
    ActionCommand {
        service_name: service.to_string(),
        name: name.to_string(),
        payload: None,
        metadata: Some(metadata),
    }
}

/// A further command of a client-streaming call: the payload, no names.
pub fn stream_item(payload: Any) -> ActionCommand {
    ActionCommand {
        service_name: String::new(),
        name: String::new(),
        payload: Some(payload),
        metadata: None,
    }
}

/// What to do with an answer: effects first, whatever the action; a failure ends the call.
pub fn answer(response: ActionResponse) -> Answer {
    let action = response.response.map(|response| match response {
        Response::Failure(failure) => client_action::Action::Failure(failure),
        Response::Reply(reply) => client_action::Action::Reply(reply),
        Response::Forward(forward) => client_action::Action::Forward(forward),
    });
    Answer {
        action,
        side_effects: response.side_effects,
        took_effect: false,
    }
}

#[cfg(test)]
mod tests {
    use cloudstate_protocol::{Failure, Forward, Reply, SideEffect};

    use super::*;

    #[test]
    fn every_response_keeps_its_effects() {
        let effect = SideEffect {
            service_name: "s".into(),
            synchronous: true,
            ..SideEffect::default()
        };
        let cases = [
            (None, None),
            (
                Some(Response::Reply(Reply::default())),
                Some(client_action::Action::Reply(Reply::default())),
            ),
            (
                Some(Response::Forward(Forward::default())),
                Some(client_action::Action::Forward(Forward::default())),
            ),
            (
                Some(Response::Failure(Failure::default())),
                Some(client_action::Action::Failure(Failure::default())),
            ),
        ];
        for (response, action) in cases {
            let response = ActionResponse {
                response,
                side_effects: vec![effect.clone()],
            };
            assert_eq!(
                answer(response),
                Answer {
                    action,
                    side_effects: vec![effect.clone()],
                    took_effect: false,
                }
            );
        }
    }

    #[test]
    fn streamed_calls_start_with_names_and_go_on_with_payloads() {
        let (service, name) = (Arc::from("pkg.S"), Arc::from("Do"));
        let metadata: Metadata = [("k", "v")].into_iter().collect();
        let head = stream_head(&service, &name, metadata.clone());
        assert_eq!((head.service_name.as_str(), head.name.as_str()), ("pkg.S", "Do"));
        assert_eq!((head.payload, head.metadata), (None, Some(metadata)));
        let item = stream_item(Any::message("pkg.In", vec![1]));
        assert_eq!(
            (item.service_name.as_str(), item.name.as_str(), item.metadata),
            ("", "", None)
        );
        assert_eq!(item.payload, Some(Any::message("pkg.In", vec![1])));
    }
}
