//! What a node keeps for others is bounded, whoever is away.

use cloudstate_crdt::{Any, Change};
use cloudstate_replica::Consistency;

use crate::world::World;

/// One node is cut off while the others write far more than their queues hold; then it gets it all by comparison.
#[test]
fn a_node_that_is_away_gets_all_by_comparison_when_it_is_back() {
    let mut world = World::new(11, 3);
    world.settle();
    world.partition(&[2]);
    for round in 0..30u64 {
        for entity in 0..20 {
            let added = vec![Any::new("test", vec![u8::try_from(round).unwrap(); 4096])];
            world.change(
                0,
                &format!("entity-{entity}"),
                &Change::GSet { added },
                Consistency::Local,
                0,
            );
        }
        world.run(std::time::Duration::from_millis(100));
    }
    world.heal();
    world.settle();
    world.assert_converges();
    assert_eq!(world.replicas(2).stats().entities, 20);
}
