//! Who answers: failure detection by SWIM, with clock and randomness passed in.

mod codec;
mod identity;

use std::collections::BTreeMap;
use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloudstate_crdt::NodeId;
use foca::{Config, Foca, NoCustomBroadcast, Notification, PeriodicParams, Timer};
use rand::SeedableRng;
use rand::rngs::StdRng;

use self::codec::Codec;
use self::identity::Identity;
use crate::node::Node;

/// A packet holds the state of all members that fit; the link carries it whole.
const PACKET_BYTES_MAX: usize = 64 * 1024;
/// How often news of a member is passed on. Enough for some hundred nodes.
const TRANSMISSIONS: u8 = 12;
/// How long the end of a process is remembered. A new start has a new identity, so that it does not wait for it.
const DOWN_MEMORY: Duration = Duration::from_secs(24 * 3600);

/// How quickly a dead node is noticed.
#[derive(Debug, Clone, Copy)]
pub struct Detection {
    /// A random other node is asked for a sign of life this often.
    pub probe_interval: Duration,
    /// A node that did not answer, directly or through others, has this long to object before it is taken for dead.
    pub suspicion: Duration,
}

impl Default for Detection {
    fn default() -> Self {
        Detection {
            probe_interval: Duration::from_millis(300),
            suspicion: Duration::from_millis(600),
        }
    }
}

/// One node's part in SWIM. Times are since any fixed moment, and do not go back.
pub(crate) struct Swim {
    foca: Foca<Identity, Codec, StdRng, NoCustomBroadcast>,
    pending: Pending,
    /// The highest generation seen of each name.
    seen: BTreeMap<u64, u64>,
}

/// What foca asks for.
#[derive(Default)]
struct Pending {
    now: Duration,
    /// By due time, then in the order of the requests.
    timers: BTreeMap<(Duration, u64), Timer<Identity>>,
    requests: u64,
    packets: Vec<(Arc<Node>, Bytes)>,
    changed: bool,
}

impl Swim {
    pub(crate) fn new(own: Arc<Node>, detection: Detection, seed: u64) -> Self {
        let identity = Identity { node: own, life: 0 };
        let rng = StdRng::seed_from_u64(seed);
        Swim {
            foca: Foca::new(identity, config(detection), rng, Codec),
            pending: Pending::default(),
            seen: BTreeMap::new(),
        }
    }

    /// Asks a node to let this one in.
    pub(crate) fn announce(&mut self, to: &Arc<Node>, now: Duration) {
        self.pending.now = now;
        let to = Identity {
            node: to.clone(),
            life: 0,
        };
        let sent = self.foca.announce(to, &mut self.pending);
        note(sent);
    }

    /// Takes a packet of another node.
    pub(crate) fn receive(&mut self, packet: &[u8], now: Duration) {
        self.pending.now = now;
        let taken = self.foca.handle_data(packet, &mut self.pending);
        note(taken);
        self.remember();
    }

    /// When to call [`Swim::tick`] at the latest.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.pending.timers.keys().next().map(|(due, _)| *due)
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Duration) {
        self.pending.now = now;
        while let Some(entry) = self.pending.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let timer = entry.remove();
            let handled = self.foca.handle_timer(timer, &mut self.pending);
            note(handled);
        }
        self.remember();
    }

    /// Tells some others that this node goes.
    pub(crate) fn leave(&mut self, now: Duration) {
        self.pending.now = now;
        let left = self.foca.leave_cluster(&mut self.pending);
        note(left);
    }

    /// Goes on under a new identity.
    pub(crate) fn renew(&mut self, own: Arc<Node>, now: Duration) {
        self.pending.now = now;
        let identity = Identity { node: own, life: 0 };
        let changed = self.foca.change_identity(identity, &mut self.pending);
        note(changed);
    }

    /// The other nodes that are not known to be dead.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.foca.iter_members().map(|member| &member.id().node)
    }

    /// The highest generation of a name that was heard of.
    pub(crate) fn generation_seen(&self, address: u64) -> Option<u64> {
        self.seen.get(&address).copied()
    }

    /// Remembers that somebody said it had this identity.
    pub(crate) fn saw(&mut self, id: NodeId) {
        let seen = self.seen.entry(id.address).or_default();
        *seen = id.generation.max(*seen);
    }

    /// What is to be sent.
    pub(crate) fn take_packets(&mut self) -> Vec<(Arc<Node>, Bytes)> {
        std::mem::take(&mut self.pending.packets)
    }

    /// Whether somebody came or went since this was asked last.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.pending.changed)
    }

    fn remember(&mut self) {
        if self.pending.changed {
            let ids: Vec<_> = self
                .foca
                .iter_membership_state()
                .map(|member| member.id().node.id)
                .collect();
            ids.into_iter().for_each(|id| self.saw(id));
        }
    }
}

impl foca::Runtime<Identity> for &mut Pending {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        tracing::debug!(?notification, "SWIM");
        self.changed = true;
    }

    fn send_to(&mut self, to: Identity, packet: &[u8]) {
        self.packets.push((to.node, Bytes::copy_from_slice(packet)));
    }

    fn submit_after(&mut self, timer: Timer<Identity>, after: Duration) {
        self.requests += 1;
        self.timers.insert((self.now + after, self.requests), timer);
    }
}

fn config(detection: Detection) -> Config {
    let every = |frequency| {
        let num_members = NonZeroUsize::MIN;
        Some(PeriodicParams {
            frequency,
            num_members,
        })
    };
    Config {
        probe_period: detection.probe_interval,
        // The rest of the period is for those who are asked to ask.
        probe_rtt: detection.probe_interval * 2 / 5,
        num_indirect_probes: NonZeroUsize::MIN.saturating_add(2),
        max_transmissions: NonZeroU8::MIN.saturating_add(TRANSMISSIONS - 1),
        suspect_to_down_after: detection.suspicion,
        remove_down_after: Some(DOWN_MEMORY),
        max_packet_size: NonZeroUsize::MIN.saturating_add(PACKET_BYTES_MAX - 1),
        notify_down_members: true,
        periodic_announce: every(detection.probe_interval * 20),
        periodic_announce_to_down_members: every(detection.probe_interval * 3),
        periodic_gossip: every(detection.probe_interval / 2),
    }
}

/// Packets of peers can be wrong in many ways; none of them is this node's fault, and the next packet repairs it.
fn note(outcome: Result<(), foca::Error>) {
    if let Err(error) = outcome {
        tracing::debug!(?error, "SWIM");
    }
}
