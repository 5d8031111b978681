//! A node: its loop, which owns all that changes, and what others see of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloudstate_crdt::NodeId;
use cloudstate_replica::Replicas;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::link::accept::{self, Arrival};
use crate::link::dial::{LinkEvent, LinkOptions, Links};
use crate::link::net::{Listener, Net};
use crate::link::security::Security;
use crate::machine::{Machine, Now};
use crate::membership::view::View;
use crate::membership::{Event, Membership, Options as MembershipOptions};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::publisher::{Command, Publisher};
use crate::replication::ReplicationOptions;
use crate::seeds::Seed;
use crate::wire;

/// Messages of other nodes that wait for the loop. When there are more, their links wait.
const ARRIVALS_MAX: usize = 1024;
/// How many messages or commands are taken before the clock is looked at again.
const BUDGET: usize = 256;
/// Addresses that were given are tried again this often.
const SEED_INTERVAL: Duration = Duration::from_secs(1);

/// How a node behaves.
#[derive(Clone)]
pub struct Options {
    /// Nodes of other names are not linked with.
    pub cluster: String,
    /// This node, as others see it.
    pub node: Node,
    /// Where to look for a cluster. None: begin one.
    pub join: Vec<Seed>,
    /// How long leaving may take.
    pub leave_timeout: Duration,
    /// See there.
    pub membership: MembershipOptions,
    /// See there.
    pub replication: ReplicationOptions,
    /// See there.
    pub link: LinkOptions,
    /// The wall clock, in milliseconds since 1970.
    pub wall_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// All randomness comes from it.
    pub seed: u64,
}

/// Why a node ended before it was told to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two processes have one name.
    #[error(
        "a newer process has taken the name [{0}] in the cluster; give every node its own with --node-name (key cluster.node_name)"
    )]
    Replaced(String),
}

/// What others see of a node.
#[derive(Debug, Clone)]
pub struct State {
    /// This node. Its generation may change.
    pub own: Arc<Node>,
    /// The view in force; none while it joins.
    pub view: Option<Arc<View>>,
    /// The members that answer, this one included.
    pub present: Vec<NodeId>,
    /// Whether this node has all that a majority has acknowledged.
    pub is_current: bool,
    /// Why it does not join, if somebody said so.
    pub refusal: Option<String>,
}

impl State {
    /// Whether the node is a member that serves: it is in a view, and has what a majority acknowledged before.
    pub fn is_ready(&self) -> bool {
        self.view.is_some() && self.is_current
    }
}

/// A node that does not run yet.
pub struct Cluster {
    options: Options,
    replicas: Arc<Replicas>,
    metrics: Metrics,
    commands: mpsc::Receiver<Command>,
    overflowed: Arc<AtomicBool>,
    state: watch::Sender<Arc<State>>,
}

impl Cluster {
    /// A node with empty replicas.
    pub fn new(options: Options, metrics: Metrics) -> Self {
        let (publisher, commands, overflowed) = Publisher::new(options.replication.max_waiting);
        let limits = options.replication.limits;
        let own = Arc::new(options.node.clone());
        let state = State {
            own: own.clone(),
            view: None,
            present: Vec::new(),
            is_current: false,
            refusal: None,
        };
        Cluster {
            replicas: Replicas::new(own.id, limits, Arc::new(publisher)),
            options,
            metrics,
            commands,
            overflowed,
            state: watch::Sender::new(Arc::new(state)),
        }
    }

    /// The replicas that this node keeps equal with those of the others.
    pub fn replicas(&self) -> Arc<Replicas> {
        self.replicas.clone()
    }

    /// The node's state, now and later.
    pub fn state(&self) -> watch::Receiver<Arc<State>> {
        self.state.subscribe()
    }

    /// Takes part in the cluster until `shutdown`, then leaves it. All tasks have ended when this returns.
    ///
    /// # Errors
    /// If the node cannot be a member any more.
    pub async fn run(
        self,
        net: Arc<dyn Net>,
        listener: Box<dyn Listener>,
        security: Security,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let (arrivals, arrived) = mpsc::channel(ARRIVALS_MAX);
        let (link_events, link_happened) = mpsc::channel(ARRIVALS_MAX);
        let (in_cluster, is_in_cluster) = watch::channel(false);
        let (found, seeds) = watch::channel(BTreeSet::new());
        let (hello, hellos) = watch::channel(wire::Hello::default());
        let end = CancellationToken::new();
        let options = self.options;
        let links = Links::new(
            net.clone(),
            security.clone(),
            options.link,
            hellos,
            link_events,
            self.metrics.clone(),
        );
        let membership = Membership::new(options.node.clone(), options.membership, options.seed);
        let machine = Machine::new(
            membership,
            self.replicas,
            options.replication,
            self.metrics.clone(),
            options.seed.rotate_left(17),
        );
        let node = Running {
            machine,
            links,
            hello,
            in_cluster,
            state: self.state,
            metrics: self.metrics,
            started: Instant::now(),
            reached: BTreeMap::new(),
            seeds,
            has_met: false,
            refusal: None,
            overflowed: self.overflowed,
            options: options.clone(),
        };
        let served = accept::serve(
            listener,
            security,
            options.link,
            arrivals,
            is_in_cluster,
            end.clone(),
        );
        let resolve = resolve(options.join.clone(), net, options.link.timeout, found);
        let run = async {
            let outcome = tokio::select! {
                outcome = node.run(self.commands, arrived, link_happened, shutdown) => outcome,
                () = resolve => unreachable!("it never ends"),
            };
            end.cancel();
            outcome
        };
        let (outcome, ()) = tokio::join!(Box::pin(run), Box::pin(served));
        outcome
    }
}

struct Running {
    machine: Machine,
    links: Links,
    hello: watch::Sender<wire::Hello>,
    in_cluster: watch::Sender<bool>,
    state: watch::Sender<Arc<State>>,
    metrics: Metrics,
    started: Instant,
    /// Who is at the other end of links that stand.
    reached: BTreeMap<String, (Arc<Node>, bool)>,
    /// Addresses where to look for a cluster.
    seeds: watch::Receiver<BTreeSet<String>>,
    has_met: bool,
    refusal: Option<String>,
    overflowed: Arc<AtomicBool>,
    options: Options,
}

impl Running {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut links: mpsc::Receiver<LinkEvent>,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        self.say_hello();
        if self.options.join.is_empty() {
            self.machine.membership.begin();
        }
        let mut next_seeds = Instant::now();
        let mut leave_by: Option<Instant> = None;
        loop {
            let now = self.now();
            self.machine.pump(now);
            match self.act() {
                Some(Err(error)) => {
                    self.links.close().await;
                    return Err(error);
                }
                Some(Ok(())) => break,
                None => {}
            }
            let due = self.started + self.machine.deadline();
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if leave_by.is_none() => {
                    leave_by = Some(Instant::now() + self.options.leave_timeout);
                    let now = self.now();
                    self.machine.membership.leave(now.at);
                }
                () = until(leave_by) => {
                    tracing::warn!("this node could not leave the cluster in time; the others will remove it");
                    break;
                }
                // Before messages, so that a flood of them does not make this node look dead.
                () = tokio::time::sleep_until(due) => {
                    let now = self.now();
                    self.machine.tick(now);
                }
                Some(event) = links.recv() => self.linked(event),
                Some(arrival) = arrivals.recv() => {
                    self.arrived(arrival);
                    for _ in 1..BUDGET {
                        let Ok(arrival) = arrivals.try_recv() else { break };
                        self.arrived(arrival);
                    }
                }
                Some(command) = commands.recv() => {
                    self.command(command);
                    for _ in 1..BUDGET {
                        let Ok(command) = commands.try_recv() else { break };
                        self.command(command);
                    }
                }
                () = tokio::time::sleep_until(next_seeds) => {
                    next_seeds = Instant::now() + SEED_INTERVAL;
                    self.look_around();
                }
            }
        }
        // What was said last has a moment to go out.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.links.close().await;
        Ok(())
    }

    fn now(&self) -> Now {
        Now {
            at: self.started.elapsed(),
            wall_ms: (self.options.wall_ms)(),
        }
    }

    /// Sends what is to be sent, and tells what has happened. Some if the node ends.
    fn act(&mut self) -> Option<Result<(), Error>> {
        let now = self.now();
        for outgoing in self.machine.take_outgoing() {
            if !self
                .links
                .send(&outgoing.to.endpoint, outgoing.message, outgoing.urgent)
            {
                self.machine.replication.dropped(outgoing.to.id, now.at);
            }
        }
        let mut end = None;
        for event in self.machine.take_events() {
            match event {
                Event::Left => end = Some(Ok(())),
                Event::Replaced => {
                    let name = self.machine.membership.own().name.clone();
                    end = Some(Err(Error::Replaced(name)));
                }
                Event::View(view) => {
                    let names: Vec<_> = view.members().iter().map(|node| &*node.name).collect();
                    tracing::info!(view = view.id.number, members = ?names, "the members of the cluster");
                    self.refusal = None;
                    self.say_hello();
                }
                Event::Ended { .. } | Event::Merges => self.say_hello(),
                Event::Alive => {}
            }
        }
        self.publish_state();
        end
    }

    fn publish_state(&mut self) {
        let membership = &self.machine.membership;
        let view = membership.view();
        let is_current = self.machine.replication.is_current();
        let last = self.state.borrow().clone();
        let same_view = last.view.as_ref().map(|view| view.id) == view.map(|view| view.id);
        let present = membership.present();
        let same = same_view
            && last.own.id == membership.own().id
            && last.is_current == is_current
            && last.present == present
            && last.refusal == self.refusal;
        if !same {
            let state = State {
                own: membership.own().clone(),
                view: view.cloned(),
                present,
                is_current,
                refusal: self.refusal.clone(),
            };
            self.state.send_replace(Arc::new(state));
        }
    }

    /// What links that are dialled from now on say first.
    fn say_hello(&mut self) {
        let membership = &self.machine.membership;
        let is_in = membership.view().is_some();
        self.in_cluster
            .send_if_modified(|known| std::mem::replace(known, is_in) != is_in);
        self.hello.send_replace(wire::Hello {
            cluster: self.options.cluster.clone(),
            protocol_min: *wire::PROTOCOL.start(),
            protocol_max: *wire::PROTOCOL.end(),
            node: Some((&**membership.own()).into()),
            to: None,
        });
    }

    fn arrived(&mut self, arrival: Arrival) {
        let now = self.now();
        match arrival {
            Arrival::Hello(hello, answer) => {
                let welcome = self.welcome(&hello);
                // The other side may have given up.
                let _ = answer.send(welcome);
            }
            Arrival::Message(from, message) => {
                self.metrics
                    .received_bytes
                    .inc_by(prost::Message::encoded_len(&message) as u64);
                self.machine.receive(&from, message, now);
            }
        }
    }

    /// Whether to let a node link, and what to say to it.
    fn welcome(&mut self, hello: &wire::Hello) -> Result<wire::Welcome, Status> {
        let own = self.machine.membership.own().clone();
        if hello.cluster != self.options.cluster {
            return Err(Status::failed_precondition(format!(
                "this is a node of the cluster [{}], not of [{}] (key cluster.name)",
                self.options.cluster, hello.cluster
            )));
        }
        let theirs = hello.protocol_min..=hello.protocol_max;
        let protocol = wire::negotiate(&wire::PROTOCOL, &theirs).map_err(Status::failed_precondition)?;
        let theirs = hello
            .node
            .as_ref()
            .map(|node| node.name.clone())
            .unwrap_or_default();
        Ok(wire::Welcome {
            protocol,
            node: Some((&*own).into()),
            in_cluster: self.machine.membership.view().is_some(),
            generation_seen: self.machine.membership.generation_seen(&theirs).unwrap_or(0),
        })
    }

    fn linked(&mut self, event: LinkEvent) {
        let now = self.now();
        match event {
            LinkEvent::Welcome {
                endpoint,
                welcome,
                is_new,
            } => {
                let Some(Ok(node)) = welcome.node.map(Node::try_from) else {
                    return;
                };
                let node = Arc::new(node);
                self.reached.insert(endpoint, (node.clone(), welcome.in_cluster));
                let membership = &mut self.machine.membership;
                let own = membership.own().id;
                // Before this node has met anybody, nobody can have seen its own generation but a former process of its name.
                let taken = welcome.generation_seen.saturating_add(u64::from(!self.has_met));
                if membership.view().is_none() && taken > own.generation && node.id.address != own.address {
                    tracing::info!(
                        seen = welcome.generation_seen,
                        "a process of this node's name has this generation, or a later one"
                    );
                    membership.restart(welcome.generation_seen.saturating_add(1), now.at);
                    self.say_hello();
                }
                self.has_met |= node.id.address != own.address;
                self.machine.membership.met(&node, welcome.in_cluster, now.at);
                if is_new {
                    self.machine.replication.linked(node.id, now.at);
                }
            }
            LinkEvent::Refused { endpoint, status } => {
                let refusal = format!("{endpoint} refuses this node: {}", status.message());
                if self.refusal.as_ref() != Some(&refusal) {
                    tracing::warn!("{refusal}");
                    self.refusal = Some(refusal);
                }
            }
            LinkEvent::Down => {}
        }
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        if self.overflowed.swap(false, Ordering::Relaxed) {
            self.machine.replication.overflowed(now.at);
        }
        match command {
            Command::Publish(change) => self.machine.replication.publish(change, now.at),
            Command::Read(id, done) => self.machine.replication.read(&id, done, now.at),
        }
    }

    /// Dials whom it should know: the members, and while it is in no cluster, the addresses that it was given.
    fn look_around(&mut self) {
        let seeds = self.seeds.borrow_and_update().clone();
        let membership = &self.machine.membership;
        let own = membership.own().clone();
        let members = membership
            .view()
            .map_or(Vec::new(), |view| view.members().to_vec());
        let known: BTreeSet<String> = members
            .iter()
            .chain(&membership.alive())
            .filter(|node| node.id != own.id)
            .map(|node| node.endpoint.clone())
            .collect();
        self.links
            .retain(|endpoint| known.contains(endpoint) || seeds.contains(endpoint));
        self.reached
            .retain(|endpoint, _| known.contains(endpoint) || seeds.contains(endpoint));
        known
            .iter()
            .chain(&seeds)
            .for_each(|endpoint| self.links.keep(endpoint));
        let now = self.now();
        for (node, in_cluster) in self.reached.values() {
            self.machine.membership.met(node, *in_cluster, now.at);
        }
    }
}

/// Looks up where to join, again and again: beside the loop, which must not wait for it. Never ends.
async fn resolve(
    join: Vec<Seed>,
    net: Arc<dyn Net>,
    timeout: Duration,
    found: watch::Sender<BTreeSet<String>>,
) {
    loop {
        let mut endpoints = BTreeSet::new();
        for seed in &join {
            match seed {
                Seed::Endpoint(endpoint) => drop(endpoints.insert(endpoint.clone())),
                Seed::Dns { name, port } => {
                    match tokio::time::timeout(timeout, net.resolve(name.clone(), *port)).await {
                        Ok(Ok(addresses)) => endpoints.extend(addresses.iter().map(ToString::to_string)),
                        Ok(Err(error)) => tracing::debug!(name, %error, "a name to join has no addresses"),
                        Err(_) => tracing::debug!(name, "a name to join was not resolved in time"),
                    }
                }
            }
        }
        found.send_replace(endpoints);
        tokio::time::sleep(SEED_INTERVAL).await;
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
