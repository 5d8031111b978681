//! The dashboard for Grafana shows what the proxy exports, all of it, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::check::{check, names};
use super::everything;
use crate::harness::run;
use crate::harness::scrape::Scrape;

/// The model that Grafana calls classic, of its last version: every Grafana in use imports it.
const SCHEMA: u64 = 42;
const COLUMNS: u64 = 24;

fn dashboard() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dashboards/cloudstate-proxy.json");
    let text = std::fs::read_to_string(path).expect("the dashboard is there");
    serde_json::from_str(&text).expect("it is JSON")
}

fn items<'a>(of: &'a Value, pointer: &str) -> &'a [Value] {
    of.pointer(pointer)
        .and_then(Value::as_array)
        .unwrap_or_else(|| panic!("{pointer} is no list"))
}

fn text<'a>(of: &'a Value, pointer: &str) -> &'a str {
    of.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Panels that show something: titles and panels.
fn panels(dashboard: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let panels = items(dashboard, "/panels").iter();
    panels
        .filter(|panel| text(panel, "/type") != "row")
        .map(|panel| (text(panel, "/title"), panel))
}

/// All that is wrong with the expressions of a dashboard.
fn faults(dashboard: &Value, scrape: &Scrape) -> Vec<String> {
    let mut faults = Vec::new();
    for (title, panel) in panels(dashboard) {
        for target in items(panel, "/targets") {
            let expr = text(target, "/expr");
            if let Err(fault) = check(scrape, expr, text(target, "/legendFormat")) {
                faults.push(format!("{title}: {fault}, in {expr}"));
            }
        }
    }
    faults
}

/// Metrics that no panel shows.
fn unseen(dashboard: &Value, scrape: &Scrape) -> BTreeSet<String> {
    let targets = panels(dashboard).flat_map(|(_, panel)| items(panel, "/targets"));
    let read: BTreeSet<_> = targets
        .flat_map(|target| names(text(target, "/expr")).expect("it is checked elsewhere"))
        .collect();
    let seen: BTreeSet<_> = read.iter().map(|name| scrape.family(name)).collect();
    let exported = scrape.families.keys();
    exported
        .filter(|family| !seen.contains(family.as_str()))
        .cloned()
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn every_panel_shows_what_is_exported_and_all_of_it_is_shown() {
    run(async {
        let (dashboard, scrape) = (dashboard(), everything::scrape().await);
        let faults = faults(&dashboard, &scrape);
        assert!(faults.is_empty(), "{faults:#?}");
        let unseen = unseen(&dashboard, &scrape);
        assert!(
            unseen.is_empty(),
            "no panel of docs/dashboards/cloudstate-proxy.json shows {unseen:#?}"
        );
        // The test can fail: each metric and each label, misspelt, is a fault of each panel that has it.
        let written = dashboard.to_string();
        for family in scrape.families.keys() {
            let broken = written.replace(family.as_str(), &format!("{family}x"));
            let broken = serde_json::from_str(&broken).expect("it is still JSON");
            assert!(!super::dashboard::faults(&broken, &scrape).is_empty(), "{family}");
        }
    });
}

#[test]
fn variables_choose_among_proxies() {
    let dashboard = dashboard();
    let variables = items(&dashboard, "/templating/list");
    let named = |name: &str| {
        let mut found = variables
            .iter()
            .filter(|variable| text(variable, "/name") == name);
        found.next().unwrap_or_else(|| panic!("no variable {name}"))
    };
    assert_eq!(text(named("datasource"), "/type"), "datasource");
    assert_eq!(text(named("datasource"), "/query"), "prometheus");
    for (name, query) in [
        ("job", "label_values(cloudstate_build_info, job)"),
        (
            "instance",
            "label_values(cloudstate_build_info{job=~\"$job\"}, instance)",
        ),
    ] {
        assert_eq!(text(named(name), "/query/query"), query);
        assert_eq!(text(named(name), "/datasource/uid"), "${datasource}");
    }
    assert_eq!(variables.len(), 3);
}

#[test]
fn panels_are_whole_and_lie_side_by_side() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], SCHEMA);
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in items(&dashboard, "/panels") {
        let title = text(panel, "/title");
        assert!(titles.insert(title) && !title.is_empty(), "two panels [{title}]");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}");
        let at = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        assert!(at("x") + at("w") <= COLUMNS, "{title} is too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} lies on another panel");
            }
        }
    }
    for (title, panel) in panels(&dashboard) {
        assert!(["timeseries", "stat"].contains(&text(panel, "/type")), "{title}");
        assert!(
            !text(panel, "/fieldConfig/defaults/unit").is_empty(),
            "{title} has no unit"
        );
        assert_eq!(text(panel, "/datasource/uid"), "${datasource}", "{title}");
        let targets = items(panel, "/targets");
        let letters: BTreeSet<_> = targets.iter().map(|target| text(target, "/refId")).collect();
        assert!(!targets.is_empty() && letters.len() == targets.len(), "{title}");
        for target in targets {
            assert_eq!(text(target, "/datasource/uid"), "${datasource}", "{title}");
        }
    }
}

/// What the check finds, and that it does.
#[test]
fn wrong_expressions_are_found() {
    let exported = "\
# TYPE calls_total counter
calls_total{code=\"OK\",method=\"a\"} 1
calls_total{code=\"UNKNOWN\",method=\"b\"} 1
# TYPE open gauge
open 1
# TYPE took_seconds histogram
took_seconds_sum{method=\"a\"} 1
took_seconds_count{method=\"a\"} 1
took_seconds_bucket{le=\"+Inf\",method=\"a\"} 1
";
    let scrape = Scrape::read(exported.to_owned());
    let check = |expr: &str, legend: &str| {
        let expr = expr
            .replace('@', "job=~\"$job\",instance=~\"$instance\"")
            .replace("[]", "[$__rate_interval]");
        check(&scrape, &expr, legend).err().unwrap_or_default()
    };
    for (expr, legend) in [
        ("sum(rate(calls_total{@}[]))", "calls"),
        ("sum by (code) (rate(calls_total{@,method=\"a\"}[]))", "{{code}}"),
        (
            "sum(rate(calls_total{@,code=~\"OK|UNKNOWN\"}[])) / sum(rate(calls_total{@}[]))",
            "share",
        ),
        ("open{@}", "{{instance}}"),
        ("time() - open{@}", "{{instance}}"),
        (
            "histogram_quantile(0.99, sum by (le, method) (rate(took_seconds_bucket{@}[])))",
            "{{method}}",
        ),
        (
            "sum(rate(took_seconds_sum{@}[])) / sum(rate(took_seconds_count{@}[]))",
            "mean",
        ),
    ] {
        assert_eq!(check(expr, legend), "", "{expr}");
    }
    for (expr, legend, fault) in [
        (
            "sum(rate(call_total{@}[]))",
            "calls",
            "call_total is not exported",
        ),
        ("sum(rate(calls{@}[]))", "calls", "calls is not exported"),
        (
            "sum(rate(took_seconds{@}[]))",
            "took",
            "took_seconds is not exported",
        ),
        ("sum(rate(open{@}[]))", "open", "open is a gauge"),
        ("sum(calls_total{@})", "calls", "sum of a Counter"),
        ("calls_total{@}", "{{instance}}", "a Counter is no curve"),
        (
            "sum(rate(calls_total{@,kind=\"a\"}[]))",
            "calls",
            "calls_total has no label [kind]",
        ),
        (
            "sum(rate(calls_total{@,code=\"NO\"}[]))",
            "calls",
            "no code=\"NO\"",
        ),
        (
            "sum(rate(calls_total{@,code=~\"OK|NO\"}[]))",
            "calls",
            "no code=\"NO\"",
        ),
        (
            "sum(rate(calls_total{@,code=\"OK\",method=\"b\"}[]))",
            "calls",
            "no sample of calls_total",
        ),
        (
            "sum by (kind) (rate(calls_total{@}[]))",
            "{{kind}}",
            "sum by [kind], which no series has",
        ),
        (
            "sum by (code) (rate(calls_total{@}[]))",
            "{{method}}",
            "the legend names [method]",
        ),
        (
            "sum by (code) (rate(calls_total{@}[]))",
            "calls",
            "series that differ in [code]",
        ),
        ("open{@}", "open", "series that differ in [instance]"),
        ("open", "{{instance}}", "not limited to the chosen job"),
        (
            "open{job=~\"$job\"}",
            "{{instance}}",
            "not limited to the chosen instance",
        ),
        ("sum(rate(calls_total{@}[5m]))", "calls", "not that of the panel"),
        ("sum(rate(calls_total{@}))", "calls", "rate of a Counter"),
        (
            "histogram_quantile(0.99, sum by (method) (rate(took_seconds_bucket{@}[])))",
            "{{method}}",
            "added up across [le]",
        ),
        (
            "histogram_quantile(0.99, sum by (le) (took_seconds_bucket{@}))",
            "took",
            "sum of a Bucket",
        ),
        (
            "histogram_quantile(99, sum by (le) (rate(took_seconds_bucket{@}[])))",
            "took",
            "histogram_quantile is not known",
        ),
        (
            "histogram_quantile(0.9, sum(rate(calls_total{@}[])))",
            "took",
            "a quantile of a Gauge",
        ),
        (
            "sum by (le) (rate(took_seconds_bucket{@}[]))",
            "{{le}}",
            "a BucketRate is no curve",
        ),
        (
            "sum by (code) (rate(calls_total{@}[])) / sum(rate(calls_total{@}[]))",
            "{{code}}",
            "different labels",
        ),
        ("sum(rate(calls_total{@}[])", "calls", "[)] was expected"),
        ("sum(open{@}) or sum(open{@})", "open", "an end was expected"),
        (
            "sum(rate(calls_total{@,code=~\"O.*\"}[]))",
            "calls",
            "only plain texts",
        ),
    ] {
        let found = check(expr, legend);
        assert!(
            found.contains(fault),
            "{expr}: expected {fault:?}, found {found:?}"
        );
    }
}
