//! Views: the members of the cluster, one list after the other.

use std::sync::Arc;

use cloudstate_crdt::NodeId;

use crate::node::Node;
use crate::wire::{self, Lacks};

/// How many ended names are remembered; the lowest go first. A name takes 16 bytes.
const ENDED_MAX: usize = 10_000;
/// More members than this are refused from a peer. SWIM and full replication are made for tens.
const MEMBERS_MAX: usize = 1_000;

/// Which view of which cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewId {
    /// Who began the cluster.
    pub formation: NodeId,
    /// Counted from 1.
    pub number: u64,
}

/// The members of the cluster. Each view but the first was decided by a majority of the one before, so all nodes of a cluster see
/// the same ones in the same order, though some may skip some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Which one.
    pub id: ViewId,
    /// Sorted by identity.
    members: Vec<Arc<Node>>,
    /// For each name that had a member that ended, the highest generation that did; sorted.
    ended: Vec<NodeId>,
    /// The members of the view before.
    before: Vec<NodeId>,
}

impl View {
    /// The first one, of a node that begins a cluster.
    pub(crate) fn first(own: Arc<Node>) -> View {
        View {
            id: ViewId {
                formation: own.id,
                number: 1,
            },
            members: vec![own],
            ended: Vec::new(),
            before: Vec::new(),
        }
    }

    /// The view that follows if these are its members.
    pub(crate) fn next(&self, mut members: Vec<Arc<Node>>) -> View {
        members.sort_by_key(|node| node.id);
        members.dedup_by_key(|node| node.id);
        let mut ended = self.ended.clone();
        let gone = self.members.iter().map(|node| node.id);
        for id in gone.filter(|id| !members.iter().any(|node| node.id == *id)) {
            match ended.binary_search_by_key(&id.address, |ended| ended.address) {
                Ok(at) => ended[at].generation = ended[at].generation.max(id.generation),
                Err(at) => ended.insert(at, id),
            }
        }
        // Generations are times: the lowest ended first.
        while ended.len() > ENDED_MAX {
            let oldest = (0..ended.len()).min_by_key(|at| ended[*at].generation);
            oldest.map(|at| ended.remove(at));
        }
        let id = ViewId {
            number: self.id.number + 1,
            ..self.id
        };
        let before = self.ids().collect();
        View {
            id,
            members,
            ended,
            before,
        }
    }

    /// The members, sorted by identity.
    pub fn members(&self) -> &[Arc<Node>] {
        &self.members
    }

    /// The identities of the members, sorted.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().map(|node| node.id)
    }

    /// The members of the view before, as a list of identities; none before the first.
    pub(crate) fn before(&self) -> &[NodeId] {
        &self.before
    }

    /// Whether this identity is a member.
    pub fn contains(&self, id: NodeId) -> bool {
        self.members.binary_search_by_key(&id, |node| node.id).is_ok()
    }

    /// Whether this identity has ended: it was a member, or an older start of one, and never is one again.
    pub fn has_ended(&self, id: NodeId) -> bool {
        let found = self
            .ended
            .binary_search_by_key(&id.address, |ended| ended.address);
        found.is_ok_and(|at| id.generation <= self.ended[at].generation)
    }

    /// How many members are a majority: more than half of all, reachable or not.
    pub fn majority(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// Of two clusters that began apart and meet, whether this one stays: the older one. That can never change, so nobody goes back
    /// and forth.
    pub(crate) fn outweighs(&self, other: &View) -> bool {
        let age = |view: &View| (view.id.formation.generation, view.id.formation.address);
        age(self) < age(other)
    }
}

impl From<ViewId> for wire::ViewId {
    fn from(id: ViewId) -> Self {
        wire::ViewId {
            formation: Some(id.formation.into()),
            number: id.number,
        }
    }
}

impl TryFrom<wire::ViewId> for ViewId {
    type Error = Lacks;

    fn try_from(id: wire::ViewId) -> Result<Self, Lacks> {
        Ok(ViewId {
            formation: id.formation.ok_or(Lacks("formation"))?.into(),
            number: id.number,
        })
    }
}

impl From<&View> for wire::View {
    fn from(view: &View) -> Self {
        wire::View {
            id: Some(view.id.into()),
            members: view.members.iter().map(|node| (&**node).into()).collect(),
            ended: view.ended.iter().map(|id| (*id).into()).collect(),
            before: view.before.iter().map(|id| (*id).into()).collect(),
        }
    }
}

impl TryFrom<wire::View> for View {
    type Error = Lacks;

    fn try_from(view: wire::View) -> Result<Self, Lacks> {
        let members = view.members.into_iter();
        let members: Result<Vec<_>, _> = members.map(|node| Node::try_from(node).map(Arc::new)).collect();
        let members = members?;
        let ended: Vec<NodeId> = view.ended.into_iter().map(NodeId::from).collect();
        let in_order =
            members.is_sorted_by(|a, b| a.id < b.id) && ended.is_sorted_by(|a, b| a.address < b.address);
        let too_many = members.len().max(view.before.len()) > MEMBERS_MAX || ended.len() > ENDED_MAX;
        if !in_order || members.is_empty() || too_many {
            return Err(Lacks("order of members"));
        }
        Ok(View {
            id: view.id.ok_or(Lacks("view id"))?.try_into()?,
            members,
            ended,
            before: view.before.into_iter().map(NodeId::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::tests::node;

    #[test]
    fn who_is_left_out_has_ended_with_all_its_older_starts_but_not_the_newer_ones() {
        let first = View::first(node("a", 5));
        let second = first.next(vec![node("a", 5), node("b", 3)]);
        assert!(!second.has_ended(node("b", 3).id));
        let third = second.next(vec![node("a", 5)]);
        assert_eq!(third.id.number, 3);
        assert!(third.has_ended(node("b", 3).id) && third.has_ended(node("b", 2).id));
        assert!(!third.has_ended(node("b", 4).id) && !third.has_ended(node("c", 1).id));
        let fourth = third
            .next(vec![node("a", 5), node("b", 4)])
            .next(vec![node("a", 5)]);
        assert!(fourth.has_ended(node("b", 4).id));
    }

    #[test]
    fn a_majority_is_more_than_half() {
        let names = ["a", "b", "c", "d", "e"];
        let majorities = (1..=5).map(|count| {
            let members = names[..count].iter().map(|name| node(name, 1)).collect();
            View::first(node("a", 1)).next(members).majority()
        });
        assert_eq!(majorities.collect::<Vec<_>>(), [1, 2, 2, 3, 3]);
    }

    #[test]
    fn a_view_survives_the_wire_and_one_out_of_order_does_not() {
        let view = View::first(node("a", 5))
            .next(vec![node("a", 5), node("b", 3), node("c", 1)])
            .next(vec![node("a", 5)]);
        let sent = wire::View::from(&view);
        assert_eq!(View::try_from(sent.clone()), Ok(view));
        let mut twice = sent.clone();
        twice.members.push(sent.members[0].clone());
        assert!(View::try_from(twice).is_err());
    }
}
