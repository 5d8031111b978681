//! What a proxy shows to Prometheus, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use cloudstate_proxy::Event;

use super::{Http, Proxy};

/// All samples of one scrape.
pub(crate) struct Scrape {
    text: String,
    pub(crate) samples: Vec<Sample>,
    /// By name, as the comments have it.
    pub(crate) families: BTreeMap<String, Family>,
}

/// What the comments say of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub(crate) kind: String,
    pub(crate) help: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Proxy {
    /// A client of the admin port.
    pub(crate) async fn admin(&self) -> Http {
        let listening = |event: &Event| match event {
            Event::AdminListening(address) => Some(*address),
            _ => None,
        };
        Http::new(self.event(listening).await.expect("it listens"))
    }

    pub(crate) async fn scrape(&self) -> Scrape {
        let response = self.admin().await.send("GET", "/metrics", "").await;
        assert_eq!(response.status(), 200, "{}", response.body());
        Scrape::read(response.into_body())
    }

    /// Scrapes until it shows what is wanted: a connection's or entity's end is counted a moment after it is seen.
    pub(crate) async fn scrape_until(&self, shows: impl Fn(&Scrape) -> bool) -> Scrape {
        loop {
            let scrape = self.scrape().await;
            if shows(&scrape) {
                return scrape;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Scrape {
    pub(crate) fn read(text: String) -> Self {
        Scrape {
            families: families(&text),
            samples: text
                .lines()
                .filter(|line| !line.starts_with('#'))
                .map(sample)
                .collect(),
            text,
        }
    }

    /// The value of the sample with this name and these labels, and no others.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let of = |sample: &&Sample| {
            let pairs = sample
                .labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            sample.name == name && pairs.eq(labels.iter().copied())
        };
        let found = self.samples.iter().find(of);
        found
            .unwrap_or_else(|| panic!("{name} {labels:?} is not in\n{}", self.text))
            .value
    }

    /// What samples of this name are: `counter`, as are the sum and the count of a histogram, `gauge`, or `bucket`.
    pub(crate) fn kind(&self, name: &str) -> Option<String> {
        let family = self.families.get(name).map(|family| family.kind.clone());
        let of_histogram = |suffix: &str, kind: &str| {
            let family = self.families.get(name.strip_suffix(suffix)?)?;
            (family.kind == "histogram").then(|| kind.to_owned())
        };
        family
            .filter(|kind| kind != "histogram")
            .or_else(|| of_histogram("_bucket", "bucket"))
            .or_else(|| of_histogram("_sum", "counter"))
            .or_else(|| of_histogram("_count", "counter"))
    }

    /// The family that samples of this name belong to.
    pub(crate) fn family<'a>(&self, name: &'a str) -> &'a str {
        let suffixes = ["_bucket", "_sum", "_count"];
        let mut stripped = suffixes.iter().filter_map(|suffix| name.strip_suffix(suffix));
        let histogram =
            stripped.find(|family| self.families.get(*family).is_some_and(|f| f.kind == "histogram"));
        histogram.unwrap_or(name)
    }

    /// The labels of samples of this name.
    pub(crate) fn labels(&self, name: &str) -> BTreeSet<String> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        samples.flat_map(|sample| sample.labels.keys().cloned()).collect()
    }

    /// The values of a label in samples of this name.
    pub(crate) fn values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        samples
            .filter_map(|sample| sample.labels.get(label).map(String::as_str))
            .collect()
    }

    /// The value of the metric of an event sourced service.
    pub(crate) fn log(&self, name: &str) -> f64 {
        self.value(
            &format!("cloudstate_eventsourced_{name}"),
            &[("entity_name", "log")],
        )
    }
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().help = help.to_owned();
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        }
    }
    families
}

fn sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = match head.split_once('{') {
        None => (head, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("an end of labels")),
    };
    Sample {
        name: name.to_owned(),
        labels: label_pairs(labels),
        value: value.parse().unwrap_or_else(|_| panic!("{line}")),
    }
}

/// No value in these tests holds a quote or a backslash.
fn label_pairs(labels: &str) -> BTreeMap<String, String> {
    assert!(!labels.contains('\\'), "{labels}");
    let Some(pairs) = labels.strip_suffix('"') else {
        return BTreeMap::new();
    };
    let pairs = pairs.split("\",");
    pairs
        .map(|pair| pair.split_once("=\"").expect("a name and a value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
