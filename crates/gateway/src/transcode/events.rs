//! Server-sent events. Source: WHATWG HTML, server-sent events.

use bytes::{BufMut, Bytes, BytesMut};
use cloudstate_protocol::Metadata;

use crate::status::Status;

/// A comment: clients skip it, and it keeps the connection from looking idle.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");
/// The last event of a stream that the function has ended. A browser begins a stream anew that just stops.
pub(super) const END: Bytes = Bytes::from_static(b"event: end\ndata: {}\n\n");
/// The metadata entries by which a function names an event; they are no headers.
const ID: &str = "sse-id";
const NAME: &str = "sse-event";
/// The id of a CloudEvent serves as well.
const CLOUD_EVENT_ID: &str = "ce-id";

/// One reply, and how the function calls it in its metadata.
///
/// Without an id the event has none: the client keeps the last one that it got, which is where the function knows to go on.
/// A number that the proxy counts would mean nothing to it.
pub(super) fn event(metadata: &Metadata, json: &[u8]) -> Bytes {
    let id = metadata.get(ID).or_else(|| metadata.get(CLOUD_EVENT_ID));
    let mut text = BytesMut::with_capacity(json.len() + 64);
    put_field("id", id.unwrap_or_default(), &mut text);
    put_field("event", metadata.get(NAME).unwrap_or_default(), &mut text);
    put_data(json, &mut text);
    text.freeze()
}

/// The last event of a stream that failed.
pub(super) fn error(status: &Status) -> Bytes {
    let mut text = BytesMut::with_capacity(256);
    put_field("event", "error", &mut text);
    put_data(status.to_json().to_string().as_bytes(), &mut text);
    text.freeze()
}

/// Removes what names an event from the metadata that becomes headers.
pub(super) fn strip(metadata: &mut Metadata) {
    metadata.remove(ID);
    metadata.remove(NAME);
}

/// Left out if empty, or if it could not be told from the line after it; clients ignore an id with a NUL.
fn put_field(name: &str, value: &str, text: &mut BytesMut) {
    if value.is_empty() || value.contains(['\n', '\r', '\0']) {
        return;
    }
    text.put_slice(name.as_bytes());
    text.put_slice(b": ");
    text.put_slice(value.as_bytes());
    text.put_u8(b'\n');
}

/// JSON as we write it has no line breaks; a line of data for each, should there be one, gives the same JSON.
fn put_data(json: &[u8], text: &mut BytesMut) {
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        text.put_slice(b"data: ");
        text.put_slice(line);
        text.put_u8(b'\n');
    }
    text.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(entries: &[(&str, &str)], json: &str) -> String {
        let metadata: Metadata = entries.iter().copied().collect();
        String::from_utf8(event(&metadata, json.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn a_reply_is_an_event_named_by_its_metadata() {
        assert_eq!(written(&[], "{}"), "data: {}\n\n");
        assert_eq!(
            written(
                &[("Sse-Id", "7"), ("sse-event", "added"), ("x", "y")],
                "{\"a\":1}"
            ),
            "id: 7\nevent: added\ndata: {\"a\":1}\n\n"
        );
        assert_eq!(written(&[("ce-id", "8")], "{}"), "id: 8\ndata: {}\n\n");
        assert_eq!(
            written(&[("ce-id", "8"), ("sse-id", "9")], "{}"),
            "id: 9\ndata: {}\n\n"
        );
    }

    #[test]
    fn a_name_that_would_break_the_event_is_left_out() {
        for bad in ["", "a\nb", "a\rdata: x", "a\0"] {
            assert_eq!(
                written(&[("sse-id", bad), ("sse-event", bad)], "{}"),
                "data: {}\n\n"
            );
        }
    }

    /// What a browser understands, by the standard's algorithm.
    fn read(text: &str) -> Vec<(String, String, String)> {
        let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
        let mut events = Vec::new();
        for line in text.split(['\n', '\r']) {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    events.push((id.clone(), std::mem::take(&mut name), std::mem::take(&mut data)));
                }
                name.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => id = value.to_owned(),
                "event" => name = value.to_owned(),
                "data" => data.extend([value, "\n"]),
                _ => {}
            }
        }
        events
    }

    proptest! {
        #[test]
        fn a_browser_reads_what_was_written(id in "[^\n\r\0]{1,8}", name in "[^\n\r\0]{1,8}", json in "[^\n\r]{1,20}") {
            let text = written(&[("sse-id", &id), ("sse-event", &name)], &json);
            prop_assert_eq!(read(&text), [(id, name, json)]);
        }

        #[test]
        fn no_metadata_makes_two_events_of_one(id in ".{0,8}", name in ".{0,8}") {
            let text = written(&[("sse-id", &id), ("sse-event", &name)], "{}");
            let events = read(&text);
            prop_assert_eq!(events.len(), 1);
            prop_assert_eq!(&events[0].2, "{}");
        }
    }

    #[test]
    fn the_last_event_says_how_the_stream_ended() {
        let status = Status::new(cloudstate_runtime::Code::NotFound, "gone\nfor good");
        let text = String::from_utf8(error(&status).to_vec()).unwrap();
        let (_, name, data) = read(&text).remove(0);
        let json: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(
            (name.as_str(), &json["message"]),
            ("error", &"gone\nfor good".into())
        );
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(read(&text(&END)), [("".into(), "end".into(), "{}".into())]);
        assert_eq!(read(&text(&HEARTBEAT)), []);
    }
}
