//! What one node added to a counter, or its vote.

use crate::dots::Dots;
use crate::error::Error;
use crate::kind::Kind;
use crate::node::NodeId;

/// A node's own sum, or the sum of nodes that have ended.
///
/// Ordered by how many ended nodes it stands for: the same write with more of them folded into it is the later one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tally {
    /// How many nodes that have ended it stands for; 0 for the own sum of a node that has not.
    pub(crate) folded: u64,
    /// 128 bits: nodes may add up what others take away, while the counter itself stays within 64.
    pub(crate) sum: i128,
}

impl Tally {
    pub(crate) fn own(sum: i128) -> Tally {
        Tally { folded: 0, sum }
    }
}

/// The counter's value, however large.
pub(crate) fn total(tallies: &Dots<Tally>) -> i128 {
    let last = tallies.last_of_each();
    last.fold(0, |sum, (_, tally)| tally.sum.saturating_add(sum))
}

/// What the node itself added, or its vote, if it is not folded.
pub(crate) fn own(tallies: &Dots<Tally>, node: NodeId) -> Option<i128> {
    let (_, tally) = tallies.of(node).last()?;
    (tally.folded == 0).then_some(tally.sum)
}

/// A total as the value of a counter of this kind.
///
/// # Errors
/// If it is beyond what the wire can carry: 0 to 2⁶³ − 1 for a GCounter, −2⁶³ to 2⁶³ − 1 for a PNCounter.
pub(crate) fn in_range(kind: Kind, total: i128) -> Result<i64, Error> {
    let value = i64::try_from(total).ok();
    let value = value.filter(|value| kind == Kind::PNCounter || *value >= 0);
    value.ok_or(Error::CounterRange { kind, total })
}
