//! When all is whole again, all nodes have the same replicas.

use cloudstate_crdt::{Change, MapChange, SetChange};
use cloudstate_replica::Consistency;
use rand::RngExt;

use crate::faults::Trouble;
use crate::for_seeds;
use crate::world::{SECOND, World, element};

#[test]
fn convergence() {
    for_seeds("convergence", run);
}

pub fn run(seed: u64) {
    let count = 3 + usize::try_from(seed % 5).unwrap();
    let mut world = World::new(seed, count);
    world.settle();
    let trouble = Trouble {
        down_max: count - 1,
        partition: SECOND * 4,
    };
    for step in 0..10 {
        for _ in 0..5 {
            let at = world.any_running();
            let number = world.rng.random_range(0..20);
            match world.rng.random_range(0..5) {
                0 => change(&mut world, at, "counter", &Change::PNCounter { change: 1 }),
                1 => {
                    let added = vec![element(number)];
                    let removed = vec![element(number / 2)];
                    let set = SetChange {
                        cleared: false,
                        removed,
                        added,
                    };
                    change(&mut world, at, "set", &Change::ORSet(set));
                }
                2 => {
                    let entry = cloudstate_crdt::Entry {
                        key: element(number),
                        change: Some(Change::GCounter { increment: 1 }),
                    };
                    let map = MapChange {
                        added: vec![entry],
                        ..MapChange::default()
                    };
                    change(&mut world, at, "map", &Change::ORMap(map));
                }
                3 => change(
                    &mut world,
                    at,
                    &format!("entity-{number}"),
                    &Change::Flag { value: false },
                ),
                _ if step > 5 => world.delete(at, &format!("entity-{number}")),
                _ => {}
            }
        }
        world.trouble(trouble);
    }
    world.calm();
    world.settle();
    world.assert_converges();
}

fn change(world: &mut World, at: usize, entity: &str, change: &Change) {
    world.change(at, entity, change, Consistency::Local, 0);
}
