//! Sums, in the form that the admin port shows.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::Totals;

/// Labels of a sample: names and values.
type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

/// What a histogram observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Numbers of something, shown as they are.
    Number,
    /// Microseconds, shown as seconds.
    Microseconds,
}

/// Writes metrics, one family after the other. The names are without the suffixes that the exposition adds (`_total`,
/// `_bucket`).
pub struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> From<DescriptorEncoder<'a>> for Page<'a> {
    fn from(encoder: DescriptorEncoder<'a>) -> Self {
        Page(encoder)
    }
}

impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page")
    }
}

impl Page<'_> {
    /// A counter without labels.
    ///
    /// # Errors
    /// The page cannot be written; the same for all methods.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.family(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A counter without labels that is no whole number.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn counter_f64(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.family(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// A counter of several samples, told apart by labels.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn counters<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Counter)?;
        for (labels, value) in samples {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// A gauge without labels.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge without labels that is no whole number.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn gauge_f64(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A gauge of several samples, told apart by labels.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn gauges<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A histogram without labels.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn histogram(&mut self, name: &str, help: &str, unit: Unit, totals: &Totals) -> fmt::Result {
        encode(&mut self.family(name, help, MetricType::Histogram)?, unit, totals)
    }

    /// A histogram of several samples, told apart by labels.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn histograms<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Unit,
        samples: impl IntoIterator<Item = (Labels<'s, N>, Totals)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Histogram)?;
        for (labels, totals) in samples {
            encode(&mut family.encode_family(&labels)?, unit, &totals)?;
        }
        Ok(())
    }

    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}

fn encode(family: &mut MetricEncoder<'_>, unit: Unit, totals: &Totals) -> fmt::Result {
    let shown = |number: u64| match unit {
        Unit::Number => number as f64,
        Unit::Microseconds => number as f64 / 1e6,
    };
    let bounds = totals.buckets.iter();
    let buckets: Vec<_> = bounds
        .map(|(bound, count)| (bound.map_or(f64::INFINITY, shown), *count))
        .collect();
    family.encode_histogram::<NoLabelSet>(shown(totals.sum), totals.count(), &buckets, None)
}

#[cfg(test)]
mod tests {
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::Histogram;

    #[derive(Debug)]
    struct Room;

    impl Collector for Room {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let mut page = Page::from(encoder);
            page.counter("calls", "Calls", 3)?;
            page.gauges("open", "Open", [([("of", "a")], 1), ([("of", "b")], 2)])?;
            page.gauge_f64("start", "Start", 1.5)?;
            let times = Histogram::new(&[2_500, 5_000]);
            times.observe(2_000);
            times.observe(9_000);
            let took = Totals::of([&times]);
            page.histograms(
                "took_seconds",
                "Took",
                Unit::Microseconds,
                [([("of", "a")], took.clone())],
            )?;
            page.histogram("size", "Sizes", Unit::Number, &took)
        }
    }

    #[test]
    fn a_page_is_what_scrapers_read() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Room));
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "calls_total 3",
                r#"open{of="a"} 1"#,
                r#"open{of="b"} 2"#,
                "start 1.5",
                r#"took_seconds_sum{of="a"} 0.011"#,
                r#"took_seconds_count{of="a"} 2"#,
                r#"took_seconds_bucket{le="0.0025",of="a"} 1"#,
                r#"took_seconds_bucket{le="0.005",of="a"} 1"#,
                r#"took_seconds_bucket{le="+Inf",of="a"} 2"#,
                "size_sum 11000.0",
                "size_count 2",
                r#"size_bucket{le="2500.0"} 1"#,
                r#"size_bucket{le="5000.0"} 1"#,
                r#"size_bucket{le="+Inf"} 2"#,
            ]
        );
    }
}
