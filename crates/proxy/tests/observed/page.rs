//! The page of metrics in `docs/` says what the proxy exports, and other pages name nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::everything;
use crate::harness::run;
use crate::harness::scrape::{Family, Scrape};

/// The parts of the page: beginning of the names, title, text.
const PARTS: [(&str, &str, &str); 14] = [
    (
        "cloudstate_gateway_",
        "Clients",
        "The client port. Requests that no method takes count under an empty `service` and the method `unknown`; those for static files, for the OpenAPI document, of browsers that ask whether a page may call (CORS), and of Knative's probe under `static`, `openapi`, `preflight` and `probe`. So callers cannot make series.",
    ),
    (
        "cloudstate_runtime_",
        "Commands on their way",
        "All services together.",
    ),
    (
        "cloudstate_eventsourced_",
        "Event sourced entities",
        "By `entity_name`, the persistence id. The names are those of the original implementation, and queries for them go on. One differs in form: `cloudstate_eventsourced_entity_active_time_seconds` was a summary there, whose quantiles cannot be added up over proxies; here it is a histogram. One differs in count: a command that goes on to the next activation of its entity was received once, not twice.",
    ),
    (
        "cloudstate_valueentity_",
        "Value entities",
        "The same of value entities.",
    ),
    (
        "cloudstate_crdt_",
        "CRDT entities",
        "By `entity_name`, the persistence id.",
    ),
    (
        "cloudstate_replica_",
        "Replicas of CRDT entities",
        "All services together.",
    ),
    (
        "cloudstate_action_",
        "Actions",
        "By `entity_name`, the name of the service. Streams are counted, but their time in the function is not taken: it is the caller's choice.",
    ),
    ("cloudstate_store_", "Store", ""),
    ("cloudstate_function_", "Link to the function", ""),
    ("cloudstate_discovery_", "Discovery", ""),
    (
        "cloudstate_tracing_",
        "Traces",
        "Only if a collector is configured.",
    ),
    ("cloudstate_tls_", "Certificate", "Only with TLS."),
    ("cloudstate_security_", "Files of certificates and keys", ""),
    ("", "Process", "What is of `process_` is there on Linux."),
];

/// Labels whose values come from the function, or from what clients do.
const OPEN: [&str; 5] = ["service", "method", "entity_name", "code", "version"];

/// Words in backquotes that begin as metrics do: packages.
const PACKAGES: [&str; 3] = ["cloudstate_sdk", "cloudstate_sdk_build", "cloudstate_testkit"];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn markdown(scrape: &Scrape) -> String {
    let mut page = String::from(
        "# Metrics\n\n<!-- Made from what a proxy exports; do not edit. UPDATE_DOCS=1 cargo test -p cloudstate-proxy \
         the_page_of_metrics_is_up_to_date -->\n\nEverything that `/metrics` on the admin port shows. A histogram has the \
         samples `…_bucket`, `…_sum` and `…_count`. Times are in seconds and begin when the process does, as counters do. \
         Prometheus adds labels of its own, `job` and `instance`.\n",
    );
    let mut rest: BTreeSet<&String> = scrape.families.keys().collect();
    for (beginning, title, about) in PARTS {
        let (own, others) = rest.into_iter().partition(|name| name.starts_with(beginning));
        rest = others;
        write_part(&mut page, scrape, title, about, &own);
    }
    page
}

fn write_part(page: &mut String, scrape: &Scrape, title: &str, about: &str, names: &BTreeSet<&String>) {
    let about = if about.is_empty() {
        String::new()
    } else {
        format!("\n{about}\n")
    };
    write!(
        page,
        "\n## {title}\n{about}\n| name | type | labels | what |\n|---|---|---|---|\n"
    )
    .expect("a string");
    for name in names {
        let Family { kind, help } = &scrape.families[*name];
        let sample = if kind == "histogram" {
            format!("{name}_count")
        } else {
            (*name).clone()
        };
        let labels = scrape.labels(&sample).into_iter();
        let labels: Vec<_> = labels.map(|label| describe(scrape, &sample, &label)).collect();
        let help = help.trim_end_matches('.');
        writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join("; ")).expect("a string");
    }
}

/// A label, and its values if they are known beforehand.
fn describe(scrape: &Scrape, sample: &str, label: &str) -> String {
    if OPEN.contains(&label) {
        return format!("`{label}`");
    }
    let values = scrape.values(sample, label).into_iter();
    let values: Vec<_> = values.map(|value| format!("`{value}`")).collect();
    format!("`{label}`: {}", values.join(", "))
}

#[test]
#[cfg(target_os = "linux")]
fn the_page_of_metrics_is_up_to_date() {
    run(async {
        let scrape = everything::scrape().await;
        for (name, family) in &scrape.families {
            let sampled = scrape
                .samples
                .iter()
                .any(|sample| scrape.family(&sample.name) == name);
            assert!(
                sampled,
                "{name} has no sample: let `everything` do what makes one"
            );
            assert!(!family.help.is_empty(), "{name} is not explained");
        }
        let (path, made) = (docs().join("reference/metrics.md"), markdown(&scrape));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).expect("docs can be written");
        }
        assert!(
            std::fs::read_to_string(&path).unwrap_or_default() == made,
            "docs/reference/metrics.md is out of date; run: \
             UPDATE_DOCS=1 cargo test -p cloudstate-proxy the_page_of_metrics_is_up_to_date"
        );
        for (path, name) in named() {
            let known = scrape.families.contains_key(&name) || scrape.kind(&name).is_some();
            assert!(known, "{} names {name}, which is not exported", path.display());
        }
    });
}

/// The metrics that pages name: in backquotes, perhaps with labels.
fn named() -> Vec<(PathBuf, String)> {
    let mut named = Vec::new();
    let mut directories = vec![docs()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path).expect("a page");
                named.extend(metrics(&text).into_iter().map(|name| (path.clone(), name)));
            }
        }
    }
    assert!(named.len() > 100, "the pages are not read as they are written");
    named
}

fn metrics(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split('`').skip(1).step_by(2);
    let begun = words.filter(|word| word.starts_with("cloudstate_") || word.starts_with("process_"));
    let names = begun.map(|word| word.chars().take_while(|c| part(*c)).collect::<String>());
    // One that ends so stands for all that begin so.
    let whole = names.filter(|name| !name.ends_with('_') && !PACKAGES.contains(&name.as_str()));
    whole.collect()
}
