//! A simulated cluster, and what happens to it.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudstate_cluster::{
    Cluster, Detection, LinkOptions, MembershipOptions, Metrics, Node, Options, ReplicationOptions, Security,
    Seed, State,
};
use cloudstate_crdt::{Any, Change, NodeId, Plain};
use cloudstate_replica::{
    Acknowledged, Consistency, Found, Id, Replicas, ShortOfConsistency, Updated, Watcher,
};
use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::network::{Simulated, SimulatedListener};

const PORT: u16 = 2552;
/// Milliseconds since 1970 when a simulation begins.
const EPOCH: u64 = 1_700_000_000_000;
pub const SECOND: Duration = Duration::from_secs(1);

/// What runs on a host at the moment.
#[derive(Default)]
struct Slot {
    live: Mutex<Option<Live>>,
    /// How far the wall clock is off, in ms.
    clock: AtomicI64,
    starts: AtomicU64,
}

#[derive(Clone)]
struct Live {
    replicas: Arc<Replicas>,
    state: watch::Receiver<Arc<State>>,
    shutdown: CancellationToken,
}

/// A change that waits for an acknowledgement.
type Waiting = Pin<Box<dyn Future<Output = Result<(), ShortOfConsistency>> + Send>>;

pub struct World {
    sim: turmoil::Sim<'static>,
    slots: Vec<Arc<Slot>>,
    pub up: Vec<bool>,
    pub rng: StdRng,
    waiting: Vec<(u64, Waiting)>,
    /// Tags of changes that were acknowledged, and of those that fell short.
    pub acknowledged: Vec<u64>,
    pub short: Vec<u64>,
}

struct Nobody;

impl Watcher for Nobody {
    fn changed(&self) {}
}

impl World {
    /// A cluster of some nodes that start at once.
    pub fn new(seed: u64, count: usize) -> Self {
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .simulation_duration(SECOND * 3600)
            .tick_duration(Duration::from_millis(10))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(10))
            .tcp_capacity(4096)
            .build();
        let slots: Vec<_> = (0..count).map(|_| Arc::<Slot>::default()).collect();
        for (at, slot) in slots.iter().enumerate() {
            let slot = slot.clone();
            sim.host(name(at), move || host(at, count, seed, slot.clone()));
        }
        World {
            sim,
            slots,
            up: vec![true; count],
            rng: StdRng::seed_from_u64(seed),
            waiting: Vec::new(),
            acknowledged: Vec::new(),
            short: Vec::new(),
        }
    }

    pub fn count(&self) -> usize {
        self.slots.len()
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.sim.step().expect("a host failed");
            self.poll();
        }
    }

    /// Runs until something is so, or fails.
    #[track_caller]
    pub fn run_until(&mut self, what: &str, within: Duration, is_so: impl Fn(&World) -> bool) {
        let end = self.sim.elapsed() + within;
        while !is_so(self) {
            assert!(
                self.sim.elapsed() < end,
                "{what}: not within {within:?}\n{}",
                self.describe()
            );
            self.run(Duration::from_millis(100));
        }
    }

    /// All nodes that should run are ready, and agree on the members.
    #[track_caller]
    pub fn settle(&mut self) {
        self.run_until("all nodes agree on their members", SECOND * 60, |world| {
            let views: Vec<_> = world.running().map(|at| world.view_of(at)).collect();
            let up = world.running().count();
            views.iter().all(|view| {
                *view == views[0] && view.as_ref().is_some_and(|(_, members)| members.len() == up)
            }) && world.running().all(|at| world.is_ready(at))
        });
    }

    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count()).filter(|at| self.up[*at])
    }

    pub fn any_running(&mut self) -> usize {
        let running: Vec<_> = self.running().collect();
        running[self.rng.random_range(0..running.len())]
    }

    pub fn kill(&mut self, at: usize) {
        self.up[at] = false;
        *self.slots[at].live.lock().unwrap() = None;
        self.sim.crash(name(at));
    }

    pub fn start(&mut self, at: usize) {
        self.up[at] = true;
        self.sim.bounce(name(at));
    }

    /// Lets a node leave, until it has.
    #[track_caller]
    pub fn leave(&mut self, at: usize) {
        self.live(at).expect("it runs").shutdown.cancel();
        self.run_until("it leaves", SECOND * 20, |world| world.live(at).is_none());
        self.kill(at);
    }

    pub fn partition(&mut self, side: &[usize]) {
        for a in 0..self.count() {
            for b in (0..self.count()).filter(|b| side.contains(&a) && !side.contains(b)) {
                self.sim.partition(name(a), name(b));
            }
        }
    }

    pub fn heal(&mut self) {
        for a in 0..self.count() {
            for b in a + 1..self.count() {
                self.sim.repair(name(a), name(b));
                self.sim.set_link_fail_rate(name(a), name(b), 0.0);
            }
        }
    }

    /// Loses some of what is sent between all nodes: connections break, since nothing is sent again.
    pub fn lose(&mut self, rate: f64) {
        for a in 0..self.count() {
            for b in a + 1..self.count() {
                self.sim.set_link_fail_rate(name(a), name(b), rate);
            }
        }
    }

    pub fn delay(&mut self, longest: Duration) {
        self.sim.set_max_message_latency(longest);
    }

    pub fn set_clock(&mut self, at: usize, offset_ms: i64) {
        self.slots[at].clock.store(offset_ms, Ordering::Relaxed);
    }

    /// Makes a change on a node. Whether it was made; it is acknowledged later under its tag.
    pub fn change(
        &mut self,
        at: usize,
        entity: &str,
        change: &Change,
        consistency: Consistency,
        tag: u64,
    ) -> bool {
        let Some(live) = self.live(at) else { return false };
        let replica = live.replicas.open(Id::new("test", entity), Arc::new(Nobody));
        match replica.update(change, consistency, 0).expect("the change fits") {
            Updated::Deleted => return false,
            Updated::Made(Acknowledged::Now) => self.acknowledged.push(tag),
            Updated::Made(Acknowledged::Later(later)) => self.waiting.push((tag, later)),
        }
        true
    }

    pub fn delete(&mut self, at: usize, entity: &str) {
        if let Some(live) = self.live(at) {
            let replica = live.replicas.open(Id::new("test", entity), Arc::new(Nobody));
            drop(replica.delete(Consistency::Local));
        }
    }

    /// The value of an entity on a node; `None` if it is deleted there.
    pub fn value(&self, at: usize, entity: &str) -> Option<Plain> {
        let live = self.live(at)?;
        let replica = live.replicas.open(Id::new("test", entity), Arc::new(Nobody));
        let state = match replica.difference(None).expect("within the range") {
            Found::Deleted => return None,
            Found::Difference(difference) => difference,
        };
        match state {
            cloudstate_crdt::Difference::Change(change) => {
                Some(Plain::from_change(&change, cloudstate_crdt::Side::Proxy).expect("a whole value"))
            }
            _ => Some(Plain::GSet(Default::default())),
        }
    }

    /// Digests of all that a node has.
    pub fn digests(&self, at: usize) -> Vec<cloudstate_replica::ShardDigest> {
        let live = self.live(at).expect("it runs");
        (0..=u8::MAX)
            .map(|shard| live.replicas.shard_digest(shard))
            .collect()
    }

    #[track_caller]
    pub fn assert_converges(&mut self) {
        self.run_until("all nodes have the same", SECOND * 60, |world| {
            let all: Vec<_> = world.running().map(|at| world.digests(at)).collect();
            all.iter().all(|digests| *digests == all[0])
        });
    }

    pub fn replicas(&self, at: usize) -> Arc<Replicas> {
        self.live(at).expect("it runs").replicas
    }

    pub fn state(&self, at: usize) -> Option<Arc<State>> {
        Some(self.live(at)?.state.borrow().clone())
    }

    pub fn own(&self, at: usize) -> NodeId {
        self.state(at).expect("it runs").own.id
    }

    pub fn is_ready(&self, at: usize) -> bool {
        self.state(at).is_some_and(|state| state.is_ready())
    }

    /// Number and members of the view of a node.
    pub fn view_of(&self, at: usize) -> Option<(u64, Vec<NodeId>)> {
        let view = self.state(at)?.view.clone()?;
        Some((view.id.number, view.ids().collect()))
    }

    pub fn describe(&self) -> String {
        let node = |at: usize| match self.state(at) {
            None => format!("{}: down\n", name(at)),
            Some(state) => {
                let members: Vec<_> = state
                    .view
                    .iter()
                    .flat_map(|view| view.members())
                    .map(|node| format!("{}/{}", node.name, node.id.generation % 1_000_000))
                    .collect();
                let view = state
                    .view
                    .as_ref()
                    .map(|view| (view.id.formation.generation % 1_000_000, view.id.number));
                format!(
                    "{}/{}: view {view:?} of {members:?}, {} present, current {}, refused {:?}\n",
                    name(at),
                    state.own.id.generation % 1_000_000,
                    state.present.len(),
                    state.is_current,
                    state.refusal
                )
            }
        };
        (0..self.count()).map(node).collect()
    }

    fn live(&self, at: usize) -> Option<Live> {
        self.slots[at].live.lock().unwrap().clone()
    }

    fn poll(&mut self) {
        let (acknowledged, short) = (&mut self.acknowledged, &mut self.short);
        self.waiting
            .retain_mut(|(tag, waiting)| match waiting.as_mut().now_or_never() {
                None => true,
                Some(Ok(())) => {
                    acknowledged.push(*tag);
                    false
                }
                Some(Err(ShortOfConsistency)) => {
                    short.push(*tag);
                    false
                }
            });
    }
}

/// An element of a set.
pub fn element(number: u64) -> Any {
    Any::new("test", number.to_be_bytes().to_vec())
}

pub fn name(at: usize) -> String {
    format!("n{at}")
}

async fn host(at: usize, count: usize, seed: u64, slot: Arc<Slot>) -> turmoil::Result {
    let start = slot.starts.fetch_add(1, Ordering::Relaxed);
    let clock = slot.clone();
    let wall_ms = move || {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        let now = EPOCH + u64::try_from(elapsed).unwrap();
        now.saturating_add_signed(clock.clock.load(Ordering::Relaxed))
    };
    let node = Node {
        id: NodeId::new(Node::address_of(&name(at)), wall_ms()),
        name: name(at),
        endpoint: format!("{}:{PORT}", name(at)),
        version: "1.0.0".to_owned(),
        zone: String::new(),
    };
    let options = Options {
        cluster: "test".to_owned(),
        node,
        join: (0..count)
            .map(|other| Seed::Endpoint(format!("{}:{PORT}", name(other))))
            .collect(),
        leave_timeout: SECOND * 10,
        membership: MembershipOptions {
            detection: Detection::default(),
            remove_after: SECOND * 5,
            form_after: SECOND * 2,
        },
        replication: ReplicationOptions::default(),
        link: LinkOptions::default(),
        wall_ms: Arc::new(wall_ms),
        seed: seed ^ ((at as u64) << 32) ^ (start << 48),
    };
    let listener = turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
    let cluster = Cluster::new(options, Metrics::default());
    let shutdown = CancellationToken::new();
    *slot.live.lock().unwrap() = Some(Live {
        replicas: cluster.replicas(),
        state: cluster.state(),
        shutdown: shutdown.clone(),
    });
    let outcome = cluster
        .run(
            Arc::new(Simulated),
            Box::new(SimulatedListener(listener)),
            Security::Off,
            shutdown,
        )
        .await;
    *slot.live.lock().unwrap() = None;
    outcome?;
    // The host stays, without a node.
    std::future::pending().await
}
