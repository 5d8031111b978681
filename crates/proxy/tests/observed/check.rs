//! What an expression shows, by what the proxy exports; or why it shows nothing, or nonsense.

use std::collections::BTreeSet;

use super::promql::{Expr, Matcher, Selector, parse};
use crate::harness::scrape::Scrape;

/// Labels that Prometheus adds to all that it scrapes.
pub(super) const TARGET: [&str; 2] = ["job", "instance"];

/// What an expression shows: numbers that are told apart by these labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) labels: BTreeSet<String>,
    nature: Nature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// One number, without labels.
    Scalar,
    /// A number that rises and falls; what is computed from others too.
    Gauge,
    /// A number that only rises, and its part of a histogram.
    Counter,
    Bucket,
    /// The same over a time.
    CounterRange,
    BucketRange,
    /// How fast buckets fill.
    BucketRate,
    Quantile,
}

/// Checks an expression, and that a legend tells its series apart.
pub(super) fn check(scrape: &Scrape, expr: &str, legend: &str) -> Result<Shown, String> {
    let shown = Checker { scrape }.shown(&parse(expr)?)?;
    match shown.nature {
        Nature::Gauge | Nature::Quantile => {}
        nature => return Err(format!("a {nature:?} is no curve")),
    }
    let named = placeholders(legend);
    if let Some(unknown) = named.difference(&shown.labels).next() {
        return Err(format!("the legend names [{unknown}], which no series has"));
    }
    let mut unnamed = shown.labels.difference(&named);
    match unnamed.find(|label| *label != "job") {
        Some(label) => Err(format!("series that differ in [{label}] have the same legend")),
        None => Ok(shown),
    }
}

/// The labels in `{{label}} and text`.
fn placeholders(legend: &str) -> BTreeSet<String> {
    let parts = legend.split("{{").skip(1);
    let names = parts.filter_map(|part| part.split_once("}}"));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// Names of all samples that an expression reads.
pub(super) fn names(expr: &str) -> Result<BTreeSet<String>, String> {
    fn collect(expr: &Expr, into: &mut BTreeSet<String>) {
        match expr {
            Expr::Number(_) => {}
            Expr::Selector(selector) => drop(into.insert(selector.name.clone())),
            Expr::Call { arguments, .. } => arguments.iter().for_each(|argument| collect(argument, into)),
            Expr::Aggregate { of, .. } => collect(of, into),
            Expr::Binary(left, right) => [left, right].into_iter().for_each(|side| collect(side, into)),
        }
    }
    let mut into = BTreeSet::new();
    collect(&parse(expr)?, &mut into);
    Ok(into)
}

struct Checker<'a> {
    scrape: &'a Scrape,
}

impl Checker<'_> {
    fn shown(&self, expr: &Expr) -> Result<Shown, String> {
        match expr {
            Expr::Number(_) => Ok(scalar()),
            Expr::Selector(selector) => self.selected(selector),
            Expr::Call { function, arguments } => self.called(function, arguments),
            Expr::Aggregate { operator, by, of } => aggregated(operator, by, &self.shown(of)?),
            Expr::Binary(left, right) => combined(self.shown(left)?, self.shown(right)?),
        }
    }

    fn selected(&self, selector: &Selector) -> Result<Shown, String> {
        let Selector {
            name,
            matchers,
            range,
        } = selector;
        let nature = match (self.scrape.kind(name).as_deref(), range) {
            (Some("gauge"), None) => Nature::Gauge,
            (Some("gauge"), Some(_)) => return Err(format!("{name} is a gauge: it has no rate")),
            (Some("counter"), None) => Nature::Counter,
            (Some("counter"), Some(_)) => Nature::CounterRange,
            (Some("bucket"), None) => Nature::Bucket,
            (Some("bucket"), Some(_)) => Nature::BucketRange,
            _ => return Err(format!("{name} is not exported")),
        };
        for wanted in TARGET {
            let of_dashboard = |matcher: &&Matcher| {
                matcher.label == wanted && matcher.operator == "=~" && matcher.value == format!("${wanted}")
            };
            if matchers.iter().find(of_dashboard).is_none() {
                return Err(format!("{name} is not limited to the chosen {wanted}"));
            }
        }
        if range.as_deref().is_some_and(|range| range != "$__rate_interval") {
            return Err(format!("{name} has the range {range:?}, not that of the panel"));
        }
        self.matched(name, matchers)?;
        let own = self.scrape.labels(name);
        let labels = own.into_iter().chain(TARGET.map(str::to_owned)).collect();
        Ok(Shown { labels, nature })
    }

    /// There is something that all matchers take, and each of them says something.
    fn matched(&self, name: &str, matchers: &[Matcher]) -> Result<(), String> {
        let own: Vec<_> = matchers
            .iter()
            .filter(|matcher| !TARGET.contains(&&*matcher.label))
            .collect();
        for matcher in &own {
            let known = self.scrape.values(name, &matcher.label);
            if known.is_empty() {
                return Err(format!("{name} has no label [{}]", matcher.label));
            }
            for value in matcher.values() {
                if !known.contains(value) {
                    return Err(format!(
                        "{name} has no {}=\"{value}\", but {known:?}",
                        matcher.label
                    ));
                }
            }
        }
        let taken = |labels: &std::collections::BTreeMap<String, String>| {
            own.iter().all(|matcher| {
                labels
                    .get(&matcher.label)
                    .is_some_and(|value| matcher.takes(value))
            })
        };
        let mut samples = self.scrape.samples.iter().filter(|sample| sample.name == name);
        match samples.any(|sample| taken(&sample.labels)) {
            true => Ok(()),
            false => Err(format!("no sample of {name} is chosen")),
        }
    }

    fn called(&self, function: &str, arguments: &[Expr]) -> Result<Shown, String> {
        match (function, arguments) {
            ("time", []) => Ok(scalar()),
            ("rate" | "increase", [of]) => {
                let of = self.shown(of)?;
                let nature = match of.nature {
                    Nature::CounterRange => Nature::Gauge,
                    Nature::BucketRange => Nature::BucketRate,
                    nature => return Err(format!("{function} of a {nature:?}")),
                };
                Ok(Shown { nature, ..of })
            }
            ("histogram_quantile", [Expr::Number(share), of]) if (0.0..=1.0).contains(share) => {
                let mut of = self.shown(of)?;
                match of.nature {
                    Nature::BucketRate if of.labels.remove("le") => Ok(Shown {
                        nature: Nature::Quantile,
                        ..of
                    }),
                    Nature::BucketRate => Err("buckets were added up across [le]".to_owned()),
                    nature => Err(format!("a quantile of a {nature:?}")),
                }
            }
            _ => Err(format!(
                "{function} is not known with these {} arguments",
                arguments.len()
            )),
        }
    }
}

fn scalar() -> Shown {
    Shown {
        labels: BTreeSet::new(),
        nature: Nature::Scalar,
    }
}

fn aggregated(operator: &str, by: &BTreeSet<String>, of: &Shown) -> Result<Shown, String> {
    if let Some(unknown) = by.difference(&of.labels).next() {
        return Err(format!("{operator} by [{unknown}], which no series has"));
    }
    match (of.nature, operator) {
        (Nature::Gauge, _) | (Nature::BucketRate, "sum") | (Nature::Quantile, "min" | "max") => Ok(Shown {
            labels: by.clone(),
            nature: of.nature,
        }),
        (nature, _) => Err(format!("{operator} of a {nature:?}")),
    }
}

fn combined(left: Shown, right: Shown) -> Result<Shown, String> {
    let usable = |side: &Shown| matches!(side.nature, Nature::Scalar | Nature::Gauge | Nature::Quantile);
    if !usable(&left) || !usable(&right) {
        return Err(format!("a {:?} with a {:?}", left.nature, right.nature));
    }
    let nature = Nature::Gauge;
    match (left.nature, right.nature) {
        (_, Nature::Scalar) => Ok(Shown { nature, ..left }),
        (Nature::Scalar, _) => Ok(Shown { nature, ..right }),
        _ if left.labels == right.labels => Ok(Shown { nature, ..left }),
        _ => Err(format!(
            "the sides have different labels, {:?} and {:?}",
            left.labels, right.labels
        )),
    }
}
