//! Yes or no: flags and votes.

use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{FlagDelta, VoteDelta};

use super::replicated::{ApplyError, Replicated, mismatch};

/// Off, until any node switches it on; never off again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag {
    on: bool,
    settled: bool,
}

impl Flag {
    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Switches it on.
    pub fn enable(&mut self) {
        self.on = true;
    }
}

impl Replicated for Flag {
    const NAME: &'static str = "Flag";

    fn fresh() -> Self {
        Self::default()
    }

    fn change(&self) -> Option<Delta> {
        (self.on && !self.settled).then_some(Delta::Flag(FlagDelta { value: true }))
    }

    fn whole(&self) -> Option<Delta> {
        Some(Delta::Flag(FlagDelta { value: self.on }))
    }

    fn settle(&mut self) {
        self.settled = self.on;
    }

    fn roll_back(&mut self) {
        self.on = self.settled;
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Flag(FlagDelta { value }) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        self.on |= value;
        self.settle();
        Ok(())
    }
}

/// One yes or no for each node. The totals are counted over the nodes that are there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    own: bool,
    settled: bool,
    votes_for: i32,
    voters: i32,
}

impl Default for Vote {
    fn default() -> Self {
        Self::fresh()
    }
}

impl Vote {
    /// This node's vote.
    pub fn own(&self) -> bool {
        self.own
    }

    /// How many nodes vote yes.
    pub fn votes_for(&self) -> i32 {
        self.votes_for
    }

    /// How many nodes there are.
    pub fn voters(&self) -> i32 {
        self.voters
    }

    /// Votes for this node.
    pub fn vote(&mut self, vote: bool) {
        if self.own != vote {
            self.own = vote;
            self.votes_for += if vote { 1 } else { -1 };
        }
    }

    /// Whether any node votes yes.
    pub fn is_at_least_one(&self) -> bool {
        self.votes_for > 0
    }

    /// Whether more than half of the nodes vote yes.
    pub fn is_majority(&self) -> bool {
        self.votes_for > self.voters / 2
    }

    /// Whether all nodes vote yes.
    pub fn is_unanimous(&self) -> bool {
        self.votes_for == self.voters
    }

    fn delta(&self) -> Delta {
        Delta::Vote(VoteDelta {
            self_vote: self.own,
            ..VoteDelta::default()
        })
    }
}

impl Replicated for Vote {
    const NAME: &'static str = "Vote";

    fn fresh() -> Self {
        Vote {
            own: false,
            settled: false,
            votes_for: 0,
            voters: 1,
        }
    }

    fn change(&self) -> Option<Delta> {
        (self.own != self.settled).then(|| self.delta())
    }

    fn whole(&self) -> Option<Delta> {
        Some(self.delta())
    }

    fn settle(&mut self) {
        self.settled = self.own;
    }

    fn roll_back(&mut self) {
        self.vote(self.settled);
    }

    fn apply(&mut self, delta: Delta) -> Result<(), ApplyError> {
        let Delta::Vote(vote) = delta else {
            return Err(mismatch::<Self>(&delta));
        };
        *self = Vote {
            own: vote.self_vote,
            settled: vote.self_vote,
            votes_for: vote.votes_for,
            voters: vote.total_voters,
        };
        Ok(())
    }
}
