//! Which traces are recorded.

use super::{Caller, TraceId};

/// Decides at the entrance whether a trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether a caller that says so decides.
    pub by_caller: bool,
    /// Share of the other traces that is recorded, from 0 to 1.
    pub ratio: f64,
}

impl Sampler {
    /// Whether this trace is recorded. Among processes with the same ratio, all decide alike.
    pub fn records(&self, trace: TraceId, caller: Option<&Caller>) -> bool {
        match caller {
            Some(caller) if self.by_caller => caller.sampled,
            _ => self.picks(trace),
        }
    }

    /// By the last 63 bits of the id, which are random, as OpenTelemetry's `traceidratio` does.
    fn picks(&self, trace: TraceId) -> bool {
        const END: f64 = (1u64 << 63) as f64;
        let [.., a, b, c, d, e, f, g, h] = *trace.bytes();
        let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        // At 1 the product is the end itself, which every number is below.
        random < (self.ratio.clamp(0.0, 1.0) * END) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::Ids;
    use super::*;

    fn recorded(ratio: f64) -> usize {
        let (ids, sampler) = (
            Ids::default(),
            Sampler {
                by_caller: true,
                ratio,
            },
        );
        (0..10_000).filter(|_| sampler.records(ids.trace(), None)).count()
    }

    #[test]
    fn a_ratio_is_kept() {
        assert_eq!((recorded(0.0), recorded(1.0)), (0, 10_000));
        let tenth = recorded(0.1);
        assert!((800..1200).contains(&tenth), "{tenth}");
    }

    #[test]
    fn a_caller_decides_where_it_is_believed() {
        let ids = Ids::default();
        let trace = ids.trace();
        for sampled in [false, true] {
            let caller = Caller {
                trace,
                span: ids.span(),
                sampled,
                state: None,
            };
            for (by_caller, ratio, records) in [
                (true, 0.0, sampled),
                (true, 1.0, sampled),
                (false, 0.0, false),
                (false, 1.0, true),
            ] {
                let sampler = Sampler { by_caller, ratio };
                assert_eq!(
                    sampler.records(trace, Some(&caller)),
                    records,
                    "{sampler:?} {sampled}"
                );
            }
        }
    }
}
