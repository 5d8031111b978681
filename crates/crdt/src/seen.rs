//! Which numbers of one node have been seen: `1..=upto`, and ranges beyond the first gap.
//!
//! ```text
//!   1 2 3 4 5 . . 8 9 . 11      upto = 5, beyond = [(8, 9), (11, 11)]
//! ```

/// A set of sequence numbers in its one normal form: `beyond` is sorted, and a gap stands before each of its ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    upto: u64,
    beyond: Vec<(u64, u64)>,
}

impl Seen {
    pub(crate) fn is_empty(&self) -> bool {
        self.upto == 0 && self.beyond.is_empty()
    }

    /// The greatest number in the set; 0 if it is empty.
    pub(crate) fn greatest(&self) -> u64 {
        self.beyond.last().map_or(self.upto, |&(_, high)| high)
    }

    pub(crate) fn upto(&self) -> u64 {
        self.upto
    }

    pub(crate) fn beyond(&self) -> &[(u64, u64)] {
        &self.beyond
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        if number <= self.upto {
            return number > 0;
        }
        let after = self.beyond.partition_point(|&(low, _)| low <= number);
        after > 0 && number <= self.beyond[after - 1].1
    }

    /// Adds `low..=high`, where `1 <= low <= high`. Says whether the set grew.
    pub(crate) fn insert(&mut self, low: u64, high: u64) -> bool {
        if self.covers(low, high) {
            return false;
        }
        // The ranges that the new one overlaps or touches become one with it.
        let first = self
            .beyond
            .partition_point(|&(_, end)| end.saturating_add(1) < low);
        let after = self
            .beyond
            .partition_point(|&(start, _)| start <= high.saturating_add(1));
        let (mut start, mut end) = (low, high);
        if first < after {
            start = start.min(self.beyond[first].0);
            end = end.max(self.beyond[after - 1].1);
        }
        if start <= self.upto.saturating_add(1) {
            self.upto = self.upto.max(end);
            let absorbed = self
                .beyond
                .partition_point(|&(start, _)| start <= self.upto.saturating_add(1));
            if let Some(&(_, end)) = self.beyond[..absorbed].last() {
                self.upto = self.upto.max(end);
            }
            self.beyond.drain(..absorbed);
        } else {
            self.beyond.splice(first..after, [(start, end)]);
        }
        true
    }

    /// Adds all numbers of another set. Says whether this one grew.
    pub(crate) fn merge(&mut self, other: &Seen) -> bool {
        let mut grew = other.upto > 0 && self.insert(1, other.upto);
        for &(low, high) in &other.beyond {
            grew |= self.insert(low, high);
        }
        grew
    }

    fn covers(&self, low: u64, high: u64) -> bool {
        if high <= self.upto {
            return true;
        }
        let after = self.beyond.partition_point(|&(start, _)| start <= low);
        after > 0 && high <= self.beyond[after - 1].1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn normal(seen: &Seen) -> bool {
        let mut last = seen.upto;
        seen.beyond.iter().all(|&(low, high)| {
            let gap = low > last + 1 && low <= high;
            last = high;
            gap
        })
    }

    #[test]
    fn the_largest_numbers_are_taken() {
        let mut seen = Seen::default();
        assert!(seen.insert(u64::MAX, u64::MAX));
        assert!(seen.insert(u64::MAX - 1, u64::MAX - 1));
        assert_eq!(seen.beyond(), [(u64::MAX - 1, u64::MAX)]);
        assert!(seen.insert(1, u64::MAX - 2));
        assert_eq!((seen.upto(), seen.beyond().len()), (u64::MAX, 0));
        assert!(!seen.insert(1, u64::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn behaves_like_a_set(ranges in prop::collection::vec((1u64..40, 0u64..6), 0..20)) {
            let (mut seen, mut model) = (Seen::default(), BTreeSet::new());
            for (low, more) in ranges {
                let before = model.len();
                model.extend(low..=low + more);
                prop_assert_eq!(seen.insert(low, low + more), model.len() > before);
                prop_assert!(normal(&seen), "{:?}", seen);
            }
            for number in 0..50 {
                prop_assert_eq!(seen.contains(number), model.contains(&number), "{}", number);
            }
            prop_assert_eq!(seen.greatest(), model.last().copied().unwrap_or(0));
        }

        #[test]
        fn merges_to_the_union_whatever_the_order(
            a in prop::collection::vec((1u64..40, 0u64..6), 0..12),
            b in prop::collection::vec((1u64..40, 0u64..6), 0..12),
        ) {
            let of = |ranges: &[(u64, u64)]| {
                let mut seen = Seen::default();
                for &(low, more) in ranges {
                    seen.insert(low, low + more);
                }
                seen
            };
            let (mut ab, mut ba) = (of(&a), of(&b));
            ab.merge(&of(&b));
            ba.merge(&of(&a));
            prop_assert_eq!(&ab, &of(&[a, b].concat()));
            prop_assert_eq!(ab, ba);
        }
    }
}
