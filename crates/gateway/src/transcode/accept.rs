//! How a client wants a stream of replies, by its `Accept` header. Source: RFC 9110 §12.5.1.

use http::HeaderMap;
use http::header::{ACCEPT, HeaderValue};

/// Server-sent events.
const EVENTS: &str = "text/event-stream";
/// The names of newline-delimited JSON; the last is what clients say that know no better one.
const LINES: [&str; 4] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/json",
];

/// How replies are put one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// As server-sent events.
    Events,
    /// As one JSON text a line, under this content type.
    Lines(HeaderValue),
}

impl Shape {
    /// The shape that the client likes best. Lines, if it likes several alike by a wildcard, or none of them: a client that
    /// gets an answer can tell what it is, one that gets none cannot.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(ACCEPT).iter();
        let ranges: Vec<Range<'_>> = ranges
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(Range::parse)
            .collect();
        let best = (LINES.iter().rev().copied().enumerate())
            .map(|(index, name)| (index + 1, name))
            .chain([(0, EVENTS)])
            .filter_map(|(rank, name)| Some((liking(&ranges, name)?, rank, name)))
            // Named outright, events go first: who names them can do more with them than with lines.
            .max_by_key(|((quality, exactness), rank, name)| {
                let named = *exactness == Exactness::Named && *name == EVENTS;
                (*quality, *exactness, named, *rank)
            });
        match best {
            Some((_, _, EVENTS)) => Shape::Events,
            Some((_, _, name)) => Shape::Lines(HeaderValue::from_static(name)),
            None => Shape::Lines(HeaderValue::from_static(LINES[0])),
        }
    }
}

/// Whether this content type of a request is newline-delimited JSON.
pub(super) fn is_lines(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let [lines @ .., _json] = LINES;
    lines.iter().any(|name| essence.eq_ignore_ascii_case(name))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exactness {
    /// `*/*`
    All,
    /// `text/*`
    Type,
    Named,
}

/// An item of the header.
struct Range<'h> {
    name: &'h str,
    /// In thousandths.
    quality: u16,
}

impl<'h> Range<'h> {
    fn parse(item: &'h str) -> Option<Self> {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(1000, |(_, value)| thousandths(value.trim()));
        Some(Range { name, quality })
    }

    fn covers(&self, media_type: &str) -> Option<Exactness> {
        if self.name.eq_ignore_ascii_case(media_type) {
            return Some(Exactness::Named);
        }
        if self.name == "*/*" {
            return Some(Exactness::All);
        }
        let (of, _) = media_type.split_once('/')?;
        let prefix = self.name.strip_suffix("/*")?;
        prefix.eq_ignore_ascii_case(of).then_some(Exactness::Type)
    }
}

/// A malformed quality counts as none given.
fn thousandths(text: &str) -> u16 {
    let quality: f32 = text.parse().unwrap_or(1.0);
    // At most 1000, and never negative.
    (quality.clamp(0.0, 1.0) * 1000.0) as u16
}

/// How much a media type is liked, by the range that says it most exactly. `None` if not at all.
fn liking(ranges: &[Range<'_>], media_type: &str) -> Option<(u16, Exactness)> {
    let covering = ranges
        .iter()
        .filter_map(|range| Some((range.covers(media_type)?, range.quality)));
    let (exactness, quality) = covering.max()?;
    (quality > 0).then_some((quality, exactness))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(accept: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
        match Shape::of(&headers) {
            Shape::Events => "events".to_owned(),
            Shape::Lines(content_type) => content_type.to_str().unwrap().to_owned(),
        }
    }

    #[test]
    fn the_best_liked_shape_is_taken() {
        for (accept, expected) in [
            ("text/event-stream", "events"),
            ("Text/Event-Stream; charset=utf-8", "events"),
            ("text/*", "events"),
            ("text/event-stream, */*", "events"),
            ("application/json, text/event-stream", "events"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("application/jsonl", "application/jsonl"),
            ("application/json", "application/json"),
            ("application/json, text/plain, */*", "application/json"),
            ("application/json, application/x-ndjson", "application/x-ndjson"),
            (
                "text/event-stream;q=0.5, application/x-ndjson",
                "application/x-ndjson",
            ),
            ("text/event-stream; q=0.5, */*;q=0.4", "events"),
            ("text/event-stream;q=0, */*", "application/x-ndjson"),
            ("text/event-stream;q=0.9, */*;q=1", "application/x-ndjson"),
            ("*/*", "application/x-ndjson"),
            ("application/*", "application/x-ndjson"),
            ("application/x-ndjson;q=0, */*", "application/ndjson"),
            ("text/html", "application/x-ndjson"),
            ("", "application/x-ndjson"),
            ("text/event-stream;q=x", "events"),
        ] {
            assert_eq!(shape(accept), expected, "{accept}");
        }
    }

    #[test]
    fn without_a_header_replies_are_lines() {
        let lines = Shape::Lines(HeaderValue::from_static("application/x-ndjson"));
        assert_eq!(Shape::of(&HeaderMap::new()), lines);
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        headers.append(ACCEPT, HeaderValue::from_static("text/event-stream"));
        assert_eq!(Shape::of(&headers), Shape::Events);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(accept in "[ -~]{0,40}") {
            let _ = shape(&accept);
        }
    }
}
