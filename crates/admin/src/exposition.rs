//! Metrics as text, in the two formats that scrapers ask for.

use std::fmt;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// How a scraper wants to read metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4, which every scraper reads.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// OpenMetrics only for those that name it.
    pub(crate) fn accepted(accept: &str) -> Self {
        let names_it = accept
            .split(',')
            .any(|range| range.trim().starts_with("application/openmetrics-text"));
        if names_it {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        }
    }

    /// The value of `Content-Type`.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes all metrics, or only the samples of these names if there are any.
    pub(crate) fn encode(self, registry: &Registry, names: &[&str]) -> Result<String, fmt::Error> {
        let mut openmetrics = String::new();
        text::encode(&mut openmetrics, registry)?;
        let page = match self {
            Format::Prometheus => to_prometheus(&openmetrics),
            Format::OpenMetrics => openmetrics,
        };
        Ok(match names {
            [] => page,
            names => only(&page, names),
        })
    }
}

/// The names that a query asks for by `name[]=…`, which may come several times.
pub(crate) fn names(query: &str) -> Vec<&str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let is_name = |key: &str| key.eq_ignore_ascii_case("name%5b%5d") || key == "name[]";
    pairs
        .filter(|(key, _)| is_name(key))
        .map(|(_, name)| name)
        .collect()
}

/// The samples of these names, with the comments of their families.
fn only(page: &str, names: &[&str]) -> String {
    let mut out = String::new();
    let mut comments = Vec::new();
    for line in page.lines() {
        if line == "# EOF" {
            out.push_str("# EOF\n");
        } else if line.starts_with('#') {
            // The comments of a family come together, before its samples.
            if line.starts_with("# HELP ") {
                comments.clear();
            }
            comments.push(line);
        } else if names.contains(&line.split(['{', ' ']).next().unwrap_or(line)) {
            for kept in comments.drain(..).chain([line]) {
                out.push_str(kept);
                out.push('\n');
            }
        }
    }
    out
}

/// Turns OpenMetrics into Prometheus text. The samples are the same; the older format names a counter and an info with
/// their suffix also in comments, and knows neither units, nor the types info, stateset and unknown, nor an end mark.
fn to_prometheus(openmetrics: &str) -> String {
    let mut out = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = Some(rest);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            describe(&mut out, name, kind, help.take());
        } else if !line.starts_with('#') {
            out.push_str(without_exemplar(line));
            out.push('\n');
        }
    }
    out
}

/// Cuts what follows ` # ` behind the value of a sample, which the older format would not parse. Inside the quotes of a
/// label the same characters are text.
fn without_exemplar(sample: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (position, byte) in sample.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return sample[..position].trim_end(),
            _ => {}
        }
    }
    sample
}

fn describe(out: &mut String, name: &str, kind: &str, help: Option<&str>) {
    let (suffix, kind) = match kind {
        "counter" => ("_total", "counter"),
        "info" => ("_info", "gauge"),
        "stateset" => ("", "gauge"),
        "unknown" => ("", "untyped"),
        other => ("", other),
    };
    if let Some((_, help)) = help.and_then(|help| help.split_once(' ')) {
        out.push_str(&format!("# HELP {name}{suffix} {help}\n"));
    }
    out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::Unit;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let (commands, active) = (Counter::<u64>::default(), Gauge::<i64>::default());
        commands.inc_by(3);
        active.set(-1);
        let took = Histogram::new([0.5, 1.0]);
        took.observe(0.7);
        registry.register("commands", "Commands received", commands);
        registry.register("active", "Entities active", active);
        registry.register_with_unit("took", "Time taken", Unit::Seconds, took);
        registry.register("build", "This program", Info::new([("version", "1 # 2")]));
        registry
    }

    #[test]
    fn prometheus_text_names_metrics_as_their_samples() {
        let expected = "\
# HELP commands_total Commands received.
# TYPE commands_total counter
commands_total 3
# HELP active Entities active.
# TYPE active gauge
active -1
# HELP took_seconds Time taken.
# TYPE took_seconds histogram
took_seconds_sum 0.7
took_seconds_count 1
took_seconds_bucket{le=\"0.5\"} 0
took_seconds_bucket{le=\"1.0\"} 1
took_seconds_bucket{le=\"+Inf\"} 1
# HELP build_info This program.
# TYPE build_info gauge
build_info{version=\"1 # 2\"} 1
";
        assert_eq!(Format::Prometheus.encode(&registry(), &[]).unwrap(), expected);
    }

    #[test]
    fn exemplars_are_cut_and_label_texts_are_kept() {
        assert_eq!(
            without_exemplar(r#"a{b="\" # "} 1 # {trace="x"} 0.5"#),
            r#"a{b="\" # "} 1"#
        );
    }

    #[test]
    fn openmetrics_is_for_those_that_ask() {
        for (accept, format) in [
            ("", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                Format::OpenMetrics,
            ),
            ("text/plain, application/openmetrics-text", Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
        assert!(
            Format::OpenMetrics
                .encode(&registry(), &[])
                .unwrap()
                .ends_with("# EOF\n")
        );
    }

    #[test]
    fn a_query_may_ask_for_some_names() {
        let asked = names("name[]=commands_total&x=y&name%5B%5D=took_seconds_count&name=active");
        assert_eq!(asked, ["commands_total", "took_seconds_count"]);
        let expected = "\
# HELP commands_total Commands received.
# TYPE commands_total counter
commands_total 3
# HELP took_seconds Time taken.
# TYPE took_seconds histogram
took_seconds_count 1
";
        assert_eq!(Format::Prometheus.encode(&registry(), &asked).unwrap(), expected);
        assert_eq!(
            Format::OpenMetrics.encode(&registry(), &["nope"]).unwrap(),
            "# EOF\n"
        );
    }
}
