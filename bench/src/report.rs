//! How figures are summed up and judged.

use std::time::Duration;

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Limit {
    fn holds(self, value: f64) -> bool {
        match self {
            Limit::AtMost(limit) => value <= limit,
            Limit::AtLeast(limit) => value >= limit,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::AtMost(limit) => write!(f, "≤ {limit}"),
            Limit::AtLeast(limit) => write!(f, "≥ {limit}"),
        }
    }
}

/// Prints a figure beside its limit, `MISSED` in front when it does not hold.
pub fn verdict(name: &str, value: f64, limit: Limit) {
    println!("{}", judged(name, value, limit));
}

fn judged(name: &str, value: f64, limit: Limit) -> String {
    let word = if limit.holds(value) { "ok    " } else { "MISSED" };
    format!("{word} {name}: {value:.2} ({limit})")
}

/// The middle one of the values that `of` takes from some samples, the upper one of two; zero of none.
pub fn median<S>(samples: &[S], of: impl Fn(&S) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A time in microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_limit_is_missed() {
        let judge = |value, limit| judged("it", value, limit);
        assert_eq!(judge(1.2, Limit::AtMost(1.2)), "ok     it: 1.20 (≤ 1.2)");
        assert_eq!(judge(1.21, Limit::AtMost(1.2)), "MISSED it: 1.21 (≤ 1.2)");
        assert_eq!(judge(0.7, Limit::AtLeast(0.7)), "ok     it: 0.70 (≥ 0.7)");
        assert_eq!(judge(0.69, Limit::AtLeast(0.7)), "MISSED it: 0.69 (≥ 0.7)");
        assert_eq!(judge(f64::NAN, Limit::AtMost(1.0)), "MISSED it: NaN (≤ 1)");
    }

    #[test]
    fn the_median_is_the_middle_value_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0], |value| *value), 2.0);
        assert_eq!(median(&[] as &[f64], |value| *value), 0.0);
    }
}
