//! Checks eventing options. Well-formed ones are accepted with a warning: subscriptions do not run in this version.

use std::collections::HashMap;

use cloudstate_protocol::event_destination::Destination;
use cloudstate_protocol::event_source::Source;
use cloudstate_protocol::{EventDestination, EventSource, Eventing};
use prost_reflect::MethodDescriptor;

use crate::{DiscoveryError, Warning};

/// The subscriptions seen so far. Two methods of a service with one of them in common could not both be served.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// To the method that has it.
    methods: HashMap<Subscription, String>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Subscription {
    service: String,
    consumer_group: String,
    source: Source,
    input: String,
}

impl Subscriptions {
    /// Checks the option of a method.
    pub(crate) fn check(
        &mut self,
        method: &MethodDescriptor,
        eventing: &Eventing,
    ) -> Result<Option<Warning>, DiscoveryError> {
        let source = eventing
            .r#in
            .as_ref()
            .map(|source| source_of(method, source))
            .transpose()?;
        let topic = eventing
            .out
            .as_ref()
            .map(|out| topic_of(method, out))
            .transpose()?;
        if let (Some(Source::Topic(input)), Some(output)) = (&source, &topic)
            && input == output
        {
            return Err(refuse(
                method,
                format!(
                    "Endpoint [{}] has the same input topic as output topic [{output}], this is not allowed. Publish to \
                     another topic.",
                    method.full_name()
                ),
            ));
        }
        if let (Some(source), Some(subscription)) = (&source, &eventing.r#in) {
            self.add(method, source, &subscription.consumer_group)?;
        }
        if source.is_none() && topic.is_none() {
            return Ok(None);
        }
        Ok(Some(Warning::InactiveEventing {
            service: method.parent_service().full_name().to_owned(),
            method: method.name().to_owned(),
            source: source.map(|(Source::Topic(name) | Source::EventLog(name))| name),
            destination: topic,
        }))
    }

    fn add(&mut self, method: &MethodDescriptor, source: &Source, group: &str) -> Result<(), DiscoveryError> {
        let service = method.parent_service().full_name().to_owned();
        let subscription = Subscription {
            consumer_group: if group.is_empty() {
                service.clone()
            } else {
                group.to_owned()
            },
            service,
            source: source.clone(),
            input: method.input().full_name().to_owned(),
        };
        let Some(other) = self.methods.insert(subscription, method.full_name().to_owned()) else {
            return Ok(());
        };
        Err(refuse(
            method,
            format!(
                "Endpoints [{other}] and [{}] both subscribe to the same event source with the same input type. Give one \
                 of them another input type or another consumer group.",
                method.full_name()
            ),
        ))
    }
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

#[cfg(test)]
mod tests;
