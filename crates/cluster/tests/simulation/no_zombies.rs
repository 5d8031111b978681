//! Who has ended is no member again, and all agree on that; votes count members that answer, at once.

use std::collections::BTreeSet;

use cloudstate_crdt::{Change, Plain, VoteTotals};
use cloudstate_replica::Consistency;

use crate::faults::Trouble;
use crate::for_seeds;
use crate::world::{SECOND, World};

#[test]
fn no_zombies() {
    for_seeds("no_zombies", run);
}

pub fn run(seed: u64) {
    let count = 3 + usize::try_from(seed % 5).unwrap();
    let mut world = World::new(seed, count);
    world.settle();
    let mut were = BTreeSet::new();
    for _ in 0..10 {
        world.trouble(Trouble {
            down_max: count - 1,
            partition: SECOND * 8,
        });
        for at in world.running() {
            were.extend(world.view_of(at).into_iter().flat_map(|(_, members)| members));
        }
    }
    world.calm();
    world.settle();
    let now: BTreeSet<_> = world.running().map(|at| world.own(at)).collect();
    for at in world.running() {
        let (_, members) = world.view_of(at).unwrap();
        assert_eq!(
            members.into_iter().collect::<BTreeSet<_>>(),
            now,
            "the members are those that run"
        );
    }
    world.run(SECOND * 10);
    let later: BTreeSet<_> = world
        .running()
        .flat_map(|at| world.view_of(at).unwrap().1)
        .collect();
    assert_eq!(later, now, "nobody came back");
    assert!(were.len() >= now.len());
}

#[test]
fn votes_follow_who_answers_at_once() {
    let mut world = World::new(4, 3);
    world.settle();
    let vote = Change::Vote(VoteTotals {
        self_vote: true,
        ..VoteTotals::default()
    });
    for at in 0..3 {
        world.change(at, "online", &vote, Consistency::Local, 0);
    }
    let sees = |world: &World, at: usize| match world.value(at, "online") {
        Some(Plain::Vote(votes)) => (votes.votes_for, votes.total_voters),
        other => panic!("no vote: {other:?}"),
    };
    world.run_until("all see three votes", SECOND * 2, |world| {
        (0..3).all(|at| sees(world, at) == (3, 3))
    });
    world.kill(2);
    world.run_until("the dead one's vote goes", SECOND * 3, |world| {
        (0..2).all(|at| sees(world, at) == (2, 2))
    });
    assert_eq!(world.view_of(0).unwrap().1.len(), 3, "it is still a member");
}
