//! Nodes that have ended: what becomes of their writes.
//!
//! ```text
//!   a majority ends node X          (decided elsewhere)
//!      │   from here on nobody merges what X sends
//!      ▼
//!   frozen(X) on every member ─── equal everywhere? ──no──▶ merge states, ask again
//!      │ yes
//!      ▼
//!   fold(X): one sum for all that have ended; X's votes go          a delta like any other
//!      │   (X, frozen) is kept for a while, in case X comes back: rejoin
//!      ▼
//!   forget(X): its last trace goes, unless elements or values that it wrote are still there
//! ```
//!
//! **Folding** gives the sums of all ended nodes to one of their writes, the greatest. It says how many nodes it stands for;
//! of two versions of that write the one that stands for more holds, and the other writes are removed. So it makes no
//! difference which member folds, how many do, or who merges what afterwards. A concurrent removal of a map's entry has
//! seen all of these writes, since the members agreed on them, and removes the fold with them.
//!
//! That holds if folds happen one after the other: no member folds or answers for [`State::frozen`] on behalf of one fold
//! while another is under way. The lowest member that folds alone has that for nothing.
//!
//! Elements, register values and switched flags stay under the name of the ended node as long as they live. A context
//! therefore names the members, and at most as many others as there are values.

mod rejoin;

pub use rejoin::Returning;

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Context;
use crate::dots::Dots;
use crate::kind::Kind;
use crate::node::{Dot, NodeId};
use crate::slot::{Content, Slot};
use crate::state::{Delta, State};
use crate::tally::Tally;

impl State {
    /// What has to be equal on all members before they fold these nodes: all that is known of them, and the earlier
    /// folds. Compare the encodings.
    ///
    /// For one node it is also what [`State::rejoin`] needs when that node comes back. Take it before the fold.
    pub fn frozen(&self, ended: impl Fn(NodeId) -> bool) -> State {
        let mut frozen = self.clone();
        let of_interest =
            |dot: Dot, tally: Option<&Tally>| ended(dot.node) || tally.is_some_and(|tally| tally.folded > 0);
        frozen.root.retain_dots(&mut |dot, tally| of_interest(dot, tally));
        frozen.context.retain(&ended);
        let context = &mut frozen.context;
        frozen.root.for_each_dot(&mut |dot, _| context.insert(dot));
        frozen
    }

    /// Folds the sums of nodes that have ended into one, and drops their votes. `None` if there is nothing to do. All other
    /// values stay as they are.
    ///
    /// Before, in this order:
    ///
    /// 1. Those who decide have ended the nodes, and no member merges anything from them any more.
    /// 2. All members have the same [`State::frozen`] for these nodes. If not, they merge their states and compare again.
    /// 3. No other fold is under way: every member has the one before. Point 2 shows that too.
    ///
    /// Then one or several members fold; the delta is merged like any other. What members write or remove meanwhile does no
    /// harm.
    pub fn fold(&mut self, ended: impl Fn(NodeId) -> bool) -> Option<Delta> {
        let mut delta = Delta::default();
        fold_slot(&self.root, &mut delta.root, &ended, &mut delta.context);
        if delta.is_empty() {
            return None;
        }
        self.merge_delta(&delta);
        Some(delta)
    }

    /// Forgets nodes that have ended, as far as nothing is there that they wrote. Says whether it forgot any.
    ///
    /// Only when no message can arrive any more that was sent before they were folded. Merging a replica that has not
    /// forgotten them brings them back; forget them again then.
    pub fn forget(&mut self, ended: impl Fn(NodeId) -> bool) -> bool {
        if !self.nodes().any(&ended) {
            return false;
        }
        let mut writers = BTreeSet::new();
        self.root.for_each_dot(&mut |dot, _| {
            writers.insert(dot.node);
        });
        let before = self.context.len();
        self.context
            .retain(|node| !ended(node) || writers.contains(&node));
        self.context.len() < before
    }

    /// Drops all that is known of some nodes, so that merging this says nothing about them.
    fn without(&mut self, nodes: impl Fn(NodeId) -> bool) {
        self.root.retain_dots(&mut |dot, _| !nodes(dot.node));
        self.context.retain(|node| !nodes(node));
    }
}

fn fold_slot(slot: &Slot, delta: &mut Slot, ended: &impl Fn(NodeId) -> bool, covered: &mut Context) {
    for variant in slot.variants() {
        let kind = variant.kind();
        match &variant.content {
            Content::Tallies(votes) if kind == Kind::Vote => {
                for (dot, _) in votes.iter().filter(|(dot, _)| ended(dot.node)) {
                    covered.insert(*dot);
                    delta.variant_mut(kind);
                }
            }
            Content::Tallies(tallies) => {
                if let Some(folded) = fold_tallies(tallies, ended, covered) {
                    delta.variant_mut(kind).content = Content::Tallies(folded);
                }
            }
            Content::Entries(entries) => {
                let mut parts = BTreeMap::new();
                for (key, slot) in entries {
                    let mut part = Slot::default();
                    fold_slot(slot, &mut part, ended, covered);
                    if !part.is_empty() {
                        parts.insert(key.clone(), part);
                    }
                }
                if !parts.is_empty() {
                    delta.variant_mut(kind).content = Content::Entries(parts);
                }
            }
            Content::Elements(_) | Content::Writes(_) | Content::Marks(_) => {}
        }
    }
}

fn fold_tallies(
    tallies: &Dots<Tally>,
    ended: &impl Fn(NodeId) -> bool,
    covered: &mut Context,
) -> Option<Dots<Tally>> {
    let folds = |dot: Dot, tally: &Tally| tally.folded > 0 || ended(dot.node);
    let mut fold = Tally::default();
    let mut last = None;
    let mut is_news = false;
    for (dot, tally) in tallies.last_of_each().filter(|(dot, tally)| folds(*dot, tally)) {
        fold.folded = fold.folded.checked_add(tally.folded.max(1))?;
        fold.sum = fold.sum.checked_add(tally.sum)?;
        is_news |= tally.folded == 0 || last.is_some();
        last = Some(*dot);
    }
    let last = last.filter(|_| is_news)?;
    let gone = tallies.iter().filter(|(dot, tally)| folds(*dot, tally));
    gone.for_each(|(dot, _)| covered.insert(*dot));
    Some(Dots::one(last, fold))
}
