//! Nothing that was counted is lost or counts twice when nodes end, come back, or start anew.

use cloudstate_crdt::{Change, Plain};
use cloudstate_replica::Consistency;

use crate::world::{SECOND, World};

fn add(world: &mut World, at: usize, amount: u64) {
    let change = Change::GCounter { increment: amount };
    assert!(world.change(at, "counter", &change, Consistency::Local, amount));
}

fn total(world: &World, at: usize) -> u64 {
    match world.value(at, "counter") {
        Some(Plain::GCounter(total)) => total,
        other => panic!("no counter on {at}: {other:?}"),
    }
}

#[track_caller]
fn assert_total(world: &mut World, expected: u64) {
    world.run_until(&format!("all count {expected}"), SECOND * 60, |world| {
        world.running().all(|at| total(world, at) == expected)
    });
    world.assert_converges();
    world.run(SECOND * 15);
    for at in world.running() {
        assert_eq!(total(world, at), expected, "on {at}");
    }
}

#[test]
fn who_leaves_leaves_its_counts_behind() {
    let mut world = World::new(1, 3);
    world.settle();
    (0..3).for_each(|at| add(&mut world, at, 10 + at as u64));
    world.run(SECOND);
    world.leave(1);
    world.settle();
    assert_total(&mut world, 33);
    world.start(1);
    world.settle();
    add(&mut world, 1, 100);
    assert_total(&mut world, 133);
}

#[test]
fn a_start_anew_with_the_old_address_counts_on() {
    let mut world = World::new(2, 3);
    world.settle();
    let mut expected = 0;
    for round in 0..4u64 {
        for at in 0..3 {
            add(&mut world, at, round * 10 + at as u64);
            expected += round * 10 + at as u64;
        }
        world.run(SECOND);
        let at = usize::try_from(round % 3).unwrap();
        world.kill(at);
        world.run(SECOND);
        world.start(at);
        world.settle();
    }
    assert_total(&mut world, expected);
}

#[test]
fn the_smaller_side_of_a_partition_counts_on_and_brings_it_home() {
    let mut world = World::new(3, 5);
    world.settle();
    (0..5).for_each(|at| add(&mut world, at, 1));
    world.run(SECOND);
    let before: Vec<_> = (0..5).map(|at| world.own(at)).collect();
    world.partition(&[0, 1]);
    for _ in 0..5 {
        (0..5).for_each(|at| add(&mut world, at, 10));
        world.run(SECOND * 3);
    }
    world.run_until("the larger side goes on alone", SECOND * 20, |world| {
        world.view_of(2).is_some_and(|(_, members)| members.len() == 3)
    });
    world.heal();
    world.settle();
    let after: Vec<_> = (0..5).map(|at| world.own(at)).collect();
    assert!(
        before[0] != after[0] && before[1] != after[1],
        "the smaller side was ended"
    );
    assert_eq!(before[2..], after[2..]);
    (0..5).for_each(|at| add(&mut world, at, 100));
    assert_total(&mut world, 5 + 250 + 500);
}
