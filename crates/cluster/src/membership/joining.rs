//! A node that looks for a cluster, and when it begins one.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudstate_crdt::NodeId;

/// Whom a node has reached while it looks for a cluster.
#[derive(Debug, Default)]
pub(super) struct Joining {
    since: Option<Duration>,
    /// Whether each was in a cluster, and when it said so.
    met: BTreeMap<NodeId, (bool, Duration)>,
}

impl Joining {
    pub(super) fn met(&mut self, node: NodeId, in_cluster: bool, now: Duration) {
        self.since.get_or_insert(now);
        self.met.insert(node, (in_cluster, now));
    }

    /// Whether to begin a cluster. Nodes that start together with the same list of addresses must begin one, not several: the
    /// lowest of those that were reached does. It is on the list itself, and nobody has seen a cluster all the time.
    ///
    /// Two may still begin one each, if they cannot reach each other. The clusters merge when they meet.
    pub(super) fn may_begin(&mut self, own: NodeId, form_after: Duration, now: Duration) -> bool {
        self.met.retain(|_, (_, at)| now < *at + form_after);
        let has_waited = self.since.is_some_and(|since| now >= since + form_after);
        let is_lowest = self.met.keys().next() == Some(&own);
        has_waited && is_lowest && self.met.values().all(|(in_cluster, _)| !in_cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::new(1, 1);
    const B: NodeId = NodeId::new(2, 1);
    const WAIT: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_lowest_begins_when_nobody_has_seen_a_cluster_for_a_while() {
        let mut joining = Joining::default();
        for second in 0..=3 {
            joining.met(A, false, at(second));
            joining.met(B, false, at(second));
            let begins = [A, B].map(|own| joining.may_begin(own, WAIT, at(second)));
            assert_eq!(begins, [second == 3, false], "at {second}");
        }
    }

    #[test]
    fn nobody_begins_while_one_of_them_is_in_a_cluster() {
        let mut joining = Joining::default();
        for second in 0..10 {
            joining.met(A, false, at(second));
            joining.met(B, true, at(second));
            assert!(!joining.may_begin(A, WAIT, at(second)));
        }
    }

    #[test]
    fn who_is_not_on_the_list_waits_and_the_dead_are_not_waited_for() {
        let mut joining = Joining::default();
        joining.met(A, false, at(0));
        assert!(!joining.may_begin(B, WAIT, at(5)), "it has not reached itself");
        joining.met(B, false, at(5));
        assert!(
            joining.may_begin(B, WAIT, at(5)),
            "the lower one has not been heard of for long"
        );
    }
}
