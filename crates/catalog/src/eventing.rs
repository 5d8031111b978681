//! Checks eventing options. Well-formed ones are accepted with a warning: subscriptions do not run in this version.

use std::collections::HashMap;

use cloudstate_protocol::event_destination::Destination;
use cloudstate_protocol::event_source::Source;
use cloudstate_protocol::{EventDestination, EventSource};
use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use crate::{DiscoveryError, Warning, options};

/// Checks all methods of a service.
pub(crate) fn check(service: &ServiceDescriptor, warnings: &mut Vec<Warning>) -> Result<(), DiscoveryError> {
    // (consumer group, source, input type) to the method that has it.
    let mut subscribed: HashMap<(String, Source, String), String> = HashMap::new();
    for method in service.methods() {
        let Some(eventing) = options::of_method(&method)?.eventing else {
            continue;
        };
        let source = eventing
            .r#in
            .as_ref()
            .map(|source| source_of(&method, source))
            .transpose()?;
        let topic = eventing
            .out
            .as_ref()
            .map(|out| topic_of(&method, out))
            .transpose()?;
        if let (Some(Source::Topic(input)), Some(output)) = (&source, &topic)
            && input == output
        {
            return Err(refuse(
                &method,
                format!(
                    "Endpoint [{}] has the same input topic as output topic [{output}], this is not allowed. Publish to another topic.",
                    method.full_name()
                ),
            ));
        }
        if let (Some(source), Some(subscription)) = (&source, &eventing.r#in) {
            let group = match subscription.consumer_group.as_str() {
                "" => service.full_name().to_owned(),
                group => group.to_owned(),
            };
            let input = method.input().full_name().to_owned();
            if let Some(other) =
                subscribed.insert((group, source.clone(), input), method.full_name().to_owned())
            {
                return Err(refuse(
                    &method,
                    format!(
                        "Endpoints [{other}] and [{}] both subscribe to the same event source with the same input type. \
                     Give one of them another input type or another consumer group.",
                        method.full_name()
                    ),
                ));
            }
        }
        if source.is_some() || topic.is_some() {
            warnings.push(Warning::InactiveEventing {
                service: service.full_name().to_owned(),
                method: method.name().to_owned(),
                source: source.map(|(Source::Topic(name) | Source::EventLog(name))| name),
                destination: topic,
            });
        }
    }
    Ok(())
}

fn source_of(method: &MethodDescriptor, source: &EventSource) -> Result<Source, DiscoveryError> {
    match &source.source {
        Some(source @ (Source::Topic(name) | Source::EventLog(name))) if !name.is_empty() => {
            Ok(source.clone())
        }
        _ => Err(refuse(
            method,
            format!(
                "Service call [{}] has declared an event in with no source. Name a topic or an event_log.",
                method.full_name()
            ),
        )),
    }
}

fn topic_of(method: &MethodDescriptor, destination: &EventDestination) -> Result<String, DiscoveryError> {
    match &destination.destination {
        Some(Destination::Topic(topic)) if !topic.is_empty() => Ok(topic.clone()),
        _ => Err(refuse(
            method,
            format!(
                "Service call [{}] has declared an event out with no topic. Name the topic that it publishes to.",
                method.full_name()
            ),
        )),
    }
}

fn refuse(method: &MethodDescriptor, reason: String) -> DiscoveryError {
    DiscoveryError::Eventing {
        reason,
        service: method.parent_service().full_name().to_owned(),
        file: method.parent_file().name().to_owned(),
    }
}
