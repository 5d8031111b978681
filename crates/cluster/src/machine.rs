//! Membership and replication together: messages and times in, messages and events out.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_replica::Replicas;

use crate::membership::view::{View, ViewId};
use crate::membership::{Event, Membership, Message};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::replication::{Replication, ReplicationOptions};
use crate::wire::{self, message::Body};

/// A message on its way.
pub(crate) struct Outgoing {
    pub(crate) to: Arc<Node>,
    pub(crate) message: wire::Message,
    /// About membership: goes before all that waits.
    pub(crate) urgent: bool,
}

/// The two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Since any fixed moment; does not go back.
    pub(crate) at: Duration,
    /// Milliseconds since 1970; may jump.
    pub(crate) wall_ms: u64,
}

/// One node, but for its links and clocks.
pub(crate) struct Machine {
    pub(crate) membership: Membership,
    pub(crate) replication: Replication,
    metrics: Metrics,
    outgoing: Vec<Outgoing>,
    events: Vec<Event>,
}

impl Machine {
    pub(crate) fn new(
        membership: Membership,
        replicas: Arc<Replicas>,
        options: ReplicationOptions,
        metrics: Metrics,
        seed: u64,
    ) -> Self {
        let own = membership.own().id;
        Machine {
            replication: Replication::new(replicas, own, options, metrics.clone(), seed),
            membership,
            metrics,
            outgoing: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn receive(&mut self, from: &Arc<Node>, message: wire::Message, now: Now) {
        let view = message.view.and_then(|view| ViewId::try_from(view).ok());
        let Some(body) = message.body else { return };
        match Message::read(&body) {
            Ok(Some(message)) => self.membership.receive(from, view, message, now.at, now.wall_ms),
            Ok(None) => {
                self.membership.noticed(from, view, now.at);
                self.replication.receive(from, view, body, now.at);
            }
            Err(error) => tracing::warn!(node = %from.name, %error, "a message of a peer is malformed"),
        }
        self.pump(now);
    }

    pub(crate) fn tick(&mut self, now: Now) {
        self.membership.tick(now.at, now.wall_ms);
        self.replication.tick(now.at);
        self.pump(now);
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.membership.deadline().min(self.replication.deadline())
    }

    /// Moves on what the parts have to say. To be called after one of them was used directly.
    pub(crate) fn pump(&mut self, now: Now) {
        self.collect();
        let events = self.membership.take_events();
        if events.is_empty() {
            return;
        }
        for event in &events {
            if let Event::Ended { former, .. } = event {
                tracing::warn!(%former, "the others went on without this node; it joins again as a new one");
            }
        }
        let alive = self.membership.alive();
        let own = self.membership.own().id;
        let view = self.membership.view().cloned();
        self.metrics.members.set(count(
            view.as_ref().map_or(0, |view: &Arc<View>| view.members().len()),
        ));
        self.metrics.present.set(count(self.membership.present().len()));
        self.replication.set_view(own, view, &alive, now.at);
        self.events.extend(events);
        self.collect();
    }

    pub(crate) fn take_outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outgoing)
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn collect(&mut self) {
        self.metrics.current.set(i64::from(self.replication.is_current()));
        let view = self.replication.view();
        for (to, body) in self.replication.take_messages() {
            self.push(to, view, body, false);
        }
        let view = self.membership.view().map(|view| view.id);
        for (to, message) in self.membership.take_messages() {
            self.push(to, view, Body::from(&message), true);
        }
    }

    fn push(&mut self, to: Arc<Node>, view: Option<ViewId>, body: Body, urgent: bool) {
        let message = wire::Message {
            from: Some(self.membership.own().id.into()),
            view: view.map(wire::ViewId::from),
            body: Some(body),
        };
        self.outgoing.push(Outgoing { to, message, urgent });
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
