//! What a majority has acknowledged is not lost while a majority of the members of that time stays up.

use std::collections::BTreeSet;

use cloudstate_crdt::{Change, Plain};
use cloudstate_replica::Consistency;

use crate::faults::Trouble;
use crate::for_seeds;
use crate::world::{SECOND, World, element};

#[test]
fn majority() {
    for_seeds("majority", run);
}

pub fn run(seed: u64) {
    let count = 3 + usize::try_from(seed % 3).unwrap() * 2;
    let mut world = World::new(seed, count);
    world.settle();
    let mut tag = 0;
    for _ in 0..4 {
        // Within a round a minority at most goes down or is cut off, and the cluster gathers itself before the next.
        for _ in 0..4 {
            for at in world.running().collect::<Vec<_>>() {
                tag += 1;
                let change = Change::GSet {
                    added: vec![element(tag)],
                };
                world.change(at, "set", &change, Consistency::Majority, tag);
            }
            world.trouble(Trouble {
                down_max: (count - 1) / 2,
                partition: SECOND * 3,
            });
        }
        world.calm();
        world.settle();
    }
    world.run(SECOND * 6);
    world.assert_converges();
    let acknowledged: BTreeSet<_> = world.acknowledged.iter().map(|tag| element(*tag)).collect();
    assert!(!acknowledged.is_empty(), "nothing was acknowledged");
    for at in world.running() {
        let Some(Plain::GSet(found)) = world.value(at, "set") else {
            panic!("no set on {at}");
        };
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|element| !found.contains(element))
            .collect();
        assert!(lost.is_empty(), "lost on {at}: {lost:?}\n{}", world.describe());
    }
}
