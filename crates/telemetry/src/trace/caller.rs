//! What a caller says about the trace that its call belongs to.

use super::{SpanId, TraceId};

/// The header, and the key of metadata, that names trace and parent.
pub const TRACEPARENT: &str = "traceparent";
/// The header, and the key of metadata, with what tracing systems pass on among themselves.
pub const TRACESTATE: &str = "tracestate";

/// Longest `tracestate` that is passed on; the specification asks for at least this much.
const STATE_BYTES_MAX: usize = 512;
const SAMPLED: u8 = 1;

/// The trace that a call belongs to, as its caller says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The trace.
    pub trace: TraceId,
    /// The caller's own span.
    pub span: SpanId,
    /// Whether the caller records the trace.
    pub sampled: bool,
    /// What tracing systems pass on.
    pub state: Option<Box<str>>,
}

impl Caller {
    /// Reads the values of `traceparent` and `tracestate`; the latter may be spread over several headers. `None` if the
    /// former is malformed: the trace begins anew then, as the specification says. A malformed or too long state is
    /// dropped alone.
    pub fn read<'a>(parent: &[u8], state: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let (trace, span, flags) = parse_parent(parent)?;
        Some(Caller {
            trace,
            span,
            sampled: flags & SAMPLED != 0,
            state: join_state(state),
        })
    }
}

/// `00-<trace>-<span>-<flags>`. Versions to come may have more parts behind a dash.
fn parse_parent(text: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let text = text.trim_ascii();
    let (head, rest) = text.split_at_checked(55)?;
    let [version @ .., b'-'] = &head[..3] else {
        return None;
    };
    let version = hex(version)?;
    let known = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    if !known || head[35] != b'-' || head[52] != b'-' {
        return None;
    }
    Some((
        TraceId::parse(&head[3..35])?,
        SpanId::parse(&head[36..52])?,
        hex(&head[53..55])?,
    ))
}

fn hex(digits: &[u8]) -> Option<u8> {
    let lower = digits
        .iter()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok().filter(|_| lower)?;
    u8::from_str_radix(text, 16).ok()
}

fn join_state<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Box<str>> {
    let mut joined = String::new();
    for header in headers {
        let text = std::str::from_utf8(header.trim_ascii()).ok()?;
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        if !is_printable || joined.len() + 1 + text.len() > STATE_BYTES_MAX {
            return None;
        }
        if !joined.is_empty() && !text.is_empty() {
            joined.push(',');
        }
        joined.push_str(text);
    }
    (!joined.is_empty()).then(|| joined.into())
}

/// The value of `traceparent` for whoever is called on behalf of a span.
pub(super) fn write_parent(trace: TraceId, span: SpanId, sampled: bool) -> String {
    format!("00-{trace}-{span}-{:02x}", u8::from(sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(parent: &str) -> Option<Caller> {
        Caller::read(parent.as_bytes(), [])
    }

    #[test]
    fn a_caller_is_read_as_it_is_written() {
        let caller = read(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!(caller.trace.to_string(), TRACE);
        assert_eq!(caller.span.to_string(), SPAN);
        assert!(caller.sampled);
        assert_eq!(
            write_parent(caller.trace, caller.span, true),
            format!("00-{TRACE}-{SPAN}-01")
        );
        assert!(!read(&format!("00-{TRACE}-{SPAN}-00")).unwrap().sampled);
        // Other bits may get a meaning.
        assert!(!read(&format!("00-{TRACE}-{SPAN}-fe")).unwrap().sampled);
    }

    #[test]
    fn versions_to_come_are_read_as_far_as_they_are_known() {
        assert!(read(&format!("cc-{TRACE}-{SPAN}-01-what the future will be like")).is_some());
        assert!(read(&format!("cc-{TRACE}-{SPAN}-01")).is_some());
    }

    #[test]
    fn what_is_malformed_is_no_caller() {
        let zeros = "0".repeat(32);
        for parent in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01."),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("+0-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00_{TRACE}_{SPAN}_01"),
            "é".repeat(28),
        ] {
            assert_eq!(read(&parent), None, "{parent}");
        }
    }

    #[test]
    fn state_is_joined_and_dropped_when_it_is_too_much() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let state = |headers: &[&str]| {
            let headers = headers.iter().map(|header| header.as_bytes());
            Caller::read(parent.as_bytes(), headers).unwrap().state
        };
        assert_eq!(state(&["a=1,b=2", "", "c=3"]).as_deref(), Some("a=1,b=2,c=3"));
        assert_eq!(state(&[]), None);
        assert_eq!(state(&["a=\u{7f}"]), None);
        assert_eq!(state(&[&"x".repeat(300), &"x".repeat(300)]), None);
    }
}
