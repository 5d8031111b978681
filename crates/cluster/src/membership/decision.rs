//! How a view is decided: Paxos among the members of the view before, once for each number.
//!
//! What a node promised and accepted is kept in memory only. That is enough, since a process that starts anew is another
//! identity, and none of the voters. Source: Lamport, *Paxos Made Simple* (2001).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloudstate_crdt::NodeId;

use super::view::View;

/// Orders proposals; unique to its proposer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ballot {
    pub(crate) round: u64,
    pub(crate) node: NodeId,
}

/// What a voter accepted last.
pub(crate) type Vote = (Ballot, Arc<View>);

/// What voters say to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Prepare(Ballot),
    Promise(Ballot, Option<Vote>),
    Accept(Ballot, Arc<View>),
    Accepted(Ballot),
    /// The ballot is too low: this one was promised. A message of its own, since what was promised may be a later ballot of the same
    /// proposer, who must not take the refusal of the earlier one for a promise.
    Refused(Ballot),
}

/// What to do after a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    Answer(Ask),
    /// To all voters, this node included.
    AskAll(Ask),
    Decided(Arc<View>),
}

/// Who votes, and for whom nobody else can vote any more.
pub(crate) struct Voters<'a> {
    pub(crate) view: &'a View,
    /// Members in whose place a newer process of the same name runs: they have ended, whatever a majority says.
    pub(crate) replaced: &'a BTreeSet<NodeId>,
}

impl Voters<'_> {
    /// A majority; or all who are left, if all others are replaced: then nobody is there who could decide anything else. That is
    /// how two nodes go on after one of them was started anew.
    fn suffice(&self, voted: impl Fn(NodeId) -> bool) -> bool {
        let count = self.view.ids().filter(|id| voted(*id)).count();
        let all_left = || self.view.ids().all(|id| voted(id) || self.replaced.contains(&id));
        count >= self.view.majority() || count > 0 && all_left()
    }
}

/// One node's part in deciding the view that follows its own.
pub(crate) struct Decision {
    own: NodeId,
    promised: Option<Ballot>,
    accepted: Option<Vote>,
    /// The highest round seen, so that the next proposal has a chance.
    round: u64,
    proposal: Option<Proposal>,
}

struct Proposal {
    ballot: Ballot,
    wanted: Arc<View>,
    promises: BTreeMap<NodeId, Option<Vote>>,
    /// What is put to the vote, when enough have promised, and who has accepted it.
    put: Option<(Arc<View>, BTreeSet<NodeId>)>,
}

impl Decision {
    pub(crate) fn new(own: NodeId) -> Self {
        Decision {
            own,
            promised: None,
            accepted: None,
            round: 0,
            proposal: None,
        }
    }

    /// Gives up the proposal under way, if any. It may still be decided, by others.
    pub(crate) fn abandon(&mut self) {
        self.proposal = None;
    }

    /// Proposes a view. If the voters have accepted another before, that one is decided instead.
    pub(crate) fn propose(&mut self, wanted: Arc<View>) -> Ask {
        self.round += 1;
        let ballot = Ballot {
            round: self.round,
            node: self.own,
        };
        self.proposal = Some(Proposal {
            ballot,
            wanted,
            promises: BTreeMap::new(),
            put: None,
        });
        Ask::Prepare(ballot)
    }

    /// Takes a message of a voter; of this node too.
    pub(crate) fn receive(&mut self, from: NodeId, ask: Ask, voters: &Voters<'_>) -> Step {
        if !voters.view.contains(from) {
            return Step::Nothing;
        }
        let (Ask::Prepare(ballot)
        | Ask::Promise(ballot, _)
        | Ask::Accept(ballot, _)
        | Ask::Accepted(ballot)
        | Ask::Refused(ballot)) = ask;
        self.round = self.round.max(ballot.round);
        match ask {
            Ask::Prepare(ballot) => match self.promise(ballot) {
                Ok(()) => Step::Answer(Ask::Promise(ballot, self.accepted.clone())),
                Err(promised) => Step::Answer(Ask::Refused(promised)),
            },
            Ask::Accept(ballot, view) => match self.promise(ballot) {
                Ok(()) => {
                    self.accepted = Some((ballot, view));
                    Step::Answer(Ask::Accepted(ballot))
                }
                Err(promised) => Step::Answer(Ask::Refused(promised)),
            },
            Ask::Promise(ballot, vote) => self.promised(from, ballot, vote, voters),
            Ask::Accepted(ballot) => self.accepted(from, ballot, voters),
            Ask::Refused(promised) => {
                if self
                    .proposal
                    .as_ref()
                    .is_some_and(|proposal| promised > proposal.ballot)
                {
                    self.proposal = None;
                }
                Step::Nothing
            }
        }
    }

    fn promise(&mut self, ballot: Ballot) -> Result<(), Ballot> {
        match self.promised {
            Some(promised) if promised > ballot => Err(promised),
            _ => {
                self.promised = Some(ballot);
                Ok(())
            }
        }
    }

    fn promised(&mut self, from: NodeId, ballot: Ballot, vote: Option<Vote>, voters: &Voters<'_>) -> Step {
        let Some(proposal) = self.current(ballot) else {
            return Step::Nothing;
        };
        if proposal.put.is_some() {
            return Step::Nothing;
        }
        proposal.promises.insert(from, vote);
        if !voters.suffice(|id| proposal.promises.contains_key(&id)) {
            return Step::Nothing;
        }
        let votes = proposal.promises.values().flatten();
        let latest = votes.max_by_key(|(ballot, _)| *ballot).map(|(_, view)| view);
        let view = latest.unwrap_or(&proposal.wanted).clone();
        proposal.put = Some((view.clone(), BTreeSet::new()));
        Step::AskAll(Ask::Accept(ballot, view))
    }

    fn accepted(&mut self, from: NodeId, ballot: Ballot, voters: &Voters<'_>) -> Step {
        let Some(proposal) = self.current(ballot) else {
            return Step::Nothing;
        };
        let Some((view, accepted)) = &mut proposal.put else {
            return Step::Nothing;
        };
        accepted.insert(from);
        if !voters.suffice(|id| accepted.contains(&id)) {
            return Step::Nothing;
        }
        let view = view.clone();
        self.proposal = None;
        Step::Decided(view)
    }

    /// The proposal that an answer belongs to.
    fn current(&mut self, ballot: Ballot) -> Option<&mut Proposal> {
        self.proposal
            .as_mut()
            .filter(|proposal| proposal.ballot == ballot)
    }
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
