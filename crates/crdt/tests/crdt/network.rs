//! A small network: lost, late, repeated and reordered deltas, partitions, and states that repair.

use cloudstate_crdt::{Change, Delta, Limits, State};
use proptest::prelude::*;

use crate::support::*;

const NODES: usize = 4;

#[derive(Debug, Clone)]
enum Event {
    Change(usize, Change),
    /// The n-th message on its way arrives.
    Deliver(prop::sample::Index),
    /// It arrives, and stays on its way too.
    Repeat(prop::sample::Index),
    Lose(prop::sample::Index),
    /// A node sends its state to another.
    Repair(usize, usize),
    /// From now on only nodes whose bits are equal hear each other.
    Partition(u8),
}

struct Network {
    replicas: Vec<Replica>,
    /// Encoded, as they travel.
    on_the_way: Vec<(usize, usize, Vec<u8>)>,
    side: u8,
}

impl Network {
    fn new() -> Network {
        Network {
            replicas: (0..NODES as u64).map(Replica::new).collect(),
            on_the_way: Vec::new(),
            side: 0,
        }
    }

    fn run(&mut self, event: Event) {
        match event {
            Event::Change(at, change) => {
                if let Ok(delta) = self.replicas[at].try_apply(&change) {
                    let others = (0..NODES).filter(|to| *to != at);
                    self.on_the_way.extend(others.map(|to| (at, to, delta.encode())));
                }
            }
            Event::Deliver(nth) => {
                if let Some(message) = self.take(nth) {
                    self.arrive(&message);
                }
            }
            Event::Repeat(nth) => {
                if let Some(message) = self.take(nth) {
                    self.arrive(&message);
                    self.on_the_way.push(message);
                }
            }
            Event::Lose(nth) => drop(self.take(nth)),
            Event::Repair(from, to) if self.hear_each_other(from, to) => {
                let bytes = self.replicas[from].state.encode();
                let state = State::decode(&bytes, &Limits::default()).unwrap();
                self.replicas[to].state.merge(&state);
            }
            Event::Repair(..) => {}
            Event::Partition(side) => self.side = side,
        }
    }

    fn take(&mut self, nth: prop::sample::Index) -> Option<(usize, usize, Vec<u8>)> {
        let on_the_way = self.on_the_way.len();
        (on_the_way > 0).then(|| self.on_the_way.swap_remove(nth.index(on_the_way)))
    }

    fn arrive(&mut self, (from, to, bytes): &(usize, usize, Vec<u8>)) {
        if self.hear_each_other(*from, *to) {
            let delta = Delta::decode(bytes, &Limits::default()).unwrap();
            self.replicas[*to].state.merge_delta(&delta);
        }
    }

    fn hear_each_other(&self, a: usize, b: usize) -> bool {
        (self.side >> a) & 1 == (self.side >> b) & 1
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    mixed_changes(2).prop_flat_map(|(_, changes)| {
        let nth = any::<prop::sample::Index>;
        let event = prop_oneof![
            6 => (0..NODES, changes).prop_map(|(at, change)| Event::Change(at, change)),
            8 => nth().prop_map(Event::Deliver),
            2 => nth().prop_map(Event::Repeat),
            2 => nth().prop_map(Event::Lose),
            1 => (0..NODES, 0..NODES).prop_map(|(from, to)| Event::Repair(from, to)),
            1 => (0u8..16).prop_map(Event::Partition),
        ];
        prop::collection::vec(event, 1..60)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn replicas_converge_to_the_same_bytes(events in events()) {
        let mut network = Network::new();
        events.into_iter().for_each(|event| network.run(event));

        // Healed. A ring of repairs that goes round twice reaches everybody; deltas that come later change nothing.
        network.side = 0;
        for from in (0..2 * NODES).map(|turn| turn % NODES) {
            network.run(Event::Repair(from, (from + 1) % NODES));
        }
        let bytes = network.replicas[0].state.encode();
        while let Some(message) = network.on_the_way.pop() {
            network.arrive(&message);
        }
        for replica in &network.replicas {
            prop_assert_eq!(&replica.state.encode(), &bytes);
            prop_assert_eq!(replica.state.digest(), network.replicas[0].state.digest());
            prop_assert_eq!(plain(&replica.state), plain(&network.replicas[0].state));
        }
    }
}
